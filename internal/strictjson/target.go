package strictjson

import (
	"reflect"
	"strings"
)

// target is the Go type that a value of the document is decoded into; its zero
// value is a type with no struct in it, or an unknown one.
type target struct{ typ reflect.Type }

// targetOf returns the target of a document that is decoded into v. It is the
// zero value when v has no structs below the document and its elements, whose
// keys the scanner compares by case in any event.
func targetOf(v any) target {
	t := target{reflect.TypeOf(v)}.settled()
	if t.typ == nil {
		return t
	}
	outer := t
	if k := t.typ.Kind(); k == reflect.Slice || k == reflect.Array {
		outer = t.element()
	}
	if outer.typ == nil || outer.typ.Kind() == reflect.Struct && !hasNested(outer.typ) {
		return target{}
	}
	return t
}

// settled follows pointers, and forgets types that no object can be decoded
// into.
func (t target) settled() target {
	for t.typ != nil && t.typ.Kind() == reflect.Pointer {
		t.typ = t.typ.Elem()
	}
	if t.typ == nil {
		return t
	}
	switch t.typ.Kind() { //nolint:exhaustive // all others hold no struct
	case reflect.Struct, reflect.Slice, reflect.Array, reflect.Map:
		return t
	default:
		return target{}
	}
}

// hasNested tells whether a struct has a field with room for a struct. Slices of
// bytes, json.RawMessage among them, have none.
func hasNested(t reflect.Type) bool {
	for i := range t.NumField() {
		f := target{t.Field(i).Type}.settled()
		switch {
		case f.typ == nil:
		case f.typ.Kind() == reflect.Struct && f.typ.NumField() > 0:
			return true
		case f.typ.Kind() != reflect.Struct && target{f.typ.Elem()}.settled().typ != nil:
			return true
		}
	}
	return false
}

// isStruct tells whether encoding/json binds the keys of an object to fields.
func (t target) isStruct() bool { return t.typ != nil && t.typ.Kind() == reflect.Struct }

// element is the target of a list's elements.
func (t target) element() target {
	if t.typ == nil || t.typ.Kind() != reflect.Slice && t.typ.Kind() != reflect.Array {
		return target{}
	}
	return target{t.typ.Elem()}.settled()
}

// member is the target of the value behind a key.
func (t target) member(raw []byte, escaped bool) target {
	switch {
	case t.typ == nil:
		return t
	case t.typ.Kind() == reflect.Map:
		return target{t.typ.Elem()}.settled()
	case t.typ.Kind() != reflect.Struct:
		return target{}
	}
	key := string(raw)
	if escaped {
		key = string(appendKey(nil, raw, false))
	}
	return target{fieldType(t.typ, key, 0)}.settled()
}

// maxEmbedded is how deep embedded structs are looked through: two types may
// embed each other by pointers.
const maxEmbedded = 8

// fieldType returns the type of the field that a key is bound to, or nil. Fields
// of embedded structs count as the struct's own.
func fieldType(t reflect.Type, key string, embedded int) reflect.Type {
	var promoted reflect.Type
	for i := range t.NumField() {
		f := t.Field(i)
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case name == "" && f.Anonymous:
			inner := f.Type
			if inner.Kind() == reflect.Pointer {
				inner = inner.Elem()
			}
			if inner.Kind() == reflect.Struct {
				if promoted == nil && embedded < maxEmbedded {
					promoted = fieldType(inner, key, embedded+1)
				}
				continue
			}
			name = f.Name
		case name == "":
			name = f.Name
		}
		if strings.EqualFold(name, key) && f.Tag.Get("json") != "-" {
			return f.Type
		}
	}
	return promoted
}
