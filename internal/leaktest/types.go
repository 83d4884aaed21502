package leaktest

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// What Types puts into the fields of the types that it prints.
const (
	plantedText   = "pl4nted-t3xt"
	plantedNumber = 48151623
)

// Types fills a copy of each value with planted texts and numbers, also below
// pointers, slices and maps, and fails the test if printing the copy shows one.
//
// It finds the exported struct types of the package under test in its source
// files, so that a new type cannot be forgotten: each must be among the values,
// or be named in plain because it holds neither personal data nor a secret.
func Types(t testing.TB, values []any, plain ...string) {
	t.Helper()
	declared := exportedStructs(t)
	known := map[string]bool{}
	for _, name := range plain {
		if !declared[name] {
			t.Errorf("%s is named as plain, but there is no such exported struct type", name)
		}
		known[name] = true
	}
	for _, v := range values {
		typ := reflect.TypeOf(v)
		if typ.Kind() == reflect.Pointer {
			typ = typ.Elem()
		}
		known[typ.Name()] = true
		filled := reflect.New(typ)
		fill(filled.Elem(), 0)
		for _, v := range []any{filled.Elem().Interface(), filled.Interface()} {
			Silent(t, typ.String(), Printed(v), plantedText, fmt.Sprint(plantedNumber))
		}
	}
	for name := range declared {
		if !known[name] {
			t.Errorf("the exported type %s is neither checked for leaks nor named as plain", name)
		}
	}
}

// exportedStructs returns the names of the exported struct types declared in
// the current directory, which is the package's while its tests run.
func exportedStructs(t testing.TB) map[string]bool {
	t.Helper()
	files, err := filepath.Glob("*.go")
	if err != nil || len(files) == 0 {
		t.Fatalf("no source files: %v", err)
	}
	names := map[string]bool{}
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatalf("reading the package's source: %v", err)
		}
		for _, decl := range parsed.Decls {
			types, ok := decl.(*ast.GenDecl)
			if !ok {
				continue
			}
			for _, spec := range types.Specs {
				if s, ok := spec.(*ast.TypeSpec); ok && s.Name.IsExported() {
					if _, isStruct := s.Type.(*ast.StructType); isStruct {
						names[s.Name.Name] = true
					}
				}
			}
		}
	}
	return names
}

// fill plants a text or a number wherever an exported field can hold it.
func fill(v reflect.Value, depth int) {
	const deepest = 6
	if depth > deepest || !v.CanSet() {
		return
	}
	switch v.Kind() { // the rest holds no text
	case reflect.String:
		v.SetString(plantedText)
	case reflect.Int, reflect.Int32, reflect.Int64:
		v.SetInt(plantedNumber)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem(), depth+1)
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			v.SetBytes([]byte(`"` + plantedText + `"`))
			return
		}
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fill(v.Index(0), depth+1)
	case reflect.Map:
		key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
		fill(key, depth+1)
		fill(value, depth+1)
		v.Set(reflect.MakeMap(v.Type()))
		v.SetMapIndex(key, value)
	case reflect.Interface:
		if v.NumMethod() == 0 {
			v.Set(reflect.ValueOf(plantedText))
		}
	case reflect.Struct:
		for _, field := range v.Fields() {
			fill(field, depth+1)
		}
	}
}
