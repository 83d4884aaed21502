package webhook_test

import (
	"context"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/kyckit/kyckit"
	"github.com/kyckit/kyckit/webhook"
	"github.com/kyckit/kyckit/webhook/webhooktest"
)

func Example() {
	secret := "whsec_" + base64.StdEncoding.EncodeToString([]byte("only for this example..."))
	signature, err := webhook.NewHMAC(webhook.HMACConfig{Scheme: webhook.StandardWebhooks(), Secrets: []kyckit.Secret{kyckit.NewSecret(secret)}})
	if err != nil {
		fmt.Println(err)
		return
	}
	handler, err := webhook.NewHandler(webhook.HandlerConfig{
		Authenticate: signature,
		Handle: func(_ context.Context, d *webhook.Delivery) error {
			var event struct{ Type string }
			if err := d.Decode(&event); err != nil {
				return err
			}
			fmt.Println("handled", event.Type)
			return nil
		},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	server := httptest.NewServer(handler)
	defer server.Close()

	// The provider sends it twice, and somebody else forges one.
	sender := webhooktest.Sender{URL: server.URL, Signer: webhooktest.HMAC{Scheme: webhook.StandardWebhooks(), Secrets: []string{secret}}}
	event := webhooktest.Event{ID: "msg_1", Body: []byte(`{"type":"verification.completed"}`)}
	fmt.Println(sender.Send(context.Background(), event).Status)
	fmt.Println(sender.Send(context.Background(), event).Status)
	sender.Signer = webhooktest.Unsigned{}
	fmt.Println(sender.Send(context.Background(), event).Status)
	// Output:
	// handled verification.completed
	// 200
	// 200
	// 401
}

// Schemes of providers without a preset.
func ExampleScheme() {
	body := "{body}"
	schemes := []webhook.Scheme{
		{Name: "onfido", SignatureHeader: "X-SHA2-Signature", Signed: body},
		{Name: "sumsub", SignatureHeader: "X-Payload-Digest", AlgorithmHeader: "X-Payload-Digest-Alg", Algorithm: "HMAC_SHA256_HEX", Signed: body},
		{Name: "veriff", SignatureHeader: "X-HMAC-Signature", Signed: body},
		{
			Name: "persona", SignatureHeader: "Persona-Signature",
			Grammar: webhook.GrammarPairs, GroupSeparator: ' ', TimestampKey: "t", SignatureKey: "v1",
			Signed: "{timestamp}.{body}",
		},
	}
	for _, s := range schemes {
		_, err := webhook.NewHMAC(webhook.HMACConfig{Scheme: s, Secrets: []kyckit.Secret{kyckit.NewSecret("from the provider's dashboard")}})
		fmt.Println(s.Name, err)
	}
	// Output:
	// onfido <nil>
	// sumsub <nil>
	// veriff <nil>
	// persona <nil>
}

// A server that demands a client certificate and a signature.
func ExampleClientCert() {
	certificate, err := webhook.NewClientCert(webhook.ClientCertConfig{
		CAFile:   "provider-ca.pem",
		DNSNames: []string{"webhooks.provider.example"},
		OnEvent:  func(e webhook.CertificateEvent) { fmt.Println(e.Kind, e.NotAfter) },
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	handler, err := webhook.NewHandler(webhook.HandlerConfig{
		Authenticate: certificate, // or webhook.All(certificate, signature)
		Handle:       func(context.Context, *webhook.Delivery) error { return nil },
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	server := &http.Server{Addr: ":8443", Handler: handler, TLSConfig: certificate.TLSConfig(nil), ReadTimeout: 15 * time.Second, MaxHeaderBytes: 64 << 10}
	fmt.Println(server.ListenAndServeTLS("server.pem", "server-key.pem"))
	// Output: webhook: client certificate: invalid: CAFile cannot be read: it does not exist
}
