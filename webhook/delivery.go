package webhook

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/kyckit/kyckit"
)

// Delivery is one incoming webhook call. The handler builds it; authenticators
// judge it; Handle receives it. Header, URL and Body belong to the delivery and
// are not changed by the handler after Handle was called.
//
// It is full of personal data and credentials, so it prints redacted.
type Delivery struct {
	kyckit.Redacted

	// Method is the HTTP method.
	Method string
	// URL is the request target as the server parsed it. Usually it has no
	// host. Handle sees it without the token of NewSecretPath.
	URL *url.URL
	// Header holds the request's header lines. Handle sees it without
	// Authorization and Proxy-Authorization, without the headers that carried
	// the credential of NewBasic and NewAPIKey, and without those in which a
	// proxy forwards a certificate.
	Header http.Header
	// TLS is the state of the connection, nil without TLS. Behind a proxy that
	// ends TLS it speaks of the proxy.
	TLS *tls.ConnectionState
	// RemoteAddr is the address of the TCP peer as http.Request has it. A
	// middleware that overwrites it from a header must not run before the
	// handler when ProxyCert is used.
	RemoteAddr string
	// LocalAddr is the address the connection was accepted on, nil when
	// unknown. By it a unix socket is recognised.
	LocalAddr net.Addr
	// Body is the raw body.
	Body []byte
	// ReceivedAt is when the handler had read the body. Authenticators without
	// a clock of their own judge timestamps by it; zero means now.
	ReceivedAt time.Time

	// ID is the delivery's own id, set by an authenticator that found it under
	// the signature. It is empty otherwise: an id nobody signed proves nothing.
	ID string
	// Timestamp is the signed time of sending, zero when there is none.
	Timestamp time.Time
	// Certificate is the client certificate that an authenticator accepted,
	// the sender's own also when a proxy forwarded it. Nil when none was.
	Certificate *x509.Certificate
	// Layers tells for every authenticator that was asked what it said, in
	// order, for the log.
	Layers []Layer

	checked   []byte     // the body that has passed DecodeStrict and would for every v
	via       string     // which layer of each Any has accepted it
	secret    int        // which secret of the last authenticator fitted, from 1
	concealed *concealed // nil once it is done
}

// Decode decodes the body as DecodeStrict does. A body that the handler has
// checked already is not checked again, unless it has keys in one object that
// differ only by case: it is recognised by its place in memory, so a body that
// Handle has put in its place is checked.
func (d *Delivery) Decode(v any) error {
	if n := len(d.Body); n > 0 && n == len(d.checked) && &d.Body[0] == &d.checked[0] {
		return decodeChecked(d.Body, v)
	}
	return DecodeStrict(d.Body, v)
}

// MarshalJSON encodes "[redacted]", so that a delivery cannot be logged by way of
// JSON. To keep a delivery, keep its fields.
func (Delivery) MarshalJSON() ([]byte, error) { return []byte(`"[redacted]"`), nil }

// now is the time by which the delivery's timestamp is judged.
func (d *Delivery) now(clock func() time.Time) time.Time {
	switch {
	case clock != nil:
		return clock()
	case !d.ReceivedAt.IsZero():
		return d.ReceivedAt
	}
	return time.Now()
}

// proof is what authenticators establish about a delivery. A policy takes it
// back when the layer that established it is overruled.
type proof struct {
	id          string
	timestamp   time.Time
	certificate *x509.Certificate
	via         string
}

func (d *Delivery) proof() proof { return proof{d.ID, d.Timestamp, d.Certificate, d.via} }

func (d *Delivery) restore(p proof) {
	d.ID, d.Timestamp, d.Certificate, d.via = p.id, p.timestamp, p.certificate, p.via
}

// BodyKey returns a key made of the SHA-256 of the body and, under Any, of the
// position of the layer that accepted the delivery, so that one sender cannot
// suppress the delivery of another. It is what a handler deduplicates by when a
// delivery has no signed id: a replay has the same body, whatever the sender
// writes into headers that nobody signed.
func BodyKey(d *Delivery) string {
	sum := sha256.Sum256(d.Body)
	var text [2 + 43]byte
	copy(text[:], "b:")
	base64.RawURLEncoding.Encode(text[2:], sum[:])
	return d.via + string(text[:])
}

// FieldKey returns a Key function that deduplicates by a text or number at the
// top level of the JSON body, such as "notification_id" or the "id" of a
// CloudEvent. Names compare exactly. Under Any the layer that accepted the
// delivery is part of the key, as in BodyKey. A body without that field, or with an
// empty one, is deduplicated by BodyKey. Use it only where the signature covers
// the body.
func FieldKey(name string) func(*Delivery) string {
	return func(d *Delivery) string {
		var fields map[string]json.RawMessage
		if d.Decode(&fields) != nil {
			return BodyKey(d)
		}
		raw := fields[name]
		var text string
		if json.Unmarshal(raw, &text) != nil {
			var number json.Number
			if json.Unmarshal(raw, &number) != nil {
				return BodyKey(d)
			}
			text = number.String()
		}
		if text == "" {
			return BodyKey(d)
		}
		return d.via + "f:" + text
	}
}

// defaultKey is the key of a handler that was given none.
func defaultKey(d *Delivery) string {
	if d.ID != "" {
		return d.via + "i:" + d.ID
	}
	return BodyKey(d)
}
