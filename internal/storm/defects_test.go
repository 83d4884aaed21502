package storm

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var plant = flag.String("storm.defects", "", `plants the defects whose names match this pattern, "." for all, and says how many seeds find each`)

// defect is a small patch that breaks a promise.
type defect struct {
	name, file, old, new string
}

// defects are planted one after the other, each into a copy of the code.
var defects = []defect{
	{"the details are not compared with the person", "nafath/verify.go", `if !ok || id != e.tx.NationalID {`, `if !ok || id == "" {`},
	{"a webhook is taken as proof", "nafath/notify.go", `	if e := s.open[k]; e != nil {
`, `	if e := s.open[k]; e != nil && !e.calling {
		s.settle(e, StatusRejected, nil)
		return
	}
	if e := s.open[k]; e != nil {
`},
	{"a rejection counts as an approval", "nafath/registry.go", `	p.signals.forget(e)
	p.change(e, status)
`, `	p.signals.forget(e)
	if status == StatusRejected {
		status, e.person = StatusCompleted, &Details{IDNumber: e.tx.NationalID}
	}
	p.change(e, status)
`},
	{"one person may have several verifications", "nafath/begin.go", `case p.people.open[id] > 0:`, `case p.people.open[id] > 1000:`},
	{"a creation is repeated after a lost answer", "nafath/client.go", `Op: "request", Method: http.MethodPost, Path: c.paths.Request, Body: body, Once: t == once,`, `Op: "request", Method: http.MethodPost, Path: c.paths.Request, Body: body, Repeatable: true,`},
	{"a creation that failed with a 500 is called unsent", "nafath/client.go", `return Transaction{}, unsure(err)`, `return Transaction{}, &kyckit.Error{Provider: provider, Op: "request", Kind: kyckit.ErrUnavailable, Reason: "lost"}`},
	{"a creation that was refused with a 429 is given up", "nafath/begin.go", `	after, limited := rateLimited(err)
		refused`, `	after, limited := rateLimited(err)
		if limited {
			gate.Limited(sent, after)
			return errors.New("given up")
		}
		refused`},
	{"requests in flight count as from their sending", "internal/poll/window.go", `	w.flight--
	if w.n == len(w.answered) {`, `	w.flight--
	now -= 2 * w.trip
	if w.n == len(w.answered) {`},
	{"the limit is one too high", "internal/poll/window.go", `return max(next, w.freeAt(max(1, int(w.rate))))`, `return max(now, w.freeAt(max(1, int(w.rate))+1))`},
	{"the pace of the first minute is off", "internal/poll/window.go", `fresh := now < w.start+Minute`, `fresh := false`},
	{"the floor between two checks is off", "internal/poll/scheduler.go", `it := &Item[T]{Value: value, at: len(s.open), floor: now + s.cfg.Floor, hintedAt: -never, said: never}`, `s.cfg.Floor = 0
	it := &Item[T]{Value: value, at: len(s.open), floor: now + s.cfg.Floor, hintedAt: -never, said: never}`},
	{"a failed check ends the verification", "nafath/loop.go", `case code != "":
		p.end(e, code, err)`, `case code != "" || err != nil:
		p.end(e, "failed", err)`},
	{"a drain still starts prompts", "nafath/poller.go", `	s.requests.Close()
	left := error(nil)`, `	left := error(nil)`},
	{"an approval that a first check notices is not read", "nafath/registry.go", `	case e.wanted:
		p.identify(e)
`, `	case e.wanted && e.checks > 2:
		p.identify(e)
`},
	{"details are given up at the first failure", "nafath/verify.go", `if try == detailTries || !passing(err) || wait > detailGiveUp {`, `if true {
			if err != nil {
				err = outcome(ErrFailed)
			}`},
	{"every caller reads the details", "nafath/verify.go", `	err = paced(p.life, p.details, ticket, "details", func() (err error) {
`, `	err = paced(p.life, p.details, ticket, "details", func() (err error) {
		_, _ = p.cfg.Client.details(p.life, e.tx.TransID, once)
`},
	{"nobody who approved late is looked for", "nafath/config.go", `defaultTimeout        = 5 * time.Minute`, `defaultTimeout        = 40 * time.Second`},
	{"a stored transaction is of any age and its identity is lost", "nafath/registry.go", `	e := &entry{tx: tx}
	p.add(e)
	return e, nil`, `	tx.NationalID = "1000000008"
	e := &entry{tx: tx}
	p.add(e)
	return e, nil`},
	{"whoever is first in the queue does not look at the clock", "internal/poll/gate.go", `return 0, min(next-now, time.Hour), nil`, `return 0, time.Hour, nil`},
	{"an error shows the national id", "nafath/begin.go", `Reason: "this person has a verification here that has not ended"`, `Reason: "this person has a verification here: " + id`},
	{"the log shows the filled path", "internal/transport/try.go", `slog.String("path", st.call.Path),`, `slog.Any("path", append([]string{st.call.Path}, st.call.Args...)),`},
	{"any signature is accepted", "webhook/hmac.go", `if good == 1 {`, `if good >= 0 {`},
	{"any time is accepted", "webhook/hmac.go", `if c.timestamp != "" && h.tolerance > 0 {`, `if false && c.timestamp != "" {`},
	{"a delivery is handled again", "webhook/memoryclaims.go", `		if e.committed {
			return "", ErrDuplicate
		}
		return "", ErrInProgress
	}
	return m.take(c, place, lease, now, false)`, `		if !e.committed {
			return "", ErrInProgress
		}
	}
	return m.take(c, place, lease, now, false)`},
	{"a refused token is used on", "auth/transport.go", `if err != nil || resp == nil || !t.refuses(resp) {`, `if true {`},
	{"a token is thrown away long before its end", "auth/cache.go", `life := time.Until(t.Expiry)
`, `life := time.Until(t.Expiry) / 50
`},
	{"a token dies unnoticed", "auth/cache.go", `life := time.Until(t.Expiry)
`, `life := time.Until(t.Expiry) + 1000*time.Hour
`},
	{"a goroutine outlives Close", "nafath/poller.go", `	p.stopped = true
	for _, e := range p.open {`, `	p.stopped = true
	go func() { <-make(chan struct{}) }()
	for _, e := range p.open {`},
}

