package main

import (
	"context"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// postgres is a cluster of the test's own, on loopback.
type postgres struct {
	t               *testing.T
	bin, dir, where string
	port            string
	who             *syscall.SysProcAttr
	cmd             *exec.Cmd
}

func startPostgres(t *testing.T) *postgres {
	t.Helper()
	p := &postgres{t: t}
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb") // Debian keeps the programs out of the path
	if path, err := exec.LookPath("initdb"); err == nil {
		if path, err = filepath.EvalSymlinks(path); err == nil {
			found = append(found, path)
		}
	}
	if len(found) == 0 {
		missing(t, "initdb (PostgreSQL)")
	}
	p.bin = filepath.Dir(found[0])
	dir, err := os.MkdirTemp("", "nafathweb-postgres") //nolint:usetesting // not t.TempDir, whose parent the user postgres cannot enter
	require.NoError(t, err)
	p.dir = dir
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if os.Geteuid() == 0 { // PostgreSQL refuses to run as root
		u, err := user.Lookup("postgres")
		if err != nil {
			missing(t, "the user postgres")
		}
		uid, err := strconv.ParseUint(u.Uid, 10, 32)
		require.NoError(t, err)
		gid, err := strconv.ParseUint(u.Gid, 10, 32)
		require.NoError(t, err)
		require.NoError(t, os.Chown(dir, int(uid), int(gid)))
		p.who = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}
	}
	out, err := p.command("initdb", "-D", filepath.Join(dir, "data"), "-U", "people", "-A", "trust", "-E", "UTF8", "--no-locale", "--no-sync").CombinedOutput()
	require.NoError(t, err, string(out))
	_, p.port, err = net.SplitHostPort(freeAddr(t))
	require.NoError(t, err)
	p.where = "postgres://people:hunter2@127.0.0.1:" + p.port + "/postgres?sslmode=disable"
	p.start()
	t.Cleanup(p.kill)
	return p
}

func (p *postgres) command(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(p.bin, name), args...)
	cmd.Dir, cmd.SysProcAttr = p.dir, p.who
	return cmd
}

func (p *postgres) start() {
	p.t.Helper()
	p.cmd = p.command("postgres", "-D", filepath.Join(p.dir, "data"), "-h", "127.0.0.1", "-p", p.port, "-k", p.dir, "-c", "fsync=off")
	require.NoError(p.t, p.cmd.Start())
	require.Eventually(p.t, func() bool {
		return p.command("pg_isready", "-h", "127.0.0.1", "-p", p.port).Run() == nil
	}, time.Minute, 100*time.Millisecond)
}

// kill is an immediate shutdown: the server recovers at its next start.
func (p *postgres) kill() {
	_ = p.cmd.Process.Signal(syscall.SIGQUIT)
	_ = p.cmd.Wait()
}

// What the rows promise, by both databases.
func TestStores(t *testing.T) {
	t.Run("SQLite", func(t *testing.T) { testStores(t, filepath.Join(t.TempDir(), "people.sqlite")) })
	t.Run("PostgreSQL", func(t *testing.T) { testStores(t, startPostgres(t).where) })
}

