package main

import (
	"bytes"
	"strings"
	"testing"
	"time"
)

// TestVariantsRun runs each variant of each group twice: what is measured must
// work. It checks no times.
func TestVariantsRun(t *testing.T) {
	for _, build := range groups() {
		all, err := build()
		if err != nil {
			t.Fatal(err)
		}
		for _, g := range all {
			if len(g.variants) == 0 == (g.report == nil) {
				t.Errorf("%s: either variants or a report", g.name)
			}
			for _, v := range g.variants {
				v.run(2)
			}
			if g.close != nil {
				g.close()
			}
		}
	}
}

func TestTable(t *testing.T) {
	g := group{name: "demo", title: "sleep", variants: []variant{
		{"base", func(n int) { spin(n) }},
		{"three times", func(n int) { spin(3 * n) }},
	}}
	var out bytes.Buffer
	if err := g.print(&out, options{rounds: 20, slice: time.Millisecond}); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(out.String(), "| base        | 1.00  |") || !strings.Contains(out.String(), "| three times |") {
		t.Error(out.String())
	}
	if err := run(&out, options{rounds: 1, slice: time.Millisecond}, "no such group"); err == nil {
		t.Error("an unknown group is no error")
	}
}

var sink int

func spin(n int) {
	for i := range n * 1000 {
		sink += i * i
	}
}
