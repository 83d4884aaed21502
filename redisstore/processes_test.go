package redisstore_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kyckit/kyckit"
	"github.com/kyckit/kyckit/auth"
	"github.com/kyckit/kyckit/kyctest"
	"github.com/kyckit/kyckit/nafath"
	"github.com/kyckit/kyckit/nafath/nafathtest"
	"github.com/kyckit/kyckit/redisstore"
)

// many are limits that a test comes near within a minute.
var many = nafath.Limits{Requests: 300, StatusChecks: 300, Details: 300}

// order tells a process what to do, and report what came of it: one line of JSON each.
type (
	order struct {
		Begin  string              `json:"begin,omitempty"`  // a national id
		Resume *nafath.Transaction `json:"resume,omitempty"` // of a process that died
		Notify string              `json:"notify,omitempty"` // the transaction of a webhook
	}
	report struct {
		Opened *nafath.Transaction `json:"opened,omitempty"`
		ID     string              `json:"id,omitempty"` // who is verified, or why not
		Err    string              `json:"err,omitempty"`
		Hinted uint64              `json:"hinted,omitempty"` // checks so far that a webhook brought about
	}
)

// replicaProcess is one replica, which this test binary becomes: it takes orders from
// its standard input until that ends.
func replicaProcess() int {
	client := redis.NewClient(&redis.Options{Addr: os.Getenv("REDISSTORE_REPLICA"), DisableIdentity: true, MaintNotificationsConfig: noNotifications})
	defer client.Close() //nolint:errcheck // nothing is lost
	store, err := redisstore.New(redisstore.Config{Client: client, Tenant: "test", Key: kyckit.NewSecret(testKey)})
	if err != nil {
		return 2
	}
	at := os.Getenv("REDISSTORE_PROVIDER")
	login, err := auth.NewClientCredentials(auth.ClientCredentialsConfig{
		TokenURL: at + "/oauth/token", ClientID: nafathtest.ClientID, ClientSecret: kyckit.NewSecret(nafathtest.ClientSecret),
	})
	if err != nil {
		return 3
	}
	provider, err := nafath.New(nafath.Config{BaseURL: at, Auth: store.Tokens(login)})
	if err != nil {
		return 3
	}
	p, err := nafath.NewPoller(nafath.PollerConfig{Client: provider, Limits: many, Budget: store.Budget(), Replicas: 4, Signals: store.Signals()})
	if err != nil {
		return 4
	}
	defer p.Close() //nolint:errcheck // it is nil
	var mu sync.Mutex
	out := json.NewEncoder(os.Stdout)
	tell := func(r report) {
		mu.Lock()
		defer mu.Unlock()
		_ = out.Encode(r)
	}
	finish := func(id string, err error) {
		r := report{ID: id, Hinted: p.Stats().Hinted}
		if err != nil {
			r.Err = err.Error()
		}
		tell(r)
	}
	for in := json.NewDecoder(bufio.NewReader(os.Stdin)); ; {
		var o order
		if err := in.Decode(&o); err != nil {
			return 0
		}
		switch {
		case o.Begin != "":
			go func() {
				_, err := p.Verify(context.Background(), o.Begin, func(tx nafath.Transaction) { tell(report{Opened: &tx}) })
				finish(o.Begin, err)
			}()
		case o.Resume != nil:
			go func() {
				_, err := p.Resume(context.Background(), *o.Resume)
				finish(o.Resume.NationalID, err)
			}()
		default:
			p.Notify(o.Notify)
		}
	}
}

// process is a replica as its parent sees it.
type process struct {
	cmd    *exec.Cmd
	in     io.WriteCloser
	orders *json.Encoder
	ended  chan struct{}
}

// fleet is the parent of the processes. Like an application with a database it keeps
// who is open where.
type fleet struct {
	t     *testing.T
	redis string
	fake  *nafathtest.Server

	mu        sync.Mutex
	processes []*process                     // nil where one was killed
	begun     map[string]int                 // the process that each person is at
	open      map[string]*nafath.Transaction // as stored
	verified  map[string]int                 // how many times
	failed    map[string]string
	hints     map[int]uint64
}

func (f *fleet) start(i int) {
	f.t.Helper()
	exe, err := os.Executable()
	require.NoError(f.t, err)
	p := &process{cmd: exec.Command(exe), ended: make(chan struct{})}
	p.cmd.Env = append(os.Environ(), "REDISSTORE_REPLICA="+f.redis, "REDISSTORE_PROVIDER="+f.fake.URL)
	p.in, err = p.cmd.StdinPipe()
	require.NoError(f.t, err)
	p.orders = json.NewEncoder(p.in)
	out, err := p.cmd.StdoutPipe()
	require.NoError(f.t, err)
	require.NoError(f.t, p.cmd.Start())
	go func() {
		defer close(p.ended)
		for in := json.NewDecoder(out); ; {
			var r report
			if in.Decode(&r) != nil {
				return
			}
			f.hear(i, r)
		}
	}()
	f.mu.Lock()
	defer f.mu.Unlock()
	f.processes[i] = p
}

