package webhook

import (
	"cmp"
	"crypto/subtle"
	"fmt"
	"io"
	"net/url"
	"strings"
	"time"

	"github.com/kyckit/kyckit"
)

const (
	defaultTolerance   = 5 * time.Minute
	maxSignatureHeader = 4096
	maxSignatures      = 16
	maxGroups          = 4
	maxTimestamp       = 64
	maxID              = 256
	maxHash            = 64
)

// HMACConfig configures NewHMAC.
type HMACConfig struct {
	// Scheme is how the provider signs. Required.
	Scheme Scheme
	// Secrets are the shared secrets; each is tried, so that during a rotation
	// both the old and the new one can be given. At least one secret or key is
	// required. None may be empty, begin with a byte order mark or end in a line
	// break or blank, as text from a file may.
	Secrets []kyckit.Secret
	// Keys are further secrets with an id or an end.
	Keys []HMACKey
	// Tolerance is how far the timestamp may be from now, in the past and in
	// the future. Zero means 5 minutes; a negative value turns the check off,
	// which leaves replay protection to the handler's claims. It is not used
	// by a scheme without timestamp.
	Tolerance time.Duration
	// PublicURL is the address the provider calls, exactly as configured
	// there. It is required by a scheme that signs {url} and used by no other.
	PublicURL string
	// Now is the clock. Nil means the time at which the delivery was received.
	Now func() time.Time
}

// NewHMAC returns an Authenticator that verifies an HMAC over the raw delivery,
// and the signed timestamp if the scheme has one. It is safe for concurrent
// use, compares in constant time and allocates nothing, whatever is sent. On
// success it sets the delivery's ID and Timestamp, where the scheme signs them.
//
// Refusals are ErrNoSignature, ErrBadSignature and ErrTimestamp. A wrong
// configuration is an error of the kind kyckit.ErrInvalid.
func NewHMAC(cfg HMACConfig) (Authenticator, error) {
	s := cfg.Scheme.normalise()
	if reason := s.validate(); reason != "" {
		return nil, invalid("hmac", reason)
	}
	publicURL := strings.Contains(s.Signed, "{url}")
	if publicURL != (cfg.PublicURL != "") {
		return nil, invalid("hmac", "PublicURL must be set exactly when the scheme signs {url}")
	}
	if u, err := url.Parse(cfg.PublicURL); publicURL && (err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http") {
		return nil, invalid("hmac", "PublicURL must be an absolute address")
	}
	signed, reason := s.signed(cfg.PublicURL)
	if reason != "" {
		return nil, invalid("hmac", reason)
	}
	h := &hmacAuth{
		scheme: s, signed: signed, size: s.Hash.Size(), tolerance: cmp.Or(cfg.Tolerance, defaultTolerance), now: cfg.Now,
		refusals: newRefusals(s.Name),
	}
	if len(cfg.Secrets)+len(cfg.Keys) == 0 {
		return nil, invalid("hmac", "Secrets is empty")
	}
	for i, secret := range cfg.Secrets {
		if err := h.addKey(fmt.Sprintf("Secrets[%d]", i), HMACKey{Secret: secret}); err != nil {
			return nil, err
		}
	}
	for i, key := range cfg.Keys {
		if err := h.addKey(fmt.Sprintf("Keys[%d].Secret", i), key); err != nil {
			return nil, err
		}
	}
	return h, nil
}

// hmacAuth prints as its name alone; its keys live in closures besides.
type hmacAuth struct {
	scheme    Scheme
	signed    template
	size      int
	keys      []*hmacKey
	tolerance time.Duration
	now       func() time.Time
	refusals
}

// Name returns the scheme's name.
func (h *hmacAuth) Name() string { return h.scheme.Name }

// Format prints the scheme's name.
func (h *hmacAuth) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, h.scheme.Name) }

// AuthenticateHead refuses what has no signature before the body is read.
func (h *hmacAuth) AuthenticateHead(d *Delivery) error {
	if len(d.Header[h.scheme.SignatureHeader]) == 0 {
		return h.noSignature
	}
	return nil
}

