package webhook_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"time"

	"github.com/kyckit/kyckit"
	"github.com/kyckit/kyckit/webhook"
	"github.com/kyckit/kyckit/webhook/webhooktest"
)

// exampleCA makes a CA and a client certificate. In a test of your own,
// webhooktest.NewTestCA does it.
func exampleCA() (caPEM []byte, leaf *x509.Certificate) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	ca := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "provider CA"}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	caDER, err := x509.CreateCertificate(rand.Reader, ca, ca, key.Public(), key)
	if err != nil {
		panic(err)
	}
	if ca, err = x509.ParseCertificate(caDER); err != nil {
		panic(err)
	}
	leafDER, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber: big.NewInt(2), DNSNames: []string{"webhooks.provider.example"}, NotBefore: ca.NotBefore, NotAfter: ca.NotAfter,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}, ca, key.Public(), key)
	if err != nil {
		panic(err)
	}
	if leaf, err = x509.ParseCertificate(leafDER); err != nil {
		panic(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: caDER}), leaf
}

// A client certificate behind nginx. The server block of nginx has
//
//	ssl_client_certificate /etc/nginx/provider-ca.pem;
//	ssl_verify_client      on;
//	ssl_verify_depth       3;
//	location /webhooks/ {
//		proxy_pass http://10.0.0.7:8080;
//		proxy_set_header X-SSL-Client-Cert   $ssl_client_escaped_cert;
//		proxy_set_header X-SSL-Client-Verify $ssl_client_verify;
//	}
func ExampleNewProxyCert() {
	caPEM, sender := exampleCA()
	certificate, err := webhook.NewProxyCert(webhook.ProxyCertConfig{
		Format:  webhook.ProxyNginx,
		Trusted: []netip.Prefix{netip.MustParsePrefix("10.0.0.5/32")}, // nginx, as this process sees it
		Certificate: webhook.ClientCertConfig{
			CA:       caPEM, // or CAFile
			DNSNames: []string{"webhooks.provider.example"},
		},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	handler, err := webhook.NewHandler(webhook.HandlerConfig{
		Authenticate: certificate, // or webhook.All(certificate, signature)
		Handle:       func(context.Context, *webhook.Delivery) error { return nil },
		OnResult:     func(_ context.Context, r webhook.Result) { fmt.Println(r.Status, r.Outcome, r.Err) },
	})
	if err != nil {
		fmt.Println(err)
		return
	}

	// What nginx makes of a delivery, and the same from a stranger inside.
	for _, peer := range []string{"10.0.0.5:40000", "10.0.0.66:40000"} {
		r := httptest.NewRequest(http.MethodPost, "/webhooks/provider", bytes.NewReader([]byte(`{}`)))
		r.Header = webhooktest.Forward(webhook.ProxyNginx, sender)
		r.RemoteAddr = peer
		handler.ServeHTTP(httptest.NewRecorder(), r)
	}
	// Output:
	// 200 handled <nil>
	// 401 refused webhook: proxy certificate: unauthorized: untrusted proxy: the peer's address is not trusted
}

// Senders are answered at once, and a shutdown loses nothing that was accepted.
func ExampleQueue_Shutdown() {
	queue, err := webhook.NewQueue(webhook.QueueConfig{
		Workers: 1,
		OnFailure: func(_ context.Context, d *webhook.Delivery, err error) {
			// The sender will not send it again: keep d.Body for a person to look at.
			fmt.Println("given up:", len(d.Body), "bytes,", errors.Is(err, webhook.ErrMalformed))
		},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	key, err := webhook.NewAPIKey(webhook.APIKeyConfig{Header: "X-Api-Key", Keys: []kyckit.Secret{kyckit.NewSecret("made-up")}})
	if err != nil {
		fmt.Println(err)
		return
	}
	handler, err := webhook.NewHandler(webhook.HandlerConfig{
		Authenticate: key,
		Queue:        queue,
		Handle: func(_ context.Context, d *webhook.Delivery) error {
			var event struct{ Type string }
			if err := d.Decode(&event); err != nil {
				return err // is ErrMalformed: not tried again
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
	sender := webhooktest.Sender{URL: server.URL, Header: http.Header{"X-Api-Key": {"made-up"}}}
	for _, body := range []string{`{"type":"first"}`, `{"type":2}`} {
		if a := sender.Send(context.Background(), webhooktest.Event{Body: []byte(body)}); a.Status != http.StatusOK {
			fmt.Println(a.Status, a.Err)
		}
	}

	// First the server, so that nothing more arrives, then the queue, then
	// what Handle uses, such as a nafath.Poller.
	server.Close() // of your own: http.Server.Shutdown
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	fmt.Println(queue.Shutdown(ctx))
	// Output:
	// handled first
	// given up: 10 bytes, true
	// <nil>
}
