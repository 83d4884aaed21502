package strictjson

import (
	"reflect"
	"strings"
)

// target is the Go type that a value of the document is decoded into; its zero
// value is a type with no struct in it, or an unknown one.
type target struct{ typ reflect.Type }

// targetOf returns the target of a document that is decoded into v.
func targetOf(v any) target { return target{reflect.TypeOf(v)}.settled() }

// settled follows pointers, and forgets types with no struct in them, such as
// json.RawMessage and other slices of bytes.
func (t target) settled() target {
	if t.typ == nil || !holdsStruct(t.typ, 0) {
		return target{}
	}
	for t.typ.Kind() == reflect.Pointer {
		t.typ = t.typ.Elem()
	}
	return t
}

// holdsStruct tells whether a value of the type is a struct, or a pointer, list
// or map of some. Below MaxDepth, where only a type that is made of itself has
// anything, no document reaches.
func holdsStruct(t reflect.Type, depth int) bool {
	switch t.Kind() { // all others hold no struct
	case reflect.Struct:
		return t.NumField() > 0
	case reflect.Pointer, reflect.Slice, reflect.Array, reflect.Map:
		return depth < MaxDepth && holdsStruct(t.Elem(), depth+1)
	default:
		return false
	}
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
	for i := range t.NumField() { //nolint:modernize // t.Fields allocates, at every key
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
