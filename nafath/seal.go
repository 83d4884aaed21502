package nafath

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/base64"
	"encoding/json"
	"strings"

	"github.com/kyckit/kyckit"
	"github.com/kyckit/kyckit/internal/transport"
)

// Sealer encrypts transactions for storing, under keys of your own: a database
// that leaks then gives away no national id and no open verification. It uses
// AES-256-GCM with a random nonce; one key is good for 2^32 transactions. A
// Sealer is immutable and safe for concurrent use.
type Sealer struct {
	// The ciphers live in closures, out of reach of anything that prints.
	seal func(plain []byte) []byte
	open func(sealed []byte) ([]byte, bool)
}

const (
	sealKeyBytes  = 32
	sealPrefix    = "nafath1." // names the format, so that it can change
	maxSealedSize = 64 << 10
)

// NewSealer returns a Sealer. Each key is 32 random bytes, not their base64 or
// hex. The first key seals, every key opens: to rotate, put the new one in front
// and drop the old one when no transaction is open under it. The error is a
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
		block, err := aes.NewCipher(key)
		if err != nil {
			return nil, transport.ConfigError(provider, "keys", "cannot be used")
		}
		if ciphers[i], err = cipher.NewGCMWithRandomNonce(block); err != nil {
			return nil, transport.ConfigError(provider, "keys", "cannot be used")
		}
	}
	bound := []byte(sealPrefix)
	return &Sealer{
		seal: func(plain []byte) []byte { return ciphers[0].Seal(nil, nil, plain, bound) }, //nolint:gosec // the cipher draws its own nonce
		open: func(sealed []byte) ([]byte, bool) {
			for _, c := range ciphers {
				if plain, err := c.Open(nil, nil, sealed, bound); err == nil {
					return plain, true
				}
			}
			return nil, false
		},
	}, nil
}

// Seal returns tx encrypted, as printable text. Two calls give different text.
func (s *Sealer) Seal(tx Transaction) (string, error) {
	if s == nil || s.seal == nil {
		return "", errSealer("seal")
	}
	plain, err := json.Marshal(tx)
	if err != nil {
		return "", transport.InputError(provider, "seal", "the transaction cannot be encoded")
	}
	return sealPrefix + base64.RawURLEncoding.EncodeToString(s.seal(plain)), nil
}

// Open returns the transaction that Seal was given. The error is a
// *kyckit.Error of kind ErrInvalid when the text was changed, is no sealed
// transaction, or was sealed under another key.
func (s *Sealer) Open(sealed string) (Transaction, error) {
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
	plain, ok := s.open(raw)
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
	return transport.InputError(provider, "open", "not a transaction sealed under one of the keys")
}
