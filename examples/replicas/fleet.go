package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"time"

	"github.com/kyckit/kyckit/nafath"
	"github.com/kyckit/kyckit/nafath/nafathtest"
)

// fleet is what is around the processes: the load balancer, the database with the rows
// of open verifications, the provider with the people's phones, and a supervisor.
type fleet struct {
	fake  *nafathtest.Server
	begin time.Time

	mu       sync.Mutex // guards what follows, and out
	out      io.Writer
	members  []*member
	rows     map[string]*row // by person
	adopted  int
	notified int // webhooks that came to a process at which nobody waited for them
	problems []string
}

// member is one process.
type member struct {
	cmd   *exec.Cmd
	in    io.WriteCloser
	ended chan struct{}
	dead  bool
	stats nafath.Stats
}

// send tells a process what to do. One that just died is told nothing.
func (m *member) send(o order) {
	if line, err := json.Marshal(o); err == nil {
		_, _ = m.in.Write(append(line, '\n'))
	}
}

// row is what the database has of a person's verification.
type row struct {
	holder   int    // the process that serves it
	sealed   string // the transaction, from when there is one
	verified int    // times
	unknown  bool   // its process died, and nobody knows whether the person was asked
}

func newFleet(ctx context.Context, redis string, processes int, out io.Writer) (*fleet, error) {
	f := &fleet{begin: time.Now(), out: out, rows: map[string]*row{}}
	f.fake = nafathtest.NewServer(nafathtest.Config{Limits: limits, OnPrompt: func(tx nafath.Transaction) {
		// The person takes the phone out.
		time.AfterFunc(3*time.Second+time.Duration(tx.TransID[0]%8)*time.Second, func() { f.approve(tx) })
	}})
	environment, err := json.Marshal(setup{
		Redis: redis, Provider: f.fake.URL, Tenant: "example-" + rand.Text(), StoreKey: newKey(), RowKey: newKey(), Processes: processes,
	})
	if err != nil {
		return nil, err
	}
	for range processes {
		if err := f.start(ctx, string(environment)); err != nil {
			f.close()
			return nil, err
		}
	}
	return f, nil
}

// newKey makes a key. In production it comes from where the processes keep secrets.
func newKey() []byte {
	key := make([]byte, 32)
	_, _ = rand.Read(key)
	return key
}

// start runs this program again, as a replica.
func (f *fleet) start(ctx context.Context, environment string) error {
	program, err := os.Executable()
	if err != nil {
		return err
	}
	m := &member{cmd: exec.CommandContext(ctx, program), ended: make(chan struct{})}
	m.cmd.Env = append(os.Environ(), replicaEnv+"="+environment)
	in, err := m.cmd.StdinPipe()
	if err != nil {
		return err
	}
	out, err := m.cmd.StdoutPipe()
	if err != nil {
		return err
	}
	m.in = in
	if err := m.cmd.Start(); err != nil {
		return err
	}
	f.mu.Lock()
	i := len(f.members)
	f.members = append(f.members, m)
	f.mu.Unlock()
	go func() {
		for reports := json.NewDecoder(out); ; {
			var r report
			if err := reports.Decode(&r); err != nil {
				break
			}
			f.hear(m, r)
		}
		_ = m.cmd.Wait()
		f.gone(i)
		close(m.ended)
	}()
	return nil
}

func (f *fleet) hear(m *member, r report) {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case r.Stats != nil:
		m.stats = *r.Stats
	case r.Err != "":
		f.problems = append(f.problems, r.Err)
	case r.Ended:
		f.rows[r.Person].verified++
	default:
		f.rows[r.Person].sealed = r.Row
	}
}

// gone hands the rows of a process that ended to the others, in turn. An application
// does this with a lease in its database, which the holder of a row renews.
func (f *fleet) gone(i int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.members[i].dead = true
	for person, r := range f.rows {
		switch {
		case r.holder != i || r.verified > 0:
		case r.sealed == "":
			r.unknown = true
		default:
			f.adopted++
			if r.holder = f.alive(i + f.adopted); r.holder >= 0 {
				f.members[r.holder].send(order{Person: person, Row: r.sealed, Adopt: true})
			}
		}
	}
}

// alive is the process i, or the next that lives; -1 when there is none.
func (f *fleet) alive(i int) int {
	for k := range f.members {
		if at := (i + k) % len(f.members); !f.members[at].dead {
			return at
		}
	}
	return -1
}

// let lets a person come each second, two of three to the first process.
func (f *fleet) let(ctx context.Context) {
	for i := 0; ctx.Err() == nil; i++ {
		f.mu.Lock()
		at := 0
		if i%3 == 2 {
			at = 1 + i/3%(len(f.members)-1)
		}
		if at = f.alive(at); at >= 0 {
			person := fmt.Sprintf("1%09d", i)
			f.rows[person] = &row{holder: at}
			f.members[at].send(order{Person: person})
		}
		f.mu.Unlock()
		pause(ctx, time.Second)
	}
}

