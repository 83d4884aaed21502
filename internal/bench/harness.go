package main

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"sync"
	"text/tabwriter"
	"time"
)

// group is a set of variants that do the same work and are measured together.
type group struct {
	// name is what -group selects, such as "mint" or "token/serial".
	name string
	// title says what one operation is.
	title string
	// variants hold the base first: ratios are relative to it.
	variants []variant
	// report replaces the measurement, for groups whose result is not a time.
	report func(w io.Writer) error
	// close releases what the group holds.
	close func()
}

// variant is one way to do the work.
type variant struct {
	name string
	// run does the work n times.
	run func(n int)
}

type options struct {
	rounds int
	slice  time.Duration
}

type result struct {
	ratio, ns, allocs, bytes float64
}

// measure runs the variants in short slices, in a new random order each round,
// on the process's CPU clock. What disturbs the machine then disturbs all of
// them alike, and the median of the ratios within a round is steady where
// absolute times are not.
func (g *group) measure(o options) ([]result, error) {
	if o.rounds < 1 || o.slice <= 0 {
		return nil, errors.New("rounds and slice must be positive")
	}
	results := make([]result, len(g.variants))
	count := make([]int, len(g.variants))
	for i, v := range g.variants {
		v.run(1)
		count[i] = calibrate(v, o.slice)
		results[i].allocs, results[i].bytes = allocations(v, max(count[i]/4, 10))
	}
	times := make([][]float64, len(g.variants))
	ratios := make([][]float64, len(g.variants))
	for range o.rounds {
		round := make([]float64, len(g.variants))
		for _, i := range rand.Perm(len(g.variants)) {
			begin := cpu()
			g.variants[i].run(count[i])
			round[i] = float64(cpu()-begin) / float64(count[i])
		}
		for i, ns := range round {
			times[i] = append(times[i], ns)
			ratios[i] = append(ratios[i], ns/round[0])
		}
	}
	for i := range results {
		results[i].ns, results[i].ratio = median(times[i]), median(ratios[i])
	}
	return results, nil
}

// calibrate returns how many operations fill a slice.
func calibrate(v variant, slice time.Duration) int {
	for n := 1; ; n *= 2 {
		begin := cpu()
		v.run(n)
		if took := cpu() - begin; took >= slice/4 {
			return max(int(float64(n)*float64(slice)/float64(took)), 1)
		}
	}
}

// allocations returns what one operation allocates.
func allocations(v variant, n int) (allocs, bytes float64) {
	var before, after runtime.MemStats
	runtime.GC()
	v.run(1) // fills the pools that the collection has emptied
	runtime.ReadMemStats(&before)
	v.run(n)
	runtime.ReadMemStats(&after)
	return float64(after.Mallocs-before.Mallocs) / float64(n), float64(after.TotalAlloc-before.TotalAlloc) / float64(n)
}

func median(v []float64) float64 {
	slices.Sort(v)
	return v[len(v)/2]
}

func (g *group) print(w io.Writer, o options) error {
	if _, err := fmt.Fprintf(w, "### %s: %s\n\n", g.name, g.title); err != nil {
		return err
	}
	if g.report != nil {
		if err := g.report(w); err != nil {
			return err
		}
		_, err := fmt.Fprintln(w)
		return err
	}
	results, err := g.measure(o)
	if err != nil {
		return err
	}
	rows := [][]string{{"variant", "ratio", "CPU/op", "allocs", "bytes"}}
	for i, r := range results {
		rows = append(rows, []string{
			g.variants[i].name, fmt.Sprintf("%.2f", r.ratio), short(r.ns),
			fmt.Sprintf("%.0f", r.allocs), fmt.Sprintf("%.0f", r.bytes),
		})
	}
	if err := table(w, rows); err != nil {
		return err
	}
	_, err = fmt.Fprintln(w)
	return err
}

// table writes rows as a Markdown table; the first row is the head.
func table(w io.Writer, rows [][]string) error {
	tw := tabwriter.NewWriter(w, 0, 0, 1, ' ', 0)
	for i, row := range rows {
		_, _ = fmt.Fprintf(tw, "| %s\t|\n", strings.Join(row, "\t| "))
		if i == 0 {
			_, _ = fmt.Fprintf(tw, "|%s\n", strings.Repeat("---\t|", len(row)))
		}
	}
	return tw.Flush()
}

func short(ns float64) string {
	switch {
	case ns < 10_000:
		return fmt.Sprintf("%.0f ns", ns)
	case ns < 10_000_000:
		return fmt.Sprintf("%.1f µs", ns/1e3)
	default:
		return fmt.Sprintf("%.1f ms", ns/1e6)
	}
}

// parallel makes a variant that shares its work out to all processors.
func parallel(run func(n int)) func(n int) {
	return func(n int) {
		procs := runtime.GOMAXPROCS(0)
		var wg sync.WaitGroup
		for range procs {
			wg.Go(func() { run((n + procs - 1) / procs) })
		}
		wg.Wait()
	}
}

// must ends the program: a variant that fails measures nothing.
func must(err error) {
	if err != nil {
		panic(err)
	}
}
