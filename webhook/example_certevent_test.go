package webhook_test

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/http"
	"time"

	"github.com/kyckit/kyckit/webhook"
)

// A provider that renews its certificate with another name is refused in the
// handshake: no request comes of it, so OnEvent is the place to hear of it.
func ExampleCertificateEvent() {
	caPEM, renewed := exampleCA() // for webhooks.provider.example
	rule, err := webhook.NewClientCert(webhook.ClientCertConfig{
		CA:       caPEM,
		DNSNames: []string{"hooks.provider.example"},
		OnEvent: func(e webhook.CertificateEvent) {
			switch e.Kind {
			case webhook.EventRefused: // e.Fingerprint tells which certificate
				fmt.Printf("%d × %s: %v\n", e.Count, e.Reason, e.Err)
			case webhook.EventRolledBack, webhook.EventReloadFailed:
				fmt.Println("look at the files:", e.Err)
			}
		},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	server := &http.Server{TLSConfig: rule.TLSConfig(nil), ReadTimeout: 10 * time.Second} // and Handler
	// What a handshake of that sender does:
	_ = server.TLSConfig.VerifyConnection(tls.ConnectionState{PeerCertificates: []*x509.Certificate{renewed}})
	// Output:
	// 1 × wrong name: webhook: client certificate: unauthorized: client certificate refused: its DNS names are not pinned
}
