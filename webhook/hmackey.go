package webhook

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"hash"
	"strings"
	"sync"
	"time"

	"github.com/kyckit/kyckit"
	"github.com/kyckit/kyckit/internal/credential"
)

// HMACKey is a secret with what is known about it.
type HMACKey struct {
	// ID is the key's id, for a scheme whose deliveries name one. A key with an
	// empty id is tried for every delivery.
	ID string
	// Secret is the shared secret. It may not be empty.
	Secret kyckit.Secret
	// NotAfter is when the key stops being accepted. Zero means never.
	NotAfter time.Time
}

func (h *hmacAuth) addKey(field string, k HMACKey) error {
	s := &h.scheme
	if k.ID != "" && s.KeyIDKey == "" && s.Grammar != GrammarKeyed {
		return invalid("hmac", "Keys: a key has an ID, but deliveries of this scheme name no key")
	}
	secret, reason := s.decodeSecret(k.Secret)
	if reason == "" {
		reason = credential.HMAC(s.Hash, len(secret))
	}
	if reason != "" {
		return invalid("hmac", field+" "+reason)
	}
	h.keys = append(h.keys, newHMACKey(k, s.newHash(), secret))
	return nil
}

// decodeSecret returns the key bytes of a secret, or what is wrong with it.
// Spare bits in the last character of a base64 secret do not matter: the
// libraries of all senders drop them.
func (s *Scheme) decodeSecret(secret kyckit.Secret) (key []byte, reason string) {
	if reason := credential.Text(secret.Reveal()); reason != "" {
		return nil, reason
	}
	text := strings.TrimPrefix(secret.Reveal(), s.SecretPrefix)
	var err error
	switch s.SecretEncoding {
	case Hex:
		if key, err = hex.DecodeString(text); err != nil {
			return nil, "is not hex"
		}
	case Base64, Base64URL:
		decoding := base64.StdEncoding
		if s.SecretEncoding == Base64URL {
			decoding, text = base64.RawURLEncoding, strings.TrimRight(text, "=")
		}
		// The decoder would skip line breaks.
		if key, err = decoding.DecodeString(text); err != nil || strings.ContainsAny(text, "\r\n") {
			return nil, "is not base64"
		}
	default:
		key = []byte(text)
	}
	if len(key) == 0 {
		return nil, "is required"
	}
	return key, ""
}

// hmacKey hands out keyed states. Keying costs two blocks, so states are kept;
// a state that was reset once goes back to its keyed start without hashing.
type hmacKey struct {
	id       string
	notAfter time.Time
	states   sync.Pool
}

type hmacState struct {
	mac hash.Hash
	sum [maxHash]byte
	buf [256]byte // collects the short parts: fewer writes, and no copies on the heap
	n   int
}

func newHMACKey(k HMACKey, newHash func() hash.Hash, secret []byte) *hmacKey {
	key := &hmacKey{id: k.ID, notAfter: k.NotAfter}
	key.states.New = func() any {
		st := &hmacState{mac: hmac.New(newHash, secret)}
		st.mac.Reset()
		return st
	}
	return key
}

// put adds a text to the signed content.
func (st *hmacState) put(s string) {
	for s != "" {
		if st.n == len(st.buf) {
			st.flush()
		}
		n := copy(st.buf[st.n:], s)
		st.n += n
		s = s[n:]
	}
}

func (st *hmacState) flush() {
	if st.n > 0 {
		st.mac.Write(st.buf[:st.n])
		st.n = 0
	}
}

// sum returns the HMAC of the signed content, in the state's own memory.
func (h *hmacAuth) sum(st *hmacState, d *Delivery, c *content) []byte {
	st.mac.Reset()
	st.n = 0
	for i := range h.signed.pieces {
		switch p := &h.signed.pieces[i]; p.kind {
		case pieceBody:
			st.flush()
			st.mac.Write(d.Body)
		case pieceBodySHA256:
			st.flush()
			sum := sha256.Sum256(d.Body)
			st.n = hex.Encode(st.buf[:], sum[:])
		default:
			st.put(p.value(d, c))
		}
	}
	st.flush()
	return st.mac.Sum(st.sum[:0])
}
