// Package leaktest looks for secrets and personal data in all the ways in which
// programs show values. The leak test of each package uses it.
package leaktest

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"log/slog"
	"reflect"
	"strings"
	"testing"
)

// verbs are the fmt verbs that ask a type how it prints. %p is not one of them:
// fmt never asks about it, and go vet refuses it for anything but a pointer.
var verbs = [...]string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "% x", "%d", "%t", "%c", "%U", "%f", "%08.3v"}

// Printed returns v in every form that fmt and slog's text handler give it:
// by itself, in a slice and in a struct.
func Printed(v any) string {
	var out strings.Builder
	for _, verb := range verbs {
		for _, in := range []any{v, []any{v}, struct{ V any }{v}} {
			fmt.Fprintf(&out, verb+"\n", in)
		}
	}
	fmt.Fprintln(&out, v)
	slog.New(slog.NewTextHandler(&out, nil)).Info("m", slog.Any("v", v))
	return out.String()
}

// Encoded returns v as JSON and in slog's JSON handler, for types that promise
// to be safe there too.
func Encoded(v any) string {
	var out strings.Builder
	if b, err := json.Marshal(v); err == nil {
		out.Write(b)
	}
	slog.New(slog.NewJSONHandler(&out, nil)).Info("m", slog.Any("v", v))
	return out.String()
}

// Reachable returns all text that reflection reaches from v, unexported fields
// included, as programs do that dump structures.
func Reachable(v any) string {
	var out strings.Builder
	walk(reflect.ValueOf(v), map[uintptr]bool{}, &out)
	return out.String()
}

func walk(v reflect.Value, seen map[uintptr]bool, out *strings.Builder) {
	switch v.Kind() { // the rest holds no text
	case reflect.Pointer:
		if !v.IsNil() && !seen[v.Pointer()] {
			seen[v.Pointer()] = true
			walk(v.Elem(), seen, out)
		}
	case reflect.Interface:
		walk(v.Elem(), seen, out)
	case reflect.Struct:
		for _, field := range v.Fields() {
			walk(field, seen, out)
		}
	case reflect.Slice, reflect.Array:
		bytes := v.Type().Elem().Kind() == reflect.Uint8
		for i := range v.Len() {
			if bytes {
				out.WriteByte(byte(v.Index(i).Uint()))
			} else {
				walk(v.Index(i), seen, out)
			}
		}
		out.WriteByte(' ')
	case reflect.Map:
		for _, k := range v.MapKeys() {
			walk(k, seen, out)
			walk(v.MapIndex(k), seen, out)
		}
	case reflect.String:
		out.WriteString(v.String() + " ")
	}
}

// Silent fails the test when out shows one of the planted texts: in clear, in
// hex, in base64 or as the decimal bytes that %d prints.
func Silent(t testing.TB, what, out string, planted ...string) {
	t.Helper()
	for _, p := range planted {
		for _, form := range []string{
			p, strings.ToUpper(p), fmt.Sprintf("%x", p), fmt.Sprintf("%X", p), fmt.Sprintf("% x", p),
			base64.StdEncoding.EncodeToString([]byte(p)), strings.Trim(fmt.Sprintf("%d", []byte(p)), "[]"),
		} {
			if i := strings.Index(out, form); i >= 0 {
				t.Errorf("%s shows the planted %q: …%s…", what, p, out[max(0, i-60):min(len(out), i+len(form)+20)])
				break
			}
		}
	}
}
