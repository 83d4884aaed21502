package webhooktest

import (
	"net/http/httptest"
	"testing"

	"github.com/kyckit/kyckit/webhook"
)

// TestCA is a CA for a test: what fails with an error there ends the test here.
type TestCA struct {
	*CA
	t testing.TB
}

// NewTestCA is NewCA for a test.
func NewTestCA(t testing.TB, name string) *TestCA {
	t.Helper()
	ca, err := NewCA(name)
	return &TestCA{CA: must(t, ca, err), t: t}
}

// Intermediate is CA.Intermediate.
func (c *TestCA) Intermediate(name string) *TestCA {
	c.t.Helper()
	ca, err := c.CA.Intermediate(name)
	return &TestCA{CA: must(c.t, ca, err), t: c.t}
}

// Issue is CA.Issue.
func (c *TestCA) Issue(l Leaf) *Identity {
	c.t.Helper()
	id, err := c.CA.Issue(l)
	return must(c.t, id, err)
}

// Bad is CA.Bad.
func (c *TestCA) Bad(kind BadCert, l Leaf) *Identity {
	c.t.Helper()
	id, err := c.CA.Bad(kind, l)
	return must(c.t, id, err)
}

// CRL is CA.CRL.
func (c *TestCA) CRL(l CRL) []byte {
	c.t.Helper()
	list, err := c.CA.CRL(l)
	return must(c.t, list, err)
}

// NewTestProxy is NewProxy for a test, with which the proxy is closed.
func NewTestProxy(t testing.TB, format webhook.ProxyFormat, backend string, server *Identity) *httptest.Server {
	t.Helper()
	started, err := NewProxy(format, backend, server)
	proxy := must(t, started, err)
	t.Cleanup(proxy.Close)
	return proxy
}

func must[T any](t testing.TB, v T, err error) T {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	return v
}
