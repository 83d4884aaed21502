// Package webhook decides whether an incoming delivery may be believed, and
// hands it on once. It knows no provider: providers say what a delivery means,
// this package who sent it.
//
//	signature, err := webhook.NewHMAC(webhook.HMACConfig{
//		Scheme:  webhook.StandardWebhooks(),
//		Secrets: []kyckit.Secret{current, previous},
//	})
//	…
//	handler, err := webhook.NewHandler(webhook.HandlerConfig{
//		Authenticate: signature,
//		Handle: func(ctx context.Context, d *webhook.Delivery) error {
//			var event Event
//			if err := d.Decode(&event); err != nil {
//				return err
//			}
//			return store(ctx, event)
//		},
//	})
//	…
//	http.Handle("POST /webhooks/provider", handler)
//
// # Authenticators
//
//	NewHMAC         a shared secret, by a Scheme: presets for Standard Webhooks (and Svix), Stripe, GitHub, Slack, Caf Connect
//	NewEd25519      a public key, over timestamp, full stop and body
//	NewClientCert   a client certificate, where TLS ends in this process
//	NewProxyCert    a client certificate that a proxy forwards: nginx, Envoy, AWS ALB, RFC 9440, Traefik, HAProxy, Apache, plain base64
//	NewBasic, NewAPIKey, NewSecretPath   a fixed credential, for providers that sign nothing
//	All, Any        several of them
//
// Schemes of other providers are written with the fields of Scheme; the package
// examples have Onfido's, Sumsub's, Veriff's and Persona's.
//
// # What a delivery goes through
//
// Limits, then whatever can be judged before the body is read (a certificate,
// the presence of a signature), then the body, read once into a capped buffer,
// the signature over its raw bytes, the signed timestamp in both directions,
// one strict JSON value, a claim on its key, Handle, and the commit. Anything
// else ends in one plain status for the sender and one typed error for the log:
//
//	200  handled, queued, or handled before
//	400  the body is not what it should be; a retry would not help
//	401  not authenticated, whatever the reason
//	405, 413
//	503  with Retry-After: the store or Handle failed, the queue is full, or the same delivery is being handled
//
// Deliveries are told apart by their signed id, else by the SHA-256 of their
// body, or by HandlerConfig.Key. An id in a header that is not signed is never
// used: whoever replays a delivery could change it.
//
// # Errors
//
// Refusals and refused configurations are [*kyckit.Error], a policy's refusal is
// [*PolicyError]; ask with errors.Is for the sentinels of this package,
// kyckit.ErrUnauthorized and kyckit.ErrInvalid. No error of this package quotes
// a delivery. Errors of Handle are the caller's own: they are handed to
// OnResult, and logged by their type alone unless this module made them.
//
// # Retries
//
// The package calls nobody, so it retries nothing but Commit, and Handle where
// a Queue is used. Retrying is the sender's, which is told to by 503.
//
// # Concurrency
//
// Everything is safe for concurrent use. Nothing owns a goroutine at rest; a
// Queue has some while it has work and none after Shutdown.
//
// # What is logged
//
// With HandlerConfig.Logger one record a request: outcome, status, size,
// duration, each layer's name and result, and the reason of a refusal. Never a
// header, a body, a key, an id, an address or anything of a certificate.
//
// # Documented and assumed
//
//	Standard Webhooks, Stripe, GitHub, Slack   documented; vectors in the tests
//	Caf Connect                                header, hash and encoding documented; which secret is the key is not clear
//	Ed25519 with X-DLT-Signature               documented; how its timestamp is written is not, so its tolerance is off by default
//	Nafsi (Nafath) HMAC                        only "optional" is documented: describe it by a Scheme once Nafsi tells it
//	Nafsi (Nafath) client certificate          CA and names are not documented: pin what Nafsi gives you
//	Nafsi (Nafath) delivery                    POST, PUT or PATCH, any 2xx within 30 s: documented; whether it is repeated is not
//	FACEKI                                     signs nothing: NewSecretPath or NewBasic, and read the truth from its API
//	proxies                                    header formats documented by each proxy; nginx, HAProxy, Apache and Caddy are run in the tests
package webhook
