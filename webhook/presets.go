package webhook

// StandardWebhooks returns the scheme of the Standard Webhooks specification:
// headers webhook-id, webhook-timestamp and webhook-signature, signature
// "v1,<base64>" over id.timestamp.body, secret in base64 after "whsec_".
// For Svix, change the three headers to svix-id, svix-timestamp and
// svix-signature.
//
// Source: github.com/standard-webhooks/standard-webhooks, spec.
func StandardWebhooks() Scheme {
	return Scheme{
		Name:            "standard-webhooks",
		SignatureHeader: "Webhook-Signature",
		Grammar:         GrammarVersioned,
		SignatureKey:    "v1",
		Encoding:        Base64,
		SecretEncoding:  Base64,
		SecretPrefix:    "whsec_",
		Signed:          "{id}.{timestamp}.{body}",
		TimestampHeader: "Webhook-Timestamp",
		IDHeader:        "Webhook-Id",
	}
}

// Stripe returns the scheme of Stripe: header Stripe-Signature with
// "t=<seconds>,v1=<hex>", several v1 while a secret is rolled, over
// timestamp.body; the secret is used as it is, "whsec_" included.
//
// Source: docs.stripe.com/webhooks, "Verify webhook signatures manually".
func Stripe() Scheme {
	return Scheme{
		Name:            "stripe",
		SignatureHeader: "Stripe-Signature",
		Grammar:         GrammarPairs,
		SignatureKey:    "v1",
		TimestampKey:    "t",
		Signed:          "{timestamp}.{body}",
	}
}

// GitHub returns the scheme of GitHub: header X-Hub-Signature-256 with
// "sha256=<hex>" over the body. Nothing but the body is signed, so a replay is
// only noticed by the handler's claims.
//
// Source: docs.github.com, "Validating webhook deliveries".
func GitHub() Scheme {
	return Scheme{
		Name:            "github",
		SignatureHeader: "X-Hub-Signature-256",
		Prefix:          "sha256=",
		Signed:          "{body}",
	}
}

// Slack returns the scheme of Slack: headers X-Slack-Signature with "v0=<hex>"
// and X-Slack-Request-Timestamp, over v0:timestamp:body. Slash commands and
// interactions are forms, so their handler needs HandlerConfig.AnyBody.
//
// Source: api.slack.com, "Verifying requests from Slack".
func Slack() Scheme {
	return Scheme{
		Name:            "slack",
		SignatureHeader: "X-Slack-Signature",
		Prefix:          "v0=",
		Signed:          "v0:{timestamp}:{body}",
		TimestampHeader: "X-Slack-Request-Timestamp",
	}
}

// CafConnect returns the scheme of Caf Connect: header X-Caf-Signature with the
// hex HMAC over the body. There is no timestamp; deduplicate by the event's id
// with FieldKey("id"). Which secret is the key, the application's or the
// webhook's own, Caf's pages tell differently. Caf may send deliveries with a
// bad signature on purpose and expects them refused.
//
// Source: docs.caf.io/caf-api/caf-connect/webhook/signature.
func CafConnect() Scheme {
	return Scheme{
		Name:            "caf-connect",
		SignatureHeader: "X-Caf-Signature",
		Signed:          "{body}",
	}
}
