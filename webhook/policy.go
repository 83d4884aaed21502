package webhook

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"

	"github.com/kyckit/kyckit"
)

// Layer is what one authenticator of a policy said. It prints redacted, because
// an error of another type may quote the delivery; slog shows what is safe.
type Layer struct {
	kyckit.Redacted

	// Name is the authenticator's.
	Name string
	// Err is nil when the authenticator accepted the delivery.
	Err error `json:"-"`
	// Secret is the position of the secret, key or token that fitted, counted
	// from 1, HMACConfig.Secrets before Keys; zero when none did or when there
	// is none. It tells when a rotation is done.
	Secret int
}

// LogValue implements slog.LogValuer. It shows errors of this module as they
// are and others by their type alone, because those may quote the delivery.
func (l Layer) LogValue() slog.Value {
	attrs := []slog.Attr{slog.String("name", l.Name), slog.String("result", l.result())}
	if l.Secret > 0 {
		attrs = append(attrs, slog.Int("secret", l.Secret))
	}
	return slog.GroupValue(attrs...)
}

func (l Layer) result() string {
	if l.Err == nil {
		return "accepted"
	}
	return safeError(l.Err)
}

// safeError returns the text of an error if this module wrote it, else its type.
func safeError(err error) string {
	if err == nil {
		return ""
	}
	// Not errors.Is: an error that wraps one of these has a text of its own.
	if slices.Contains([]error{
		ErrNoSignature, ErrBadSignature, ErrTimestamp, ErrCertificate, ErrUntrustedProxy, ErrTooLarge, ErrDuplicate, ErrInProgress, ErrMalformed,
	}, err) {
		return err.Error()
	}
	if e, ok := errors.AsType[*kyckit.Error](err); ok {
		return e.Error()
	}
	if e, ok := errors.AsType[*PolicyError](err); ok {
		return e.Error()
	}
	return fmt.Sprintf("%T", err)
}

// PolicyError is the refusal of All or Any: errors.Is and errors.As look into
// every layer that refused.
type PolicyError struct {
	// Layers are the layers asked, in order. All stops at the first refusal,
	// Any at the first acceptance.
	Layers []Layer
}

// Error names the layers and their results; it holds nothing of the delivery.
func (e *PolicyError) Error() string {
	if e == nil || len(e.Layers) == 0 {
		return "webhook: refused: empty policy"
	}
	parts := make([]string, len(e.Layers))
	for i, l := range e.Layers {
		parts[i] = l.Name + " (" + l.result() + ")"
	}
	return "webhook: refused: " + strings.Join(parts, ", ")
}

// Unwrap returns the refusals. An empty policy is ErrNoSignature.
func (e *PolicyError) Unwrap() []error {
	if e == nil || len(e.Layers) == 0 {
		return []error{ErrNoSignature, kyckit.ErrUnauthorized}
	}
	var errs []error
	for _, l := range e.Layers {
		if l.Err != nil {
			errs = append(errs, l.Err)
		}
	}
	return errs
}

// All returns an Authenticator that accepts what every one of the given
// authenticators accepts. They are asked in order until one refuses. All of
// nothing refuses everything, and so does a nil among them.
func All(as ...Authenticator) Authenticator { return policy{layers: slices.Clone(as)} }

// Any returns an Authenticator that accepts what at least one of the given
// authenticators accepts. They are asked in order until one accepts. Any of
// nothing refuses everything; a nil among them never accepts.
//
// The handler may ask a later one of a type that is not this package's all the
// same, once the delivery is accepted: it may be about to read a credential
// that Handle must not see. What it says then counts for nothing.
func Any(as ...Authenticator) Authenticator { return policy{layers: slices.Clone(as), any: true} }

type policy struct {
	layers []Authenticator
	any    bool
}

// Name returns "all" or "any".
func (p policy) Name() string {
	if p.any {
		return "any"
	}
	return "all"
}

// Format prints the name.
func (p policy) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(p.Name())) }

// Authenticate implements Authenticator.
func (p policy) Authenticate(d *Delivery) error { return p.ask(d, ask, true) }

// AuthenticateHead implements HeadAuthenticator: All refuses when one layer
// does, Any when every one does.
func (p policy) AuthenticateHead(d *Delivery) error {
	layers, before := d.Layers, d.proof()
	err := p.ask(d, askHead, false)
	if err == nil { // only the final round is reported
		d.Layers = layers
		d.restore(before)
	}
	return err
}

func (p policy) ask(d *Delivery, ask func(Authenticator, *Delivery) error, final bool) error {
	before, others := d.proof(), d.Layers
	d.Layers = make([]Layer, 0, len(p.layers)) // its own, since a wrapper may ask with copies of the delivery at once
	accepted := !p.any && len(p.layers) > 0
	for i, layer := range p.layers {
		asked := len(d.Layers)
		d.secret = 0
		err := ask(layer, d)
		d.note(layer, err, asked, final)
		if err != nil {
			d.restore(before)
		}
		if (err == nil) == p.any { // this one decides
			accepted = p.any
			if final {
				d.leaveOut(p.layers[i+1:])
			}
			if p.any {
				d.via = before.via + strconv.Itoa(i) + "." + d.via[len(before.via):]
			}
			break
		}
	}
	own := d.Layers
	if len(others) > 0 {
		d.Layers = append(slices.Clip(others), own...)
	}
	if accepted {
		return nil
	}
	return &PolicyError{Layers: slices.Clone(own)}
}

// note adds what a layer said to the record. A policy inside a policy has noted
// its own layers, unless it has none; and before the body is read, a layer that
// does not object has accepted nothing yet.
func (d *Delivery) note(a Authenticator, err error, asked int, final bool) {
	if err == nil && (!final || isPolicy(a)) || isPolicy(a) && len(d.Layers) > asked {
		return
	}
	d.Layers = append(d.Layers, Layer{Name: nameOf(a), Err: err, Secret: d.secret})
}

// isPolicy reports whether an authenticator lists its own layers.
func isPolicy(a Authenticator) bool {
	if r, ok := a.(*Replaceable); ok {
		a = r.load()
	}
	_, ok := a.(policy)
	return ok
}
