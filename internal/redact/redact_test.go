package redact_test

import (
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/kyckit/kyckit/internal/leaktest"
	"github.com/kyckit/kyckit/internal/redact"
)

// person is a type as the provider packages have them.
type person struct {
	Name   string
	Number int
}

func (person) Format(f fmt.State, _ rune) { redact.Format(f, "test.Person") }
func (person) LogValue() slog.Value       { return redact.Value("test.Person") }

const shown = "test.Person{[redacted]}"

func TestATypePrintsItsNameOnly(t *testing.T) {
	p := person{"Planted", 48151623}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "% x", "%d", "%t", "%c", "%U", "%8.3f", "%-40s"} {
		assert.Equal(t, shown, fmt.Sprintf(verb, p), verb)
		assert.Equal(t, shown, fmt.Sprintf(verb, &p), verb)
	}
	assert.Equal(t, "["+shown+"]", fmt.Sprint([]person{p}))
	assert.Equal(t, "map[k:"+shown+"]", fmt.Sprint(map[string]person{"k": p}))
	assert.Equal(t, "wrapped: "+shown, fmt.Errorf("wrapped: %v", p).Error())
	for _, v := range []any{p, &p, []any{p, &p}} {
		leaktest.Silent(t, fmt.Sprintf("%T", v), leaktest.Printed(v), "Planted", "48151623")
	}
}

func TestATypeIsLoggedByItsNameOnly(t *testing.T) {
	p := person{"Planted", 48151623}
	for name, handler := range map[string]func(*strings.Builder) slog.Handler{
		"text": func(b *strings.Builder) slog.Handler { return slog.NewTextHandler(b, nil) },
		"json": func(b *strings.Builder) slog.Handler { return slog.NewJSONHandler(b, nil) },
	} {
		var out strings.Builder
		slog.New(handler(&out)).Info("m", "value", p, "pointer", &p, slog.Group("g", "inner", p))
		assert.Equal(t, 3, strings.Count(out.String(), shown), name)
		leaktest.Silent(t, name, out.String(), "Planted", "48151623")
	}
}