// approve is the person at the phone. The provider's webhook comes to a process that
// does not wait for it, which tells the one that does.
func (f *fleet) approve(tx nafath.Transaction) {
	if f.fake.Approve(tx.TransID, tx.Random) != nil {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	holder := f.rows[tx.NationalID].holder
	if at := f.alive(holder + 1); at >= 0 && at != holder {
		f.notified++
		f.members[at].send(order{Notify: tx.TransID})
	}
}

// kill ends the first process as kill -9 does, and returns when its rows are adopted.
func (f *fleet) kill() {
	f.say("process 1, the busiest, is killed")
	_ = f.members[0].cmd.Process.Kill()
	<-f.members[0].ended
	f.mu.Lock()
	adopted := f.adopted
	f.mu.Unlock()
	f.say(fmt.Sprintf("the others took over the %d verifications that it had open", adopted))
}

// watch writes a line every two seconds.
func (f *fleet) watch(ctx context.Context) {
	f.mu.Lock()
	fmt.Fprintf(f.out, "%5s", "")
	for i := range f.members {
		fmt.Fprintf(f.out, "   %-21s", fmt.Sprint("process ", i+1))
	}
	fmt.Fprintln(f.out, "   provider, last minute")
	f.mu.Unlock()
	checks := make([]uint64, len(f.members))
	for ctx.Err() == nil {
		pause(ctx, 2*time.Second)
		f.mu.Lock()
		var line strings.Builder
		fmt.Fprintf(&line, "%4.0fs", time.Since(f.begin).Seconds())
		for i, m := range f.members {
			cell := "dead"
			if !m.dead {
				cell = fmt.Sprintf("%2d open, %2d checks", m.stats.Pending+m.stats.Queued, m.stats.Checks-checks[i])
				if m.stats.Fallback {
					cell += " *" // on its static share
				}
				checks[i] = m.stats.Checks
			}
			fmt.Fprintf(&line, "   %-21s", cell)
		}
		fmt.Fprintf(&line, "   %3d checks of %d", lastMinute(f.times(nafathtest.OpStatus), time.Now()), limits.StatusChecks)
		fmt.Fprintln(f.out, line.String())
		f.mu.Unlock()
	}
}

func (f *fleet) say(what string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	fmt.Fprintf(f.out, "%4.0fs   %s\n", time.Since(f.begin).Seconds(), what)
}

// finish waits until everybody who came is verified.
func (f *fleet) finish(ctx context.Context) error {
	f.say("nobody comes any more")
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	for f.waiting() > 0 {
		if ctx.Err() != nil {
			return fmt.Errorf("%d people wait still", f.waiting())
		}
		pause(ctx, 200*time.Millisecond)
	}
	return nil
}

func (f *fleet) waiting() (n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, r := range f.rows {
		if r.verified == 0 && !r.unknown {
			n++
		}
	}
	return n - len(f.problems)
}

// close ends the processes, and returns when they have.
func (f *fleet) close() {
	for _, m := range f.members {
		_ = m.in.Close()
	}
	for _, m := range f.members {
		select {
		case <-m.ended:
		case <-time.After(15 * time.Second):
			_ = m.cmd.Process.Kill()
		}
	}
	f.fake.Close()
}

// summary writes what came of it, by the provider's own record, and fails if a promise
// was not kept.
func (f *fleet) summary() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	verified, unknown, twice := 0, 0, 0
	for _, r := range f.rows {
		verified += min(r.verified, 1)
		if r.verified > 1 {
			twice++
		}
		if r.unknown {
			unknown++
		}
	}
	fmt.Fprintf(f.out, "\n%d people came, %d were verified, each once; %d of them by another process than began\n", len(f.rows), verified, f.adopted)
	if unknown > 0 {
		fmt.Fprintf(f.out, "%d had no transaction yet when their process died: they may have been asked, so nobody asks them again unbidden\n", unknown)
	}
	fmt.Fprintf(f.out, "%d webhooks came to a process at which nobody waited for them, and woke the one that did\n", f.notified)
	over := 0
	fmt.Fprintln(f.out, "The most in any minute, by the provider's record:")
	for _, op := range []struct {
		name  string
		limit int
	}{{nafathtest.OpRequest, limits.Requests}, {nafathtest.OpStatus, limits.StatusChecks}, {nafathtest.OpDetails, limits.Details}} {
		most := mostInAMinute(f.times(op.name))
		over += f.fake.Limited(op.name)
		fmt.Fprintf(f.out, "  %-8s %3d of %d\n", op.name, most, op.limit)
	}
	fmt.Fprintf(f.out, "Calls over a limit: %d. Logins: %d\n", over, f.fake.Count(nafathtest.OpToken))
	var err error
	if twice > 0 || len(f.problems) > 0 || over > 0 {
		err = fmt.Errorf("%d people were verified twice, %d not, and %d calls were over a limit", twice, len(f.problems), over)
	}
	return err
}

// times are those of the provider's calls of an operation.
func (f *fleet) times(op string) []time.Time {
	requests := f.fake.Requests(op)
	times := make([]time.Time, len(requests))
	for i, r := range requests {
		times[i] = r.Time
	}
	return times
}

// lastMinute is how many of times are in the minute before end.
func lastMinute(times []time.Time, end time.Time) (n int) {
	for _, t := range times {
		if !t.After(end) && end.Sub(t) < time.Minute {
			n++
		}
	}
	return n
}

// mostInAMinute is how many of times are in the fullest minute.
func mostInAMinute(times []time.Time) (most int) {
	for _, end := range times {
		most = max(most, lastMinute(times, end))
	}
	return most
}
