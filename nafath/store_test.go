package nafath_test

import (
	"context"
	"crypto/rand"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kyckit/kyckit"
	"github.com/kyckit/kyckit/nafath"
	"github.com/kyckit/kyckit/nafath/nafathtest"
)

// table is a database/sql driver that knows the statements of the example, and
// nothing else. What is done to it goes through do, if that is set.
type table struct {
	*rowsOf
	do func(act func()) error
}

type rowsOf struct {
	mu   sync.Mutex
	rows []*tableRow
	away func() bool
}

type tableRow struct {
	id, state, sealed, holder string
	person                    string
	lease                     int64
}

func (r *tableRow) live() bool { return r.state == "begun" || r.state == "open" }

func (t *table) Connect(context.Context) (driver.Conn, error) {
	if t.rowsOf == nil {
		t.rowsOf = &rowsOf{}
	}
	return t, nil
}
func (t *table) Driver() driver.Driver               { return nil }
func (t *table) Prepare(string) (driver.Stmt, error) { return nil, errors.New("not prepared") }
func (t *table) Begin() (driver.Tx, error)           { return nil, errors.New("no transactions") }
func (t *table) Close() error                        { return nil }

func (t *table) effect(act func()) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.away != nil && t.away() {
		return errors.New("the database is away")
	}
	if t.do == nil {
		act()
		return nil
	}
	return t.do(act)
}

func (t *table) ExecContext(ctx context.Context, statement string, args []driver.NamedValue) (driver.Result, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	text := func(i int) string { return fmt.Sprint(args[i].Value) }
	number := func(i int) int64 { n, _ := args[i].Value.(int64); return n }
	var changed int64
	change := func(which func(*tableRow) bool, how func(*tableRow)) {
		for _, r := range t.rows {
			if r.live() && which(r) {
				how(r)
				changed++
			}
		}
	}
	mine := func(id, holder int) func(*tableRow) bool {
		return func(r *tableRow) bool { return r.id == text(id) && r.holder == text(holder) }
	}
	var refused error
	err := t.effect(func() {
		switch statement {
		case insertRow:
			for _, r := range t.rows {
				if r.live() && r.person == text(1) {
					refused = errors.New("unique index one_each")
					return
				}
			}
			t.rows = append(t.rows, &tableRow{id: text(0), person: text(1), state: "begun", holder: text(2), lease: number(3)})
		case openRow:
			change(mine(1, 2), func(r *tableRow) { r.state, r.sealed = "open", text(0) })
		case endRow:
			change(mine(1, 2), func(r *tableRow) { r.state, r.sealed = text(0), "" })
		case renewRows:
			change(func(r *tableRow) bool { return r.holder == text(1) }, func(r *tableRow) { r.lease = number(0) })
		case adoptRows:
			change(func(r *tableRow) bool { return r.lease < number(2) }, func(r *tableRow) { r.holder, r.lease = text(0), number(1) })
		default:
			refused = errors.New("unknown statement")
		}
	})
	return driver.RowsAffected(changed), errors.Join(err, refused)
}

func (t *table) QueryContext(ctx context.Context, statement string, args []driver.NamedValue) (driver.Rows, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	found := &found{}
	err := t.effect(func() {
		for _, r := range t.rows {
			switch statement {
			case readRow:
				if r.id == args[0].Value {
					found.columns, found.rows = 1, append(found.rows, []driver.Value{r.state})
				}
			case myRows:
				found.columns = 3
				if r.live() && r.holder == args[0].Value {
					found.rows = append(found.rows, []driver.Value{r.id, r.state, r.sealed})
				}
			}
		}
	})
	return found, err
}

type found struct {
	columns int
	rows    [][]driver.Value
}

func (f *found) Columns() []string { return make([]string, f.columns) }
func (f *found) Close() error      { return nil }
func (f *found) Next(to []driver.Value) error {
	if len(f.rows) == 0 {
		return io.EOF
	}
	copy(to, f.rows[0])
	f.rows = f.rows[1:]
	return nil
}

// mortal counts what a process does that lasts: requests, statements, and codes
// that it shows. It dies at a given one, before or after that is done.
type mortal struct {
	base   http.RoundTripper
	dieAt  int // 0 = never
	before bool

	mu   sync.Mutex
	done int
	dead bool
}

var errDead = errors.New("the process is dead")

func (m *mortal) do(act func()) error {
	m.mu.Lock()
	if m.dead {
		m.mu.Unlock()
		return errDead
	}
	m.done++
	dies := m.done == m.dieAt
	m.dead = dies
	m.mu.Unlock()
	if !dies || !m.before {
		act()
	}
	if dies {
		return errDead
	}
	return nil
}

func (m *mortal) RoundTrip(req *http.Request) (resp *http.Response, err error) {
	dead := m.do(func() { resp, err = m.base.RoundTrip(req) })
	if dead != nil {
		if resp != nil {
			_ = resp.Body.Close()
		}
		return nil, dead
	}
	return resp, err
}

