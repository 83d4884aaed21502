package leaktest_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/kyckit/kyckit"
	"github.com/kyckit/kyckit/internal/leaktest"
)

// recorder notes whether a check failed.
type recorder struct {
	testing.TB
	failed bool
}

func (*recorder) Helper()                 {}
func (r *recorder) Errorf(string, ...any) { r.failed = true }

type loud struct {
	Name   string
	hidden *inner
}

type inner struct{ secret []byte }

// The helpers must be able to find what they look for.
func TestALeakIsFound(t *testing.T) {
	v := loud{"planted", &inner{[]byte("buried")}}
	for what, out := range map[string]string{
		"printed": leaktest.Printed(v), "printed pointer": leaktest.Printed(&v), "encoded": leaktest.Encoded(v),
		"reachable": leaktest.Reachable(&v), "hex": fmt.Sprintf("%x", "planted"), "decimal": fmt.Sprintf("%d", []byte("planted")),
	} {
		r := &recorder{}
		leaktest.Silent(r, what, out, "planted")
		assert.True(t, r.failed, what)
	}
	r := &recorder{}
	leaktest.Silent(r, "reachable", leaktest.Reachable(v), "buried")
	assert.True(t, r.failed, "unexported fields behind pointers are reached")
	r = &recorder{}
	leaktest.Silent(r, "nothing", leaktest.Printed(v), "absent", "not there")
	assert.False(t, r.failed)
}

// Loud and Quiet are not in a source file that is no test, so Types cannot find
// them by itself; it must still find what they print.
type (
	Loud struct {
		Name string
		In   []map[string]*inner
		Many map[string]int
	}
	Quiet struct {
		kyckit.Redacted
		Name string
		Any  any
	}
)

func TestATypeThatShowsItsFieldsIsFound(t *testing.T) {
	r := &recorder{}
	leaktest.Types(r, []any{Loud{}})
	assert.True(t, r.failed)
	leaktest.Types(t, []any{Quiet{}, &Quiet{}})
	r = &recorder{}
	leaktest.Types(r, nil, "NoSuchType")
	assert.True(t, r.failed)
}
