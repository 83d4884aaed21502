package kycjwt

import (
	"crypto/ed25519"
	"errors"
	"strconv"
	"time"

	"github.com/kyckit/kyckit"
	"github.com/kyckit/kyckit/internal/transport"
	"github.com/kyckit/kyckit/webhook"
)

// The documented headers of a delivery.
const (
	signatureHeader = "X-DLT-Signature"
	timestampHeader = "X-DLT-Timestamp"
)

// AuthenticatorConfig says which deliveries to believe.
type AuthenticatorConfig struct {
	// PublicKeys are the keys of the registrations whose events arrive, as
	// Webhook.PublicKey has them: 32 bytes in base64 of either alphabet, padded
	// or not. A delivery must be signed with one of them. Required.
	PublicKeys []string
	// Tolerance is how far the signed timestamp may be from now. Zero means
	// that it is not compared with the clock, because the provider does not
	// document its notation; repeated deliveries are then noticed by EventKey
	// alone. Set it as soon as the notation is known.
	Tolerance time.Duration
	// TimestampUnit is that notation; used together with Tolerance only.
	TimestampUnit webhook.TimestampUnit
	// Now is the clock. Nil means time.Now.
	Now func() time.Time
}

// NewAuthenticator returns what decides whether a delivery may be believed: an
// Ed25519 signature in X-DLT-Signature over X-DLT-Timestamp as received, a full
// stop and the raw body. A signature over the body alone, which one page seems
// to show, is refused. Use it in a webhook handler, with EventKey:
//
//	handler, err := webhook.NewHandler(webhook.HandlerConfig{
//		Authenticate: authenticator,
//		Key:          kycjwt.EventKey,
//		Handle: func(ctx context.Context, d *webhook.Delivery) error {
//			event, err := kycjwt.ParseEvent(d.Body)
//			…
//		},
//	})
//
// A refused setting is a *kyckit.Error of kind ErrInvalid that names it.
func NewAuthenticator(cfg AuthenticatorConfig) (webhook.Authenticator, error) {
	keys := make([]ed25519.PublicKey, 0, len(cfg.PublicKeys))
	for i, text := range cfg.PublicKeys {
		key, err := webhook.ParseEd25519PublicKey(text)
		if err != nil {
			return nil, transport.ConfigError(provider, "PublicKeys["+strconv.Itoa(i)+"]", "must be 32 bytes in base64")
		}
		keys = append(keys, key)
	}
	if cfg.Tolerance < 0 {
		return nil, transport.ConfigError(provider, "Tolerance", "must not be negative")
	}
	a, err := webhook.NewEd25519(webhook.Ed25519Config{
		PublicKeys:      keys,
		SignatureHeader: signatureHeader,
		TimestampHeader: timestampHeader,
		TimestampUnit:   cfg.TimestampUnit,
		Tolerance:       cfg.Tolerance,
		Now:             cfg.Now,
	})
	if err != nil {
		return nil, ownError(err)
	}
	return a, nil
}

// EventKey tells deliveries of the same event by their notification_id, for
// webhook.HandlerConfig.Key: the provider repeats a delivery until it is
// answered with exactly 200.
func EventKey(d *webhook.Delivery) string { return webhook.FieldKey("notification_id")(d) }

// ownError puts this package's name on a configuration error of another one.
func ownError(err error) error {
	var e *kyckit.Error
	if !errors.As(err, &e) {
		return err
	}
	own := *e
	own.Provider = provider
	return &own
}