func testStores(t *testing.T, where string) {
	const processes = 6
	stores := make([]*store, processes) // which start at once, and make the table
	var all sync.WaitGroup
	each := func(do func(i int, s *store)) {
		for i, s := range stores {
			all.Go(func() { do(i, s) })
		}
		all.Wait()
	}
	each(func(i int, _ *store) {
		s, err := openStore(t.Context(), where)
		if assert.NoError(t, err) {
			stores[i] = s
		}
	})
	if t.Failed() {
		return
	}
	t.Cleanup(func() {
		for _, s := range stores {
			_ = s.close()
		}
	})
	ctx, s, now := t.Context(), stores[0], time.Now().Truncate(time.Millisecond)
	named := func(id, person string) row {
		return row{ID: id, Session: "s " + id, Visitor: "v", Person: person, Address: "a", Owner: "o " + id, Began: "form", Created: now}
	}

	var begun atomic.Int32
	each(func(i int, s *store) {
		if err := s.insert(ctx, named(strconv.Itoa(i), "one"), now.Add(time.Hour)); err == nil {
			begun.Add(1)
		} else {
			assert.ErrorIs(t, err, errPersonOpen)
		}
	})
	require.Equal(t, int32(1), begun.Load(), "one open verification a person")
	rows, err := s.query(ctx, `SELECT `+columns+` FROM verifications`)
	require.NoError(t, err)
	r := rows[0]
	require.True(t, r.Created.Equal(now))

	r.Session = "another"
	same, err := s.sameClick(ctx, r)
	require.NoError(t, err)
	require.True(t, same)
	require.NoError(t, s.seen(ctx, r.ID))
	same, err = s.sameClick(ctx, r)
	require.NoError(t, err)
	require.False(t, same, "not after it was looked at")

	held, err := s.opened(ctx, r.ID, "somebody else", "sealed")
	require.NoError(t, err)
	require.False(t, held)
	held, err = s.opened(ctx, r.ID, r.Owner, "sealed")
	require.NoError(t, err)
	require.True(t, held)
	renewed, err := s.renew(ctx, r.Owner, now.Add(-time.Second)) // as if it had died
	require.NoError(t, err)
	require.Len(t, renewed, 1)
	require.Equal(t, "sealed", renewed[0].Sealed)
	var adopted atomic.Int32
	each(func(i int, s *store) {
		rows, err := s.adopt(ctx, "adopts "+strconv.Itoa(i), now, now.Add(time.Hour))
		assert.NoError(t, err)
		adopted.Add(int32(len(rows)))
	})
	require.Equal(t, int32(1), adopted.Load(), "one process takes a row over")
	held, err = s.done(ctx, r.ID, r.Owner, outcomeVerified, "shown")
	require.NoError(t, err)
	require.False(t, held, "it is another process's now")
	rows, err = s.query(ctx, `SELECT `+columns+` FROM verifications`)
	require.NoError(t, err)
	held, err = s.done(ctx, r.ID, rows[0].Owner, outcomeVerified, "shown")
	require.NoError(t, err)
	require.True(t, held)
	held, err = s.done(ctx, r.ID, rows[0].Owner, outcomeFailed, "")
	require.NoError(t, err)
	require.False(t, held, "what is done stays")
	got, err := s.bySession(ctx, "another")
	require.NoError(t, err)
	require.Equal(t, outcomeVerified, got.Outcome)
	require.Empty(t, got.Sealed)

	last, err := s.newest(ctx, 1, "person", "one", now.Add(-time.Hour))
	require.NoError(t, err)
	require.True(t, last.Equal(now))
	last, err = s.newest(ctx, 2, "person", "one", now.Add(-time.Hour))
	require.NoError(t, err)
	require.True(t, last.IsZero())
	require.NoError(t, s.leave(ctx, "another"))
	_, err = s.bySession(ctx, "another")
	require.ErrorIs(t, err, errNoRow)
	require.NoError(t, s.insert(ctx, named("next", "one"), now), "the person may begin again")
	require.NoError(t, s.remove(ctx, "next"))
	require.NoError(t, s.forget(ctx, now.Add(time.Second)))
	rows, err = s.query(ctx, `SELECT `+columns+` FROM verifications`)
	require.NoError(t, err)
	require.Empty(t, rows)
}

// On PostgreSQL: a killed process, and then a killed database, lose nobody.
func TestAKilledProcessAndAKilledPostgreSQLLoseNobody(t *testing.T) {
	database, fake, program := startPostgres(t), newFakeProvider(t), buildProgram(t)
	first := newProcess(t, program, database.where, "127.0.0.1:0", fake)
	second := newProcess(t, program, database.where, "127.0.0.1:0", fake)
	b := newBrowser(t, &site{url: first.url})
	b.begin(someone)
	code := b.shows("code", `^\d\d$`, 30*time.Second)
	first.kill(t)
	b.url = strings.TrimSuffix(second.url, "/")
	assert.Equal(t, code, b.shows("code", `^\d\d$`, 30*time.Second))
	database.kill()
	resp, body := b.do(http.MethodGet, "/verification", nil)
	assert.Equal(t, http.StatusServiceUnavailable, resp.StatusCode)
	assert.Contains(t, body, english.Trouble)
	require.NoError(t, fake.Approve(fake.Transactions()[0].TransID, code))
	database.start()
	b.shows("result", regexpOf(english.Outcomes[outcomeVerified]), 2*time.Minute)
	assert.Len(t, fake.Transactions(), 1)
}

// A database that cannot be reached says so without its password.
func TestAnUnreachableDatabaseIsNamedWithoutItsPassword(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	for _, where := range []string{"postgres://people:hunter2@" + freeAddr(t) + "/postgres", "postgres://people:hunter2@[/"} {
		_, err := openStore(ctx, where)
		require.Error(t, err)
		assert.NotContains(t, err.Error(), "hunter2")
	}
}
