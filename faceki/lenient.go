package faceki

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
	"time"

	"github.com/kyckit/kyckit/internal/lenient"
)

// rawReader is a type with its own way of reading a raw value.
type rawReader interface{ readRaw(raw json.RawMessage) }

// decodeLenient fills the struct that v points to from a JSON object. Every
// field is optional and nullable, and strings stand in for numbers and bools
// and numbers for strings, because FACEKI's sources disagree on types and its
// records grow. A value that does not fit, or an array that is far too long,
// leaves its field empty; it is never lost, since the types keep their raw
// JSON. Keys compare exactly. False means that data is no object, or one in
// which a key occurs twice.
func decodeLenient(data []byte, v any) bool {
	return decodeObject(data, reflect.ValueOf(v).Elem())
}

func decodeObject(data []byte, dst reflect.Value) bool {
	keys, ok := members(data)
	if !ok {
		return false
	}
	t := dst.Type()
	for i := range t.NumField() {
		name, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
		if raw, ok := keys[name]; ok && name != "" && name != "-" {
			decodeValue(raw, dst.Field(i))
		}
	}
	return true
}

func decodeValue(raw json.RawMessage, dst reflect.Value) {
	if lenient.IsNull(raw) {
		return
	}
	switch p := dst.Addr().Interface().(type) {
	case rawReader:
		p.readRaw(raw)
		return
	case *json.RawMessage:
		*p = bytes.Clone(raw)
		return
	case *time.Time:
		*p = lenient.Time(raw) // zero in another notation
		return
	case **bool:
		if b, ok := lenient.Bool(raw); ok {
			*p = &b
		}
		return
	case **int:
		if n, ok := lenient.Int(raw); ok {
			i := int(n)
			*p = &i
		}
		return
	case **float64:
		if f, ok := lenient.Float(raw); ok {
			*p = &f
		}
		return
	}
	switch dst.Kind() { // the kinds that this package's types have
	case reflect.String:
		dst.SetString(lenient.Text(raw))
	case reflect.Struct:
		decodeObject(raw, dst)
	case reflect.Pointer:
		if v := reflect.New(dst.Type().Elem()); decodeObject(raw, v.Elem()) {
			dst.Set(v)
		}
	case reflect.Slice:
		decodeSlice(raw, dst)
	}
}

// maxItems is how many values are read of an array inside a record, which has a
// few. A megabyte of "{}" would become hundreds of megabytes of structs.
const maxItems = 1000

// decodeSlice reads an array; a single value stands for an array of one. A
// value that does not fit still takes its place, so that indexes agree.
func decodeSlice(raw json.RawMessage, dst reflect.Value) {
	if n, _ := lenient.Items(raw); n > maxItems {
		return
	}
	var items []json.RawMessage
	if json.Unmarshal(raw, &items) != nil {
		items = []json.RawMessage{raw}
	}
	out := reflect.MakeSlice(dst.Type(), len(items), len(items))
	for i, item := range items {
		decodeValue(item, out.Index(i))
	}
	dst.Set(out)
}
