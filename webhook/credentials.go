package webhook

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"io"
	"net/textproto"
	"strings"

	"github.com/kyckit/kyckit"
	"github.com/kyckit/kyckit/internal/credential"
)

// Authenticators for providers that sign nothing. They prove that the sender
// knows a fixed credential, not that the body is unchanged: prefer a signature
// or a client certificate, and combine them with All where you can. Each takes
// several credentials for a rotation, compares their hashes in constant time
// and refuses empty ones in its constructor. Refusals are ErrNoSignature when
// there is no credential and ErrBadSignature when it is wrong or given twice.

// maxCredential limits a credential that a sender shows.
const maxCredential = 4096

// hasControl reports control characters, which arrive in no header. Usually it
// is the line end of the file that the credential was read from.
func hasControl(s string) bool {
	return strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f })
}

// BasicConfig configures NewBasic.
type BasicConfig struct {
	// Username is the expected user name. It may not hold a colon. Neither it nor
	// a password may hold control characters.
	Username string
	// Passwords are the accepted passwords. At least one; none empty.
	Passwords []kyckit.Secret
}

// NewBasic returns an Authenticator for HTTP Basic authentication.
func NewBasic(cfg BasicConfig) (Authenticator, error) {
	if cfg.Username == "" || strings.Contains(cfg.Username, ":") || hasControl(cfg.Username) {
		return nil, invalid("basic", "Username must be set and free of colons and control characters")
	}
	a := &staticAuth{name: "basic", refusals: newRefusals("basic"), headers: []string{"Authorization"}}
	for i, p := range cfg.Passwords {
		pair := cfg.Username + ":" + p.Reveal()
		switch {
		case credential.Text(p.Reveal()) != "":
			return nil, invalid("basic", fmt.Sprintf("Passwords[%d] %s", i, credential.Text(p.Reveal())))
		case hasControl(pair):
			return nil, invalid("basic", "Passwords: a password holds a control character, such as a line end")
		case len("Basic ")+base64.StdEncoding.EncodedLen(len(pair)) > maxCredential:
			return nil, invalid("basic", "Passwords: a password is too long")
		}
		a.accept(pair)
	}
	if len(a.sums) == 0 {
		return nil, invalid("basic", "Passwords is empty")
	}
	a.find = func(d *Delivery) (string, error) {
		value, err := a.header(d, "Authorization")
		if err != nil {
			return "", err
		}
		scheme, encoded, _ := strings.Cut(value, " ")
		if !strings.EqualFold(scheme, "Basic") {
			return "", a.noSignature
		}
		pair, decodeErr := base64.StdEncoding.Strict().DecodeString(strings.TrimLeft(encoded, " "))
		if decodeErr != nil {
			return "", a.malformed
		}
		return string(pair), nil
	}
	return a, nil
}

// APIKeyConfig configures NewAPIKey.
type APIKeyConfig struct {
	// Header carries the key. Required.
	Header string
	// Prefix is what stands before the key, for example "Bearer ". It compares
	// exactly.
	Prefix string
	// Keys are the accepted keys. At least one; none empty, and without control
	// characters or spaces around.
	Keys []kyckit.Secret
}

// NewAPIKey returns an Authenticator for a fixed key in a header.
func NewAPIKey(cfg APIKeyConfig) (Authenticator, error) {
	header := textproto.CanonicalMIMEHeaderKey(cfg.Header)
	if !validHeaderName(header) {
		return nil, invalid("api key", "Header must be a header name")
	}
	a := &staticAuth{name: "api key", refusals: newRefusals("api key"), headers: []string{header}}
	for i, k := range cfg.Keys {
		value := cfg.Prefix + k.Reveal()
		switch {
		case credential.Text(k.Reveal()) != "":
			return nil, invalid("api key", fmt.Sprintf("Keys[%d] %s", i, credential.Text(k.Reveal())))
		case hasControl(value) || strings.TrimSpace(value) != value:
			return nil, invalid("api key", "Keys: a key or the Prefix cannot stand in a header, as with a space or line end around it")
		case len(value) > maxCredential:
			return nil, invalid("api key", "Keys: a key is too long")
		}
		a.accept(k.Reveal())
	}
	if len(a.sums) == 0 {
		return nil, invalid("api key", "Keys is empty")
	}
	a.find = func(d *Delivery) (string, error) {
		value, err := a.header(d, header)
		if err != nil {
			return "", err
		}
		key, ok := strings.CutPrefix(value, cfg.Prefix)
		if !ok {
			return "", a.malformed
		}
		return key, nil
	}
	return a, nil
}