// TestDefectsCanBePlanted holds each patch to fit the code as it is.
func TestDefectsCanBePlanted(t *testing.T) {
	assert.GreaterOrEqual(t, len(defects), 25)
	readme, err := os.ReadFile("README.md")
	require.NoError(t, err)
	for _, d := range defects {
		text, err := os.ReadFile(filepath.Join("..", "..", d.file))
		if assert.NoError(t, err) {
			assert.Equalf(t, 1, strings.Count(string(text), d.old), "%s: the text to be replaced in %s", d.name, d.file)
			assert.Containsf(t, string(readme), fmt.Sprintf("| %s | `%s` |", d.name, d.file), "the table of what is found")
		}
	}
}

// TestPlantedDefects proves that the storm finds things. It takes a while, so it
// runs only when asked:
//
//	go test ./internal/storm -run TestPlantedDefects -v -timeout=0 -storm.defects=.
func TestPlantedDefects(t *testing.T) {
	if *plant == "" {
		t.Skip("-storm.defects was not given")
	}
	const most = 500
	for _, d := range defects {
		if !regexp.MustCompile(*plant).MatchString(d.name) {
			continue
		}
		t.Run(d.name, func(t *testing.T) {
			program := buildWith(t, d)
			for seed := 1; seed <= most; {
				n := min(max(5, seed), most+1-seed) // more and more at a time
				storm := exec.CommandContext(t.Context(), program, "-test.run=TestStorm", "-test.timeout=5m",
					fmt.Sprintf("-storm.seeds=%d", n), fmt.Sprintf("-storm.seed=%d", seed))
				out, err := storm.CombinedOutput()
				if err != nil {
					t.Logf("found by seed %s", firstSeed(string(out), seed))
					return
				}
				seed += n
			}
			t.Errorf("not found by %d seeds", most)
		})
	}
}

// firstSeed reads from a run's output which seed failed, and how.
func firstSeed(out string, from int) string {
	if match := regexp.MustCompile(`seed (\d+): .*`).FindString(out); match != "" {
		return strings.TrimPrefix(match, "seed ")
	}
	if match := regexp.MustCompile(`(?m)^panic: .*`).FindString(out); match != "" {
		return fmt.Sprintf("%d or later: %s", from, match)
	}
	return fmt.Sprintf("%d or later", from)
}

// buildWith builds the storm with a defect, in a tree that is overlaid: nothing of
// the real one is touched.
func buildWith(t *testing.T, d defect) (program string) {
	t.Helper()
	name, err := filepath.Abs(filepath.Join("..", "..", d.file))
	require.NoError(t, err)
	text, err := os.ReadFile(name)
	require.NoError(t, err)
	dir := t.TempDir()
	patched, overlay, program := filepath.Join(dir, "patched.go"), filepath.Join(dir, "overlay.json"), filepath.Join(dir, "storm.test")
	require.NoError(t, os.WriteFile(patched, []byte(strings.Replace(string(text), d.old, d.new, 1)), 0o600))
	replace, err := json.Marshal(map[string]map[string]string{"Replace": {name: patched}})
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(overlay, replace, 0o600))
	out, err := exec.CommandContext(t.Context(), "go", "test", "-c", "-vet=off", "-overlay", overlay, "-o", program, ".").CombinedOutput()
	require.NoError(t, err, string(out))
	return program
}
