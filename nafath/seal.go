package nafath

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/base64"
	"encoding/json"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/kyckit/kyckit"
	"github.com/kyckit/kyckit/internal/transport"
)

// Sealer encrypts transactions for storing, under keys of your own: a database
// that leaks then gives away no national id and no open verification. It uses
// AES-256-GCM with a random nonce; one key is good for 2^32 transactions. A
// Sealer is immutable and safe for concurrent use.
type Sealer struct {
	// The ciphers live in closures, out of reach of anything that prints.
	seal func(plain, bound []byte) []byte
	open func(sealed, bound []byte) ([]byte, bool)
}

const (
	sealKeyBytes  = 32
	sealPrefix    = "nafath1." // names the format, so that it can change
	maxSealedSize = 64 << 10
)

// NewSealer returns a Sealer. Each key is 32 random bytes; 32 bytes that are all
// zero or that are readable text, as base64, hex and passwords are, are refused.
// The first key seals, every key opens: to rotate, put the new one in front and
// drop the old one when no transaction is open under it. The error is a
// *kyckit.Error of kind ErrInvalid.
func NewSealer(keys ...kyckit.Secret) (*Sealer, error) {
	if len(keys) == 0 {
		return nil, transport.ConfigError(provider, "keys", "must hold at least one")
	}
	ciphers := make([]cipher.AEAD, len(keys))
	for i, k := range keys {
		key := []byte(k.Reveal())
		if len(key) != sealKeyBytes {
			return nil, transport.ConfigError(provider, "keys", "must each be 32 bytes")
		}
		if guessable(key) {
			return nil, transport.ConfigError(provider, "keys", "must be random bytes, not zeros or readable text")
		}
		block, err := aes.NewCipher(key)
		if err != nil {
			return nil, transport.ConfigError(provider, "keys", "cannot be used")
		}
		if ciphers[i], err = cipher.NewGCMWithRandomNonce(block); err != nil {
			return nil, transport.ConfigError(provider, "keys", "cannot be used")
		}
	}
	return &Sealer{
		seal: func(plain, bound []byte) []byte { return ciphers[0].Seal(nil, nil, plain, bound) }, //nolint:gosec // the cipher draws its own nonce
		open: func(sealed, bound []byte) ([]byte, bool) {
			for _, c := range ciphers {
				if plain, err := c.Open(nil, nil, sealed, bound); err == nil {
					return plain, true
				}
			}
			return nil, false
		},
	}, nil
}

// guessable reports a key that was not drawn at random. A random one is readable
// text once in more than 2^40 times.
func guessable(key []byte) bool {
	zero, readable := true, utf8.Valid(key)
	for _, r := range string(key) {
		zero = zero && r == 0
		readable = readable && (unicode.IsPrint(r) || unicode.IsSpace(r))
	}
	return zero || readable
}

// Seal returns tx encrypted, as printable text. Two calls give different text.
//
// Owner is what the text belongs to, for example the row it is stored in or the
// login that began the verification, or both joined. It is not stored: Open
// demands the same owner, so that a text copied to another row opens for nobody.
// The empty owner binds the text to the key alone.
//
// The error is a *kyckit.Error of kind ErrInvalid: tx has a text that is not
// UTF-8, a CreatedAt outside the years 0 to 9999, or more than 48 KiB.
func (s *Sealer) Seal(tx Transaction, owner string) (string, error) {
	if s == nil || s.seal == nil {
		return "", errSealer("seal")
	}
	for _, text := range []string{tx.TransID, tx.Random, tx.NationalID} {
		if !utf8.ValidString(text) {
			return "", transport.InputError(provider, "seal", "the transaction has a text that is not UTF-8")
		}
	}
	plain, err := json.Marshal(tx)
	if err != nil {
		return "", transport.InputError(provider, "seal", "the transaction cannot be encoded")
	}
	sealed := sealPrefix + base64.RawURLEncoding.EncodeToString(s.seal(plain, bound(owner)))
	if len(sealed) > maxSealedSize {
		return "", transport.InputError(provider, "seal", "the transaction is too large")
	}
	return sealed, nil
}

// bound is the associated data of a text: its format, which has a fixed length,
// and its owner.
func bound(owner string) []byte { return []byte(sealPrefix + owner) }

// Open returns the transaction that Seal was given, for the same owner. The
// error is a *kyckit.Error of kind ErrInvalid when the text was changed, is no
// sealed transaction, belongs to another owner, or was sealed under another key;
// it does not say which.
func (s *Sealer) Open(sealed, owner string) (Transaction, error) {
	if s == nil || s.open == nil {
		return Transaction{}, errSealer("open")
	}
	encoded, ok := strings.CutPrefix(sealed, sealPrefix)
	// The decoder skips line breaks, which Seal never writes.
	if !ok || len(sealed) > maxSealedSize || strings.ContainsAny(encoded, "\r\n") {
		return Transaction{}, errSealed()
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(encoded)
	if err != nil {
		return Transaction{}, errSealed()
	}
	plain, ok := s.open(raw, bound(owner))
	if !ok {
		return Transaction{}, errSealed()
	}
	var tx Transaction
	if err := json.Unmarshal(plain, &tx); err != nil {
		return Transaction{}, errSealed()
	}
	return tx, nil
}

func errSealer(op string) *kyckit.Error {
	return transport.InputError(provider, op, "the Sealer was not made by NewSealer")
}

func errSealed() *kyckit.Error {
	return transport.InputError(provider, "open", "not a transaction that was sealed for this owner under one of the keys")
}
