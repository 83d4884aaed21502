// Package webhooktest helps to test receivers of webhooks: signers for every
// scheme the webhook package verifies, a certificate authority in memory that
// also makes every kind of bad certificate, fake proxies that forward client
// certificates, and a sender that repeats, reorders and forges deliveries.
//
// The example of [Sender] shows deliveries. A [CA] makes client certificates, good and
// bad:
//
//	ca := webhooktest.NewTestCA(t, "provider CA")
//	rule, err := webhook.NewClientCert(webhook.ClientCertConfig{CA: ca.PEM(), DNSNames: []string{"hooks.provider.test"}})
//	…                              // a receiver with rule.TLSConfig and rule as its Authenticator
//	names := webhooktest.Leaf{DNSNames: []string{"hooks.provider.test"}}
//	good := ca.Issue(names).TLS()  // for the sender's tls.Config
//	for _, kind := range webhooktest.BadCerts() {
//		bad := ca.Bad(kind, names).TLS() // must be refused
//	}
//
// NewTestCA and NewTestProxy are for tests, which they end when they cannot do
// their work; NewCA and NewProxy are the same for other programs and return
// errors. Everything is safe for concurrent use unless it says otherwise.
package webhooktest