func (f *fleet) hear(i int, r report) {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case r.Opened != nil:
		f.open[r.Opened.NationalID] = r.Opened
	case r.Err != "":
		f.failed[r.ID] = r.Err
	default:
		delete(f.open, r.ID)
		f.verified[r.ID]++
		f.hints[i] = r.Hinted
	}
}

// begin sends a person to the process i, or to one after it that lives.
func (f *fleet) begin(i int, id string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	i = f.alive(i)
	f.begun[id] = i
	_ = f.processes[i].orders.Encode(order{Begin: id})
}

func (f *fleet) alive(i int) int {
	for f.processes[i%len(f.processes)] == nil {
		i++
	}
	return i % len(f.processes)
}

// kill is kill -9. What was open at the process goes to the others, and people of whom
// it told nothing are unknown: they may have been prompted.
func (f *fleet) kill(i int) (adopted, unknown int) {
	f.mu.Lock()
	p := f.processes[i]
	f.processes[i] = nil
	f.mu.Unlock()
	_ = p.cmd.Process.Kill()
	<-p.ended // all that it told is heard
	_ = p.cmd.Wait()
	f.mu.Lock()
	defer f.mu.Unlock()
	for id, at := range f.begun {
		if at != i || f.verified[id] > 0 {
			continue
		}
		tx := f.open[id]
		if tx == nil {
			delete(f.begun, id)
			unknown++
			continue
		}
		adopted++
		f.begun[id] = f.alive(i + adopted)
		_ = f.processes[f.begun[id]].orders.Encode(order{Resume: tx})
	}
	return adopted, unknown
}

// approve is the person at the phone. The webhook comes to a process that does not wait
// for it.
func (f *fleet) approve(tx nafath.Transaction) {
	if f.fake.Approve(tx.TransID, tx.Random) != nil {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	_ = f.processes[f.alive(f.begun[tx.NationalID]+1)].orders.Encode(order{Notify: tx.TransID})
}

// close ends the processes.
func (f *fleet) close() {
	for _, p := range f.processes {
		if p != nil {
			_ = p.in.Close()
			<-p.ended
			assert.NoError(f.t, p.cmd.Wait())
		}
	}
}

// Four processes share a budget for longer than a minute; two of them, the busiest
// among them, are killed, and one is started anew.
func TestFourProcessesOfWhichTwoAreKilled(t *testing.T) {
	srv := startServer(t)
	t.Parallel()
	f := &fleet{
		t: t, redis: srv.addr, processes: make([]*process, 4), begun: map[string]int{}, open: map[string]*nafath.Transaction{},
		verified: map[string]int{}, failed: map[string]string{}, hints: map[int]uint64{},
	}
	f.fake = nafathtest.NewServer(nafathtest.Config{
		Options: kyctest.Options{Discard: true}, Limits: many, Lifetime: time.Hour,
		OnPrompt: func(tx nafath.Transaction) {
			time.AfterFunc(2*time.Second+time.Duration(tx.TransID[0]%8)*500*time.Millisecond, func() { f.approve(tx) })
		},
	})
	t.Cleanup(f.fake.Close)
	for i := range f.processes {
		f.start(i)
	}
	t.Cleanup(f.close)

	persons := 0
	// come lets people come for so long, most of them to the first process.
	come := func(d time.Duration) {
		for end := time.Now().Add(d); time.Now().Before(end); time.Sleep(300 * time.Millisecond) {
			f.begin(persons%3*persons%4, fmt.Sprintf("1%09d", persons))
			persons++
		}
	}
	come(20 * time.Second)
	adopted, unknown := f.kill(0)
	before := f.fake.Count("status")
	come(15 * time.Second)
	assert.GreaterOrEqual(t, f.fake.Count("status")-before, 20, "no standstill after a death: 75 is what the limit allows")
	more, lost := f.kill(2)
	adopted, unknown = adopted+more, unknown+lost
	come(10 * time.Second)
	f.start(0)
	come(25 * time.Second)

	assert.Eventually(t, func() bool {
		f.mu.Lock()
		defer f.mu.Unlock()
		return len(f.verified) >= len(f.begun)
	}, 60*time.Second, 100*time.Millisecond)
	f.mu.Lock()
	defer f.mu.Unlock()
	hints := uint64(0)
	for _, n := range f.hints {
		hints += n
	}
	t.Logf("%d people, %d taken over, %d unknown, %d checks, %d of them for a webhook", persons, adopted, unknown, f.fake.Count("status"), hints)
	assert.Empty(t, f.failed)
	for id, n := range f.verified {
		assert.Equal(t, 1, n, id)
	}
	assert.Len(t, f.verified, persons-unknown)
	assert.Positive(t, adopted)
	assert.Positive(t, hints, "each came to a process at which nobody waited for it")
	assert.LessOrEqual(t, len(f.fake.Transactions()), persons, "nobody is prompted twice")
	assert.Equal(t, 1, f.fake.Count("token"), "one login for all")
	for _, op := range []string{"request", "status", "details"} {
		assert.Zero(t, f.fake.Limited(op), "%s over the limit", op)
	}
}
