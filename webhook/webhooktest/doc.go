// Package webhooktest helps to test receivers of webhooks: signers for every
// scheme the webhook package verifies, a certificate authority in memory that
// also makes every kind of bad certificate, fake proxies that forward client
// certificates, and a sender that repeats, reorders and forges deliveries.
//
// Constructors that take a testing.TB end the test when they cannot do their
// work. Everything is safe for concurrent use unless it says otherwise.
package webhooktest
