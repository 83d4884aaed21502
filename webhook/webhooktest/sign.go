package webhooktest

import (
	"crypto"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"hash"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/kyckit/kyckit/webhook"
)

// Signer signs a request as a provider would, by setting its headers.
type Signer interface {
	Sign(r *http.Request, id string, at time.Time, body []byte) error
}

// HMAC signs by any webhook.Scheme. It is written apart from the verifier, so
// that the two check each other.
type HMAC struct {
	// Scheme is how to sign.
	Scheme webhook.Scheme
	// Secrets are the secrets as the scheme writes them; a signature is made
	// with each, where the grammar allows several.
	Secrets []string
	// KeyID is sent where the scheme names keys.
	KeyID string
	// PublicURL is signed where the scheme has it.
	PublicURL string
}

// field is a field of a scheme's template.
var field = regexp.MustCompile(`\{[^{}]*\}`)

// Sign implements Signer.
func (s HMAC) Sign(r *http.Request, id string, at time.Time, body []byte) error {
	sc := s.Scheme
	timestamp := strconv.FormatInt(at.Unix(), 10)
	switch sc.TimestampUnit {
	case webhook.UnixMillis:
		timestamp = strconv.FormatInt(at.UnixMilli(), 10)
	case webhook.RFC3339:
		timestamp = at.UTC().Format(time.RFC3339)
	}
	if sc.TimestampHeader != "" {
		r.Header.Set(sc.TimestampHeader, timestamp)
	}
	if sc.IDHeader != "" {
		r.Header.Set(sc.IDHeader, id)
	}
	if sc.AlgorithmHeader != "" {
		r.Header.Set(sc.AlgorithmHeader, sc.Algorithm)
	}
	sum := sha256.Sum256(body)
	content := field.ReplaceAllStringFunc(sc.Signed, func(name string) string {
		switch name {
		case "{body}":
			return string(body)
		case "{bodySHA256}":
			return hex.EncodeToString(sum[:])
		case "{timestamp}":
			return timestamp
		case "{id}":
			return id
		case "{method}":
			return r.Method
		case "{path}":
			return r.URL.EscapedPath()
		case "{query}":
			return r.URL.RawQuery
		case "{url}":
			return s.PublicURL
		}
		header := strings.TrimSuffix(strings.TrimPrefix(name, "{header:"), "}")
		return r.Header.Get(header)
	})
	var sigs []string
	for _, secret := range s.Secrets {
		sig, err := s.one(secret, content)
		if err != nil {
			return err
		}
		sigs = append(sigs, sig)
	}
	if len(sigs) == 0 {
		return errors.New("webhooktest: no secret")
	}
	r.Header.Set(sc.SignatureHeader, sc.Prefix+s.header(timestamp, sigs))
	return nil
}

// header writes the signatures in the scheme's grammar.
func (s HMAC) header(timestamp string, sigs []string) string {
	sc := s.Scheme
	or := func(c, standard byte) string {
		if c == 0 {
			c = standard
		}
		return string(rune(c))
	}
	switch sc.Grammar {
	case webhook.GrammarPairs:
		var items []string
		pair := func(key, value string) {
			if key == "" {
				return
			}
			if sc.Quoted {
				value = `"` + value + `"`
			}
			items = append(items, key+or(sc.Assign, '=')+value)
		}
		pair(sc.TimestampKey, timestamp)
		pair(sc.KeyIDKey, s.KeyID)
		pair(sc.AlgorithmKey, sc.Algorithm)
		for _, sig := range sigs {
			pair(sc.SignatureKey, sig)
		}
		return strings.Join(items, or(sc.Separator, ','))
	case webhook.GrammarVersioned:
		items := make([]string, len(sigs))
		for i, sig := range sigs {
			items[i] = sc.SignatureKey + or(sc.Assign, ',') + sig
		}
		return strings.Join(items, or(sc.Separator, ' '))
	case webhook.GrammarKeyed:
		return strings.Join([]string{s.KeyID, sc.Algorithm, sigs[0]}, or(sc.Separator, ':'))
	}
	return sigs[0]
}

func (s HMAC) one(secret, content string) (string, error) {
	text := strings.TrimPrefix(secret, s.Scheme.SecretPrefix)
	key := []byte(text)
	var err error
	switch s.Scheme.SecretEncoding {
	case webhook.Hex:
		key, err = hex.DecodeString(text)
	case webhook.Base64:
		key, err = base64.StdEncoding.DecodeString(text)
	case webhook.Base64URL:
		key, err = base64.RawURLEncoding.DecodeString(strings.TrimRight(text, "="))
	}
	if err != nil {
		return "", errors.New("webhooktest: the secret cannot be decoded")
	}
	hashes := map[crypto.Hash]func() hash.Hash{
		0: sha256.New, crypto.SHA1: sha1.New, crypto.SHA256: sha256.New, crypto.SHA384: sha512.New384, crypto.SHA512: sha512.New,
	}
	newHash := hashes[s.Scheme.Hash]
	if newHash == nil {
		return "", errors.New("webhooktest: the scheme's hash is unknown")
	}
	mac := hmac.New(newHash, key)
	mac.Write([]byte(content))
	switch s.Scheme.Encoding {
	case webhook.Base64:
		return base64.StdEncoding.EncodeToString(mac.Sum(nil)), nil
	case webhook.Base64URL:
		return base64.RawURLEncoding.EncodeToString(mac.Sum(nil)), nil
	}
	return hex.EncodeToString(mac.Sum(nil)), nil
}

// Ed25519 signs timestamp, full stop and body.
type Ed25519 struct {
	PrivateKey                       ed25519.PrivateKey
	SignatureHeader, TimestampHeader string
}

// Sign implements Signer.
func (s Ed25519) Sign(r *http.Request, _ string, at time.Time, body []byte) error {
	if len(s.PrivateKey) != ed25519.PrivateKeySize {
		return errors.New("webhooktest: no private key")
	}
	timestamp := strconv.FormatInt(at.Unix(), 10)
	r.Header.Set(s.TimestampHeader, timestamp)
	r.Header.Set(s.SignatureHeader, base64.RawURLEncoding.EncodeToString(ed25519.Sign(s.PrivateKey, append([]byte(timestamp+"."), body...))))
	return nil
}

// Unsigned adds nothing, for providers that sign nothing.
type Unsigned struct{}

// Sign implements Signer.
func (Unsigned) Sign(*http.Request, string, time.Time, []byte) error { return nil }
