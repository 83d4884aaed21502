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
// # Schemes of known senders
//
// Each is a Scheme: SignatureHeader, Signed, and what else has to be set. The
// tests have every one with a published signature or one of the sender's own
// library, where there is one.
//
//	Stripe             Stripe-Signature                   "{timestamp}.{body}"              preset
//	GitHub             X-Hub-Signature-256                "{body}"                          preset
//	Meta               X-Hub-Signature-256                "{body}"                          GitHub's preset
//	Slack              X-Slack-Signature                  "v0:{timestamp}:{body}"           preset
//	Standard Webhooks  Webhook-Signature                  "{id}.{timestamp}.{body}"         preset
//	Svix               Svix-Signature                     "{id}.{timestamp}.{body}"         the preset with other headers
//	Shopify            X-Shopify-Hmac-Sha256              "{body}"                          base64
//	Sumsub             X-Payload-Digest                   "{body}"                          AlgorithmHeader
//	Onfido             X-SHA2-Signature                   "{body}"
//	Veriff             X-HMAC-Signature                   "{body}"
//	iDenfy             Idenfy-Signature                   "{body}"
//	ComplyCube         ComplyCube-Signature               "{body}"
//	Persona            Persona-Signature                  "{timestamp}.{body}"              pairs in groups
//	Zoom               X-Zm-Signature                     "v0:{timestamp}:{body}"           prefix v0=
//	Paddle             Paddle-Signature                   "{timestamp}:{body}"              pairs, separator ;
//	Square             X-Square-HmacSha256-Signature      "{url}{body}"                     base64
//	Adyen platform     HmacSignature                      "{body}"                          base64, secret in hex
//	Twitch             Twitch-Eventsub-Message-Signature  "{id}{timestamp}{body}"           RFC 3339, prefix sha256=
//	Zendesk            X-Zendesk-Webhook-Signature        "{timestamp}{body}"               RFC 3339, base64
//	HubSpot            X-HubSpot-Signature-v3             "{method}{url}{body}{timestamp}"  milliseconds, base64
//	Teams              Authorization                      "{body}"                          prefix HMAC, base64, secret in base64
//	DocuSign           X-DocuSign-Signature-1             "{body}"                          base64; -2 and on for further keys
//
// Not by a Scheme: Twilio signs the form's sorted fields, Mailgun and ShuftiPro
// put the signature into the body or hash the secret behind it, Plaid sends a
// signed JWT. Write an AuthenticatorFunc for them.
//
// Some senders ask a question before the first delivery: Meta and Microsoft
// Graph want a text back, Zoom its HMAC. See the example "Challenge".
//
// # Who needs a key of its own
//
// Deliveries are told apart by their signed id, under Any with the position of
// the layer that accepted them, else by the SHA-256 of their body, or by
// HandlerConfig.Key. An id in a header that is not signed is never used: whoever
// replays a delivery could change it. So a sender that signs no id and says the
// same thing twice, for two changes, needs a Key:
//
//	FACEKI        faceki.EventKey: a decision that goes back and forth has the same body again
//	Caf Connect   FieldKey("id")
//	Nafath        none: its events are hints, after which the poller asks
//	GitHub, Meta, Shopify, Slack, Onfido, Veriff, Sumsub   FieldKey with the event's id, where the body has one
//
// A Handle that only asks the provider for the truth, and may do so any number
// of times, needs no deduplication at all: HandlerConfig.EveryCopy.
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
