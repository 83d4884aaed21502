package redisstore

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
)

const keySize = 32

// keyring is what one key is used for. The keys derived from it live in
// closures, which no dumper of structures looks into.
type keyring struct {
	mac  func(kind, value string) [sha256.Size]byte
	seal func(plain []byte, use string) []byte
	open func(sealed []byte, use string) ([]byte, error)
}

// newKeyring derives a key for digests and one for encryption, each of this
// place in the store alone.
func newKeyring(key, place string) (k *keyring, reason string) {
	if len(key) != keySize {
		return nil, "must be 32 bytes"
	}
	if key == string(make([]byte, keySize)) {
		return nil, "must be random"
	}
	for _, use := range []string{"digest", "seal"} {
		derived, err := hkdf.Key(sha256.New, []byte(key), nil, "kyckit redisstore "+use+" "+place, keySize)
		if err != nil {
			return nil, "cannot be used"
		}
		if use == "digest" {
			k = &keyring{mac: func(kind, value string) (sum [sha256.Size]byte) {
				h := hmac.New(sha256.New, derived)
				h.Write([]byte(kind))
				h.Write([]byte{0})
				h.Write([]byte(value))
				h.Sum(sum[:0])
				return sum
			}}
			continue
		}
		block, err := aes.NewCipher(derived)
		if err != nil {
			return nil, "cannot be used"
		}
		gcm, err := cipher.NewGCMWithRandomNonce(block) // the only form that FIPS 140-only mode allows
		if err != nil {
			return nil, "cannot be used"
		}
		k.seal = func(plain []byte, use string) []byte { return gcm.Seal(nil, nil, plain, []byte(use)) } //nolint:gosec // the nonce is random, and part of what comes out
		k.open = func(sealed []byte, use string) ([]byte, error) { return gcm.Open(nil, nil, sealed, []byte(use)) }
	}
	return k, ""
}

// digestSize is enough of a SHA-256 that no two values meet by chance.
const digestSize = 24

// digest is for the name of a key.
func (k *keyring) digest(kind, value string) string {
	sum := k.mac(kind, value)
	return base64.RawURLEncoding.EncodeToString(sum[:digestSize])
}

var errSealed = errors.New("sealed under another key, or changed")

// open tries all keys.
func (s *Store) open(sealed []byte, use string) ([]byte, error) {
	for _, k := range s.keys {
		if plain, err := k.open(sealed, use); err == nil {
			return plain, nil
		}
	}
	return nil, errSealed
}