// SecretPathConfig configures NewSecretPath.
type SecretPathConfig struct {
	// Prefix is the public part of the path and ends with a slash, for example
	// "/webhooks/faceki/". It compares with the path as the handler sees it: do
	// not let http.StripPrefix cut it off before. Required.
	Prefix string
	// Tokens are the accepted rests of the path: one segment each, at least 16
	// bytes, which is 96 bits in base64. Make them with crypto/rand.
	Tokens []kyckit.Secret
}

// NewSecretPath returns an Authenticator for a path that nobody can guess, the
// last resort for a provider that can be given nothing but an address. Handle
// sees the path without the token. Paths end up in the logs of proxies, so
// treat such a token as less than secret: let the delivery be a hint only, and
// read the truth from the provider's API.
func NewSecretPath(cfg SecretPathConfig) (Authenticator, error) {
	const op = "secret path"
	if !strings.HasPrefix(cfg.Prefix, "/") || !strings.HasSuffix(cfg.Prefix, "/") {
		return nil, invalid(op, "Prefix must begin and end with a slash")
	}
	a := &staticAuth{name: op, refusals: newRefusals(op), prefix: cfg.Prefix}
	for i, t := range cfg.Tokens {
		if reason := credential.Text(t.Reveal()); reason != "" {
			return nil, invalid(op, fmt.Sprintf("Tokens[%d] %s", i, reason))
		}
		if token := t.Reveal(); len(token) < 16 || len(token) > maxCredential || strings.ContainsAny(token, "/?#% ") || hasControl(token) {
			return nil, invalid(op, "Tokens: a token must be one path segment of at least 16 bytes, without spaces or line ends")
		}
		a.accept(t.Reveal())
	}
	if len(a.sums) == 0 {
		return nil, invalid(op, "Tokens is empty")
	}
	a.find = func(d *Delivery) (string, error) {
		if d.URL == nil {
			return "", a.noSignature
		}
		token, ok := strings.CutPrefix(d.URL.Path, cfg.Prefix)
		switch {
		case !ok || token == "":
			return "", a.noSignature
		case len(token) > maxCredential:
			return "", a.malformed
		}
		return token, nil
	}
	return a, nil
}

// staticAuth compares what a delivery shows with fixed credentials. It keeps
// only their hashes, and those in closures, which nothing can print.
type staticAuth struct {
	name    string
	sums    []func() [sha256.Size]byte
	find    func(*Delivery) (string, error)
	headers []string // where the credential stands
	prefix  string   // of the path in which it stands
	refusals
}

func (a *staticAuth) accept(credential string) {
	sum := sha256.Sum256([]byte(credential))
	a.sums = append(a.sums, func() [sha256.Size]byte { return sum })
}

// header returns the one value of a header.
func (a *staticAuth) header(d *Delivery, name string) (string, error) {
	value, n := single(d, name)
	switch {
	case n == 0 || n == 1 && value == "":
		return "", a.noSignature
	case n > 1:
		return "", a.repeated
	case len(value) > maxCredential:
		return "", a.malformed
	}
	return value, nil
}

// Name returns what kind of credential is checked.
func (a *staticAuth) Name() string { return a.name }

// Format prints the name.
func (a *staticAuth) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, a.name) }

// AuthenticateHead is the whole check: it needs no body.
func (a *staticAuth) AuthenticateHead(d *Delivery) error { return a.Authenticate(d) }

// conceal keeps the credential from Handle, which has no use for it.
func (a *staticAuth) conceal(d *Delivery) {
	d.concealHeaders(a.headers...)
	if a.prefix != "" {
		d.concealPathAfter(a.prefix)
	}
}

// Authenticate implements Authenticator.
func (a *staticAuth) Authenticate(d *Delivery) error {
	a.conceal(d)
	shown, err := a.find(d)
	if err != nil {
		return err
	}
	sum := sha256.Sum256([]byte(shown))
	fitted := 0
	for i, want := range a.sums {
		want := want()
		fitted = subtle.ConstantTimeSelect(subtle.ConstantTimeCompare(sum[:], want[:]), i+1, fitted)
	}
	if fitted == 0 {
		return a.badSignature
	}
	d.secret = fitted
	return nil
}
