package auth

import (
	"cmp"
	"crypto"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"hash"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"github.com/kyckit/kyckit"
	"github.com/kyckit/kyckit/internal/credential"
	"github.com/kyckit/kyckit/internal/transport"
)

const (
	opMint        = "mint"
	defaultMaxTTL = 24 * time.Hour
	// maxPersonID bounds a personId; national numbers have 9 to 14 characters.
	maxPersonID = 64
	maxIssuer   = 1024

	jwtHeader = `{"alg":"HS256","typ":"JWT"}`
)

// MinterConfig configures a [Minter].
type MinterConfig struct {
	kyckit.Redacted
	// Issuer is the iss claim, the client id: 1 to 1,024 bytes of UTF-8.
	// Required.
	Issuer string
	// Secret is the HMAC key, used as its raw bytes: what begins with a byte
	// order mark or ends in a blank is refused, and in FIPS 140-only mode what is
	// shorter than 14 bytes. Required.
	Secret kyckit.Secret
	// MaxTTL is the longest lifetime Mint accepts. Zero means 24 h.
	MaxTTL time.Duration
}

// Minter builds access tokens for single users locally: JWTs signed with
// HS256 that hold iss, exp and personId. It is immutable and safe for
// concurrent use; its key cannot be printed.
type Minter struct {
	kyckit.Redacted
	maxTTL time.Duration
	signer *signer // its keys are out of reach of anything that walks structures
}

// NewMinter returns a Minter.
func NewMinter(cfg MinterConfig) (*Minter, error) {
	maxTTL, secret := cmp.Or(cfg.MaxTTL, defaultMaxTTL), cfg.Secret.Reveal()
	if reason := cmp.Or(credential.Text(secret), credential.HMAC(crypto.SHA256, len(secret))); reason != "" {
		return nil, transport.ConfigError(provider, "Secret", reason)
	}
	if reason := credential.Text(cfg.Issuer); reason != "" {
		return nil, transport.ConfigError(provider, "Issuer", reason)
	}
	switch {
	case !utf8.ValidString(cfg.Issuer):
		return nil, transport.ConfigError(provider, "Issuer", "must be UTF-8")
	case len(cfg.Issuer) > maxIssuer:
		return nil, transport.ConfigError(provider, "Issuer", "is too long")
	case maxTTL < time.Second:
		return nil, transport.ConfigError(provider, "MaxTTL", "must be at least a second")
	}
	issuer, err := json.Marshal(cfg.Issuer)
	if err != nil {
		return nil, transport.ConfigError(provider, "Issuer", "cannot be encoded")
	}
	return &Minter{
		maxTTL: maxTTL,
		signer: newSigner([]byte(secret), `{"iss":`+string(issuer)+`,"exp":`),
	}, nil
}

// Mint returns a token for one person that expires after ttl, cut to the full
// second. ttl is from one second to MaxTTL. personID is 1 to 64 of the
// characters A-Z a-z 0-9 . - _, which covers a CPF with and without
// punctuation; it is not checked further. The error is a *kyckit.Error of kind
// [kyckit.ErrInvalid].
func (m *Minter) Mint(personID string, ttl time.Duration) (Token, error) {
	if !validPersonID(personID) {
		return Token{}, transport.InputError(provider, opMint, "personId must be 1 to 64 of the characters A-Z a-z 0-9 . - _")
	}
	return m.mint(personID, ttl)
}

// MintUnbound returns a token without a personId, which is good for every
// person. It is for calls that a backend makes itself and for tests; an app
// gets a token of [Minter.Mint]. The limits of ttl and the error are the same.
func (m *Minter) MintUnbound(ttl time.Duration) (Token, error) {
	return m.mint("", ttl)
}

// Minted returns how many tokens were minted so far, for a metric.
func (m *Minter) Minted() uint64 {
	if m == nil || m.signer == nil {
		return 0
	}
	return m.signer.minted.Load()
}

func (m *Minter) mint(personID string, ttl time.Duration) (Token, error) {
	switch {
	case m == nil || m.signer == nil:
		return Token{}, transport.InputError(provider, opMint, "the Minter was not made by NewMinter")
	case ttl < time.Second:
		return Token{}, transport.InputError(provider, opMint, "ttl must be at least a second")
	case ttl > m.maxTTL:
		return Token{}, transport.InputError(provider, opMint, "ttl is above MaxTTL")
	}
	exp := time.Now().Add(ttl).Unix()
	m.signer.minted.Add(1)
	return Token{Access: kyckit.NewSecret(m.signer.sign(personID, exp)), Type: bearer, Expiry: time.Unix(exp, 0)}, nil
}

// validPersonID accepts only characters that stand for themselves in JSON.
func validPersonID(s string) bool {
	if s == "" || len(s) > maxPersonID {
		return false
	}
	for i := range len(s) {
		c := s[i]
		digit, letter := c-'0' < 10, c|0x20-'a' < 26
		if !digit && !letter && c != '.' && c != '-' && c != '_' {
			return false
		}
	}
	return true
}

// signer holds what is the same in every token: the encoded beginning and the
// key, hashed. The key itself lives in the pool's closure, keyed states in the
// pool.
type signer struct {
	prefix string // encoded header, dot, encoded beginning of the claims
	rest   string // the one or two bytes of the beginning that do not fill a base64 group
	states sync.Pool
	minted atomic.Uint64
}

// state is what one token is built in.
type state struct {
	mac    hash.Hash
	claims []byte // in clear, from signer.rest on
	token  []byte
	sum    [sha256.Size]byte
}

func newSigner(key []byte, claims string) *signer {
	whole := len(claims) / 3 * 3
	s := &signer{
		prefix: base64.RawURLEncoding.EncodeToString([]byte(jwtHeader)) + "." + base64.RawURLEncoding.EncodeToString([]byte(claims[:whole])),
		rest:   claims[whole:],
	}
	s.states.New = func() any {
		st := &state{mac: hmac.New(sha256.New, key)}
		// The first Reset keeps the hashed key, so that later ones need not
		// hash it again.
		st.mac.Reset()
		st.claims = append(make([]byte, 0, 128), s.rest...)
		st.token = append(make([]byte, 0, len(s.prefix)+256), s.prefix...)
		return st
	}
	return s
}

// sign returns the signed token; without a personId when that is empty.
func (s *signer) sign(personID string, exp int64) string {
	st := s.states.Get().(*state) // the pool holds nothing else
	claims := strconv.AppendInt(st.claims[:len(s.rest)], exp, 10)
	if personID != "" {
		claims = append(claims, `,"personId":"`...)
		claims = append(claims, personID...)
		claims = append(claims, '"')
	}
	claims = append(claims, '}')

	token := base64.RawURLEncoding.AppendEncode(st.token[:len(s.prefix)], claims)
	st.mac.Reset()
	st.mac.Write(token)
	token = append(token, '.')
	token = base64.RawURLEncoding.AppendEncode(token, st.mac.Sum(st.sum[:0]))
	signed := string(token)
	s.states.Put(st)
	return signed
}