// mortalDesk is a process with a desk.
func mortalDesk(t *testing.T, fake *nafathtest.Server, rows *rowsOf, m *mortal, show func(row, code string)) (d *desk, stop func()) {
	t.Helper()
	cfg := fake.ClientConfig()
	m.base = cfg.HTTP.Client.Transport
	cfg.HTTP.Client = &http.Client{Transport: m}
	client, err := nafath.New(cfg)
	require.NoError(t, err)
	poller, err := nafath.NewPoller(nafath.PollerConfig{Client: client})
	require.NoError(t, err)
	sealer, err := nafath.NewSealer(kyckit.NewSecret("0123456789abcdef" + strings.Repeat("\x9f", 16)))
	require.NoError(t, err)
	life, cancel := context.WithCancel(t.Context())
	db := sql.OpenDB(&table{rowsOf: rows, do: m.do})
	d = &desk{
		db: db, poller: poller, sealer: sealer, key: []byte("made up"), holder: rand.Text(), life: life,
		served: map[string]*nafath.Verification{},
		show:   func(row, code string) { _ = m.do(func() { show(row, code) }) },
	}
	go d.keep()
	return d, func() {
		cancel()
		assert.NoError(t, poller.Close())
		assert.NoError(t, db.Close())
	}
}

// oneDeath lets a person verify at a process that dies at its dieAt-th effect,
// beside another process, and returns how many effects the first had.
func oneDeath(t *testing.T, dieAt int, before bool) (effects int) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		cfg := nafathtest.Config{}
		cfg.InMemory = true
		fake := nafathtest.NewServer(cfg)
		defer fake.Close()
		shown := false
		show := func(_, code string) {
			shown = true
			tx := fake.Transactions()[0]
			time.AfterFunc(15*time.Second, func() { _ = fake.Approve(tx.TransID, code) })
		}
		rows, first := &rowsOf{}, &mortal{dieAt: dieAt, before: before}
		d, stop := mortalDesk(t, fake, rows, first, show)
		defer stop()
		_, stopOther := mortalDesk(t, fake, rows, &mortal{}, show)
		defer stopOther()
		row, err := d.begin(t.Context(), "login", citizen)
		time.Sleep(10 * time.Minute)

		rows.mu.Lock()
		defer rows.mu.Unlock()
		created := len(fake.Transactions())
		require.LessOrEqual(t, created, 1, "one prompt")
		if len(rows.rows) == 0 {
			require.Error(t, err)
			require.Zero(t, created)
			return
		}
		r := rows.rows[0]
		switch {
		case shown:
			require.Equal(t, "verified", r.state, "whoever saw the code is served")
		case created == 1: // answered and lost, or stored and continued
			require.Contains(t, []string{"unknown", "verified", "expired"}, r.state)
		default:
			require.Contains(t, []string{"unknown", "unsent"}, r.state)
		}
		require.Empty(t, r.sealed, "what is over is not kept")
		if dieAt == 0 {
			require.NoError(t, err)
			require.Equal(t, row, r.id)
			require.Equal(t, "verified", r.state)
		}
		first.mu.Lock()
		effects = first.done
		first.mu.Unlock()
	})
	return effects
}

// The example's order of writing survives a death at any instruction: between any
// two effects that last, and when the answer to one is lost.
func TestStoreSurvivesADeathAtAnyInstruction(t *testing.T) {
	effects := min(oneDeath(t, 0, false), 60)
	require.Greater(t, effects, 12)
	for at := 1; at <= effects; at++ {
		for _, before := range []bool{true, false} {
			if !t.Run(fmt.Sprintf("%d, before %v", at, before), func(t *testing.T) { oneDeath(t, at, before) }) {
				return
			}
		}
	}
}

// While the database is away nobody is shown a code that is not stored, and nothing
// that was queued is sent once another process may take the row over.
func TestStoreThatIsAway(t *testing.T) {
	for name, away := range map[string]time.Duration{"shortly": 8 * time.Second, "for good": time.Hour} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				cfg := nafathtest.Config{}
				cfg.InMemory = true
				fake := nafathtest.NewServer(cfg)
				defer fake.Close()
				var codes atomic.Int32
				rows := &rowsOf{}
				d, stop := mortalDesk(t, fake, rows, &mortal{}, func(string, string) { codes.Add(1) })
				defer stop()
				for i := range 10 {
					_, err := d.begin(t.Context(), "login", person(i))
					require.NoError(t, err)
				}
				time.Sleep(13 * time.Second)
				require.EqualValues(t, 3, codes.Load())
				back := time.Now().Add(away)
				rows.mu.Lock()
				rows.away = func() bool { return time.Now().Before(back) }
				rows.mu.Unlock()
				time.Sleep(min(away, time.Minute) - time.Millisecond)
				require.EqualValues(t, 3, codes.Load(), "what is not stored is not shown")
				time.Sleep(time.Minute)
				if away < leaseTime {
					assert.EqualValues(t, 10, codes.Load())
					return
				}
				assert.LessOrEqual(t, fake.Count("request"), 8, "what is queued is given up before the lease ends")
			})
		})
	}
}
