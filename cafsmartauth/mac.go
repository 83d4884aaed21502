package cafsmartauth

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"hash"
	"sync"
)

const (
	// signatureLen is the length of an HS256 signature in base64url.
	signatureLen = 43
	// chunkLen is how much of a token is hashed at a time.
	chunkLen = 1024
)

// strictBase64 refuses padding and stray bits. It still skips line breaks, so
// every use checks the length of what comes out.
var strictBase64 = base64.RawURLEncoding.Strict()

// macs holds HMAC states under one key. Keying a state costs three times the
// HMAC of a token, so states are kept. The key itself stays in the closure of
// the pool.
type macs struct{ pool sync.Pool }

// mac is one keyed state and the buffers that a verification needs. They live
// on the heap once, so that a verification allocates nothing.
type mac struct {
	hash    hash.Hash
	chunk   [chunkLen]byte
	decoded [signatureLen]byte
	sum     [sha256.Size]byte
}

func newMACs(key []byte) *macs {
	return &macs{pool: sync.Pool{New: func() any {
		m := &mac{hash: hmac.New(sha256.New, key)}
		// The first Reset saves the keyed state; later ones only restore it.
		m.hash.Reset()
		return m
	}}}
}

// verify reports whether signature, in canonical base64url, is the HMAC of
// signed. It compares in constant time and allocates nothing.
func (p *macs) verify(signed, signature string) bool {
	if len(signature) != signatureLen {
		return false
	}
	m := p.pool.Get().(*mac) // the pool holds nothing else
	defer p.pool.Put(m)
	m.hash.Reset()
	for len(signed) > 0 {
		n := copy(m.chunk[:], signed)
		m.hash.Write(m.chunk[:n])
		signed = signed[n:]
	}
	want := m.hash.Sum(m.sum[:0])
	given := m.chunk[:copy(m.chunk[:], signature)]
	n, err := strictBase64.Decode(m.decoded[:], given)
	return err == nil && n == sha256.Size && hmac.Equal(m.decoded[:sha256.Size], want)
}
