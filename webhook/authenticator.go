package webhook

import (
	"fmt"
	"io"
	"slices"
	"sync"
	"sync/atomic"
)

// Authenticator decides whether a delivery may be believed. It must be safe for
// concurrent use and must not change the delivery, except that it may set ID,
// Timestamp and Certificate to what it has proven. Any error is a refusal; one
// that is [kyckit.ErrUnavailable] means that the authenticator could not tell,
// and the handler then asks the sender to try again.
//
// It is called once for each delivery, with the body. A wrapper of your own, be
// it a type or a function, may hand the delivery or a copy of it to any
// authenticator of this package: what Handle must not see is removed all the
// same. To refuse before the body is read as well, see HeadAuthenticator.
//
// An Authenticator with a method Name() string is called by that name in
// Delivery.Layers, others by their type.
type Authenticator interface {
	Authenticate(*Delivery) error
}

// HeadAuthenticator is an Authenticator that can refuse some deliveries before
// their body is read, so that strangers cannot make the server read bodies. All
// authenticators of this package are HeadAuthenticators. A wrapper keeps the
// early refusal by handing it on:
//
//	func (w wrapper) AuthenticateHead(d *webhook.Delivery) error {
//		if inner, ok := w.inner.(webhook.HeadAuthenticator); ok {
//			return inner.AuthenticateHead(d)
//		}
//		return nil
//	}
type HeadAuthenticator interface {
	Authenticator
	// AuthenticateHead judges a delivery that has no Body and no ReceivedAt yet.
	// A nil error says only that Authenticate may still accept the delivery,
	// which is asked in any case. What it sets in the delivery does not count.
	AuthenticateHead(*Delivery) error
}

// AuthenticatorFunc makes an Authenticator of a function.
type AuthenticatorFunc func(*Delivery) error

// Authenticate calls f. A nil f refuses.
func (f AuthenticatorFunc) Authenticate(d *Delivery) error {
	if f == nil {
		return refuse("authenticate", ErrNoSignature, "no authenticator")
	}
	return f(d)
}

// Replaceable is an Authenticator that can be exchanged for another while
// deliveries come in, for example when a secret is rotated:
//
//	var signature webhook.Replaceable // in HandlerConfig.Authenticate
//	…
//	renewed, err := webhook.NewHMAC(…)
//	…
//	err = signature.Replace(renewed)
//
// The zero value refuses everything. It must not be copied. It is safe for
// concurrent use.
type Replaceable struct {
	current atomic.Pointer[Authenticator]
}

// replacing is held by every Replace: two at once could put a Replaceable each
// into the other.
var replacing sync.Mutex

// Replace puts a in the place of the authenticator before. Deliveries that are
// being judged are finished by the one that began. A nil a, also a nil pointer
// or function, is refused as kyckit.ErrInvalid, and so is one that holds r, by
// itself or inside All, Any and other Replaceables; then nothing changes.
func (r *Replaceable) Replace(a Authenticator) error {
	replacing.Lock()
	defer replacing.Unlock()
	if r == nil || missing(a) || holds(a, r) {
		return invalid("replace", "no other authenticator was given")
	}
	r.current.Store(&a)
	return nil
}

// holds reports whether a asks r. Types that are not this package's are not
// looked into.
func holds(a Authenticator, r *Replaceable) bool {
	switch a := a.(type) {
	case *Replaceable:
		return a == r || holds(a.load(), r)
	case policy:
		return slices.ContainsFunc(a.layers, func(layer Authenticator) bool { return holds(layer, r) })
	}
	return false
}

func (r *Replaceable) load() Authenticator {
	if r == nil {
		return nil
	}
	if a := r.current.Load(); a != nil {
		return *a
	}
	return nil
}

// Authenticate implements Authenticator.
func (r *Replaceable) Authenticate(d *Delivery) error { return ask(r.load(), d) }

// AuthenticateHead implements HeadAuthenticator.
func (r *Replaceable) AuthenticateHead(d *Delivery) error { return askHead(r.load(), d) }

// Name returns the name of the authenticator in use.
func (r *Replaceable) Name() string { return nameOf(r.load()) }

// Format prints the name.
func (r *Replaceable) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, r.Name()) }

func ask(a Authenticator, d *Delivery) error {
	if a == nil {
		return refuse("authenticate", ErrNoSignature, "no authenticator")
	}
	return a.Authenticate(d)
}

func askHead(a Authenticator, d *Delivery) error {
	switch a := a.(type) {
	case nil:
		return ask(nil, d)
	case HeadAuthenticator:
		return a.AuthenticateHead(d)
	}
	return nil
}

func nameOf(a Authenticator) string {
	if n, ok := a.(interface{ Name() string }); ok {
		return n.Name()
	}
	if a == nil {
		return "none"
	}
	return fmt.Sprintf("%T", a)
}
