package webhook

import (
	"net/http"
	"slices"
	"strings"
	"sync"

	"github.com/kyckit/kyckit/webhook/internal/forwarded"
)

// concealed collects, while a delivery is judged, what Handle must not see: the
// headers that carry credentials and certificates, and the secret end of a
// path. Copies of a delivery share it, so it does not matter who wraps an
// authenticator, or how.
type concealed struct {
	mu       sync.Mutex // a wrapper may ask several at once, each with a copy
	headers  []string
	prefix   string          // of a path whose rest is secret
	notAsked []Authenticator // a policy decided without them
}

// alwaysConcealed carry credentials by definition, whoever reads them.
var alwaysConcealed = [...]string{"Authorization", "Proxy-Authorization"}

func (d *Delivery) concealHeaders(names ...string) {
	if c := d.concealed; c != nil {
		c.mu.Lock()
		c.headers = append(c.headers, names...)
		c.mu.Unlock()
	}
}

func (d *Delivery) concealPathAfter(prefix string) {
	if c := d.concealed; c != nil {
		c.mu.Lock()
		c.prefix = prefix
		c.mu.Unlock()
	}
}

// leaveOut notes the authenticators that a policy did not ask.
func (d *Delivery) leaveOut(as []Authenticator) {
	if c := d.concealed; c != nil && len(as) > 0 {
		c.mu.Lock()
		c.notAsked = append(c.notAsked, as...)
		c.mu.Unlock()
	}
}

// concealAll lets authenticators name what they read. An authenticator of a
// foreign type, even one that embeds one of this package, cannot: it is asked
// about a copy of the delivery, and what it says counts for nothing.
func concealAll(as []Authenticator, d *Delivery) {
	for _, a := range as {
		switch a := a.(type) {
		case nil, *hmacAuth, *ed25519Auth, *ClientCert: // they read nothing secret
		case *staticAuth:
			a.conceal(d)
		case *ProxyCert:
			a.load().conceal(d)
		case policy:
			concealAll(a.layers, d)
		case *Replaceable:
			concealAll([]Authenticator{a.load()}, d)
		default:
			other := *d
			_ = safely(ask, a, &other)
		}
	}
}

// safely asks an authenticator. A panic there is no proof of anything, and no
// refusal either.
func safely(ask func(Authenticator, *Delivery) error, a Authenticator, d *Delivery) (err error) {
	defer recovered(&err)
	return ask(a, d)
}

// removeConcealed takes out of an accepted delivery what Handle must not see.
// The request's own header and URL stay as they are: they belong to others too.
func (d *Delivery) removeConcealed() {
	c := d.concealed
	for {
		c.mu.Lock()
		as := c.notAsked
		c.notAsked = nil
		c.mu.Unlock()
		if len(as) == 0 {
			break
		}
		concealAll(as, d)
	}
	d.concealed = nil
	var room [8]string // mostly enough, and on the stack
	d.Header = without(d.Header, append(append(room[:0], alwaysConcealed[:]...), c.headers...))
	if c.prefix != "" && d.URL != nil && strings.HasPrefix(d.URL.Path, c.prefix) {
		u := *d.URL
		u.Path, u.RawPath = c.prefix, ""
		d.URL = &u
	}
}

// without returns h, or a copy of it that lacks the named headers and their
// twins, which differ by underscores.
func without(h http.Header, names []string) http.Header {
	gone := func(name string) bool {
		return slices.ContainsFunc(names, func(own string) bool { return len(own) == len(name) && forwarded.SameHeader(name, own) })
	}
	copied := false
	for name := range h {
		if gone(name) {
			if !copied {
				h, copied = h.Clone(), true
			}
			delete(h, name)
		}
	}
	return h
}