// Authenticate implements Authenticator.
func (h *hmacAuth) Authenticate(d *Delivery) error {
	s := &h.scheme
	header, n := single(d, s.SignatureHeader)
	switch {
	case n == 0 || n == 1 && header == "":
		return h.noSignature
	case n > 1:
		return h.repeated
	case len(header) > maxSignatureHeader || len(header) < len(s.Prefix) || header[:len(s.Prefix)] != s.Prefix:
		return h.malformed
	}
	var c content
	if s.IDHeader != "" {
		if c.id, n = single(d, s.IDHeader); n != 1 || !validID(c.id) {
			return h.badID
		}
	}
	if s.TimestampHeader != "" {
		text, n := single(d, s.TimestampHeader)
		if n != 1 || !h.setTimestamp(&c, text) {
			return h.badTimestamp
		}
	}
	if s.AlgorithmHeader != "" {
		if name, n := single(d, s.AlgorithmHeader); n != 1 || !strings.EqualFold(name, s.Algorithm) {
			return h.badAlgorithm
		}
	}
	if err := h.missingHeader(d); err != nil {
		return err
	}
	return h.groups(d, &c, header[len(s.Prefix):])
}

// missingHeader refuses a delivery without one of the signed headers.
func (h *hmacAuth) missingHeader(d *Delivery) error {
	for i := range h.signed.pieces {
		if p := &h.signed.pieces[i]; p.kind == pieceHeader {
			if _, n := single(d, p.text); n != 1 {
				return h.badHeader
			}
		}
	}
	return nil
}

// readsOneWay reports whether no other delivery has the same signed content.
func (h *hmacAuth) readsOneWay(d *Delivery, c *content) bool {
	for i := range h.signed.pieces {
		if p := &h.signed.pieces[i]; p.limited() && !p.plain(p.value(d, c)) {
			return false
		}
	}
	return true
}

// groups tries the groups of a header in order.
func (h *hmacAuth) groups(d *Delivery, c *content, header string) error {
	s := &h.scheme
	err := h.noSignature
	for group, rest, n := "", header, 0; rest != ""; n++ {
		if n == maxGroups {
			return h.malformed
		}
		if s.GroupSeparator == 0 {
			group, rest = rest, ""
		} else {
			group, rest = cutByte(rest, s.GroupSeparator)
		}
		var found signatures
		if !s.parse(group, &found) {
			return h.malformed
		}
		if s.TimestampKey != "" {
			if !h.setTimestamp(c, found.timestamp) {
				return h.badTimestamp
			}
		}
		if !h.readsOneWay(d, c) {
			return h.twoWays
		}
		if s.namesAlgorithm() && !strings.EqualFold(found.algorithm, s.Algorithm) {
			return h.badAlgorithm
		}
		if found.n == 0 {
			continue
		}
		// Whichever group is the last to be refused gives the reason.
		if err = h.verify(d, c, &found); err == nil {
			return nil
		}
	}
	return err
}

// verify compares the signatures in the header with the right signature, as
// text: that has one spelling, so nothing of the sender's needs to be decoded.
func (h *hmacAuth) verify(d *Delivery, c *content, found *signatures) error {
	fit := 0
	for _, text := range found.text[:found.n] {
		if h.scheme.fits(text, h.size) {
			fit++
		}
	}
	if fit == 0 {
		return h.malformed
	}
	now := d.now(h.now)
	for i, key := range h.keys {
		if key.id != "" && key.id != found.keyID || !key.notAfter.IsZero() && now.After(key.notAfter) {
			continue
		}
		st := key.states.Get().(*hmacState)
		var right, got [2 * maxHash]byte
		n := h.scheme.encode(right[:], h.sum(st, d, c))
		key.states.Put(st)
		good := 0
		for _, text := range found.text[:found.n] {
			if h.scheme.fits(text, h.size) {
				copy(got[:n], text)
				h.scheme.lower(got[:n])
				good |= subtle.ConstantTimeCompare(right[:n], got[:n])
			}
		}
		if good == 1 {
			d.secret = i + 1
			return h.accept(d, c, now)
		}
	}
	return h.badSignature
}

// accept checks how old the timestamp is and notes the id and the timestamp in
// the delivery. A signature that fitted has proven both.
func (h *hmacAuth) accept(d *Delivery, c *content, now time.Time) error {
	if c.timestamp != "" && h.tolerance > 0 {
		if err := inTime(h.scheme.Name, c.at, now, h.tolerance); err != nil {
			return err
		}
	}
	if d.ID == "" {
		d.ID = c.id
	}
	if d.Timestamp.IsZero() {
		d.Timestamp = c.at
	}
	return nil
}
