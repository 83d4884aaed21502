package kyckit_test

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kyckit/kyckit"
	"github.com/kyckit/kyckit/internal/leaktest"
)

// applicant is a type as users have them.
type applicant struct {
	kyckit.Redacted
	Name   string `json:"name"`
	number int
}

func TestATypeThatEmbedsRedactedPrintsNothing(t *testing.T) {
	a := applicant{Name: planted, number: 48151623}
	outer := struct {
		applicant
		City string
	}{a, planted}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "% x", "%d", "%t", "%c", "%U", "%8.3f", "%-40s"} {
		assert.Equal(t, "[redacted]", fmt.Sprintf(verb, a), verb)
		assert.Equal(t, "[redacted]", fmt.Sprintf(verb, &a), verb)
		assert.Equal(t, "[redacted]", fmt.Sprintf(verb, outer), verb)
	}
	assert.Equal(t, "map[k:[redacted]]", fmt.Sprint(map[string]applicant{"k": a}))
	for _, v := range []any{a, &a, outer, []any{a, &a}} {
		leaktest.Silent(t, fmt.Sprintf("%T", v), leaktest.Printed(v), planted, "48151623")
	}
	for name, handler := range map[string]func(*strings.Builder) slog.Handler{
		"text": func(b *strings.Builder) slog.Handler { return slog.NewTextHandler(b, nil) },
		"json": func(b *strings.Builder) slog.Handler { return slog.NewJSONHandler(b, nil) },
	} {
		var out strings.Builder
		slog.New(handler(&out)).Info("m", "value", a, "pointer", &a, slog.Group("g", "inner", a))
		assert.Equal(t, 3, strings.Count(out.String(), "[redacted]"), name)
		leaktest.Silent(t, name, out.String(), planted, "48151623")
	}
}

func TestRedactedTakesNoSpaceAndChangesNoJSON(t *testing.T) {
	assert.Zero(t, unsafe.Sizeof(kyckit.Redacted{}))
	a := applicant{Name: "A", number: 1}
	assert.Equal(t, unsafe.Sizeof(struct {
		Name   string
		number int
	}{}), unsafe.Sizeof(a))
	b, err := json.Marshal(a)
	require.NoError(t, err)
	assert.JSONEq(t, `{"name":"A"}`, string(b))
}

func ExampleRedacted() {
	type applicant struct {
		kyckit.Redacted
		Name string
	}
	fmt.Printf("%+v\n", applicant{Name: "Made Up"})
	// Output: [redacted]
}
