package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/kyckit/kyckit"
	"github.com/kyckit/kyckit/auth"
	"github.com/kyckit/kyckit/nafath"
	"github.com/kyckit/kyckit/nafath/nafathtest"
	"github.com/kyckit/kyckit/redisstore"
)

// replicaEnv makes this program a replica; its value is a setup.
const replicaEnv = "REPLICAS_EXAMPLE"

// setup is what all replicas have in common.
type setup struct {
	Redis, Provider, Tenant string
	StoreKey, RowKey        []byte // 32 bytes: of what is on Redis, and of the sealed rows
	Processes               int
}

// order is what a replica is told: a person comes to it, a row of a dead process is for it
// to continue, or a webhook comes to it.
type order struct {
	Person, Row, Notify string
	Adopt               bool
}

// report is what a replica tells: a row to be stored before the code is shown, how a
// person's verification ended, and every second how it stands.
type report struct {
	Person, Row, Err string
	Ended            bool
	Stats            *nafath.Stats
}

// replica is one process. It has what a process of yours has, but takes its people from
// its standard input, and ends with it.
func replica(environment string, in io.Reader, out io.Writer) error {
	var s setup
	if err := json.Unmarshal([]byte(environment), &s); err != nil {
		return err
	}
	options := &redis.Options{Addr: s.Redis}
	if strings.Contains(s.Redis, "://") {
		var err error
		if options, err = redis.ParseURL(s.Redis); err != nil {
			return errors.New("not an address of Redis") // the error may quote a password
		}
	}
	client := redis.NewClient(options)
	defer client.Close()
	store, err := redisstore.New(redisstore.Config{Client: client, Tenant: s.Tenant, Key: kyckit.NewSecret(string(s.StoreKey))})
	if err != nil {
		return err
	}
	if err := store.Check(context.Background()); err != nil && !errors.Is(err, kyckit.ErrUnavailable) {
		return err
	}
	login, err := auth.NewClientCredentials(auth.ClientCredentialsConfig{
		TokenURL: s.Provider + "/oauth/token", ClientID: nafathtest.ClientID, ClientSecret: kyckit.NewSecret(nafathtest.ClientSecret),
	})
	if err != nil {
		return err
	}
	provider, err := nafath.New(nafath.Config{BaseURL: s.Provider, Auth: store.Tokens(login)})
	if err != nil {
		return err
	}
	poller, err := nafath.NewPoller(nafath.PollerConfig{
		Client: provider, Limits: limits,
		Budget: store.Budget(), Replicas: s.Processes, Signals: store.Signals(),
	})
	if err != nil {
		return err
	}
	defer poller.Close()
	sealer, err := nafath.NewSealer(kyckit.NewSecret(string(s.RowKey)))
	if err != nil {
		return err
	}
	d := &desk{poller: poller, sealer: sealer, out: out}
	go d.tick()
	for orders := json.NewDecoder(in); ; {
		var o order
		if err := orders.Decode(&o); err != nil {
			return nil // the parent ended
		}
		switch {
		case o.Notify != "":
			poller.Notify(o.Notify) // what poller.HandleWebhook does with an authenticated delivery
		case o.Adopt:
			go d.adopt(o.Person, o.Row)
		default:
			go d.verify(o.Person)
		}
	}
}

// desk verifies people.
type desk struct {
	poller *nafath.Poller
	sealer *nafath.Sealer
	mu     sync.Mutex
	out    io.Writer
}

func (d *desk) tell(r report) {
	line, err := json.Marshal(r)
	if err != nil {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	_, _ = d.out.Write(append(line, '\n'))
}

func (d *desk) tick() {
	for range time.Tick(time.Second) {
		stats := d.poller.Stats()
		d.tell(report{Stats: &stats})
	}
}

// verify stores the transaction before its code is shown, so that another process can
// go on when this one dies.
func (d *desk) verify(person string) {
	_, err := d.poller.Verify(context.Background(), person, func(tx nafath.Transaction) {
		if row, err := d.sealer.Seal(tx, person); err == nil {
			d.tell(report{Person: person, Row: row})
		}
	})
	d.end(person, err)
}

// adopt continues what a process that died had open.
func (d *desk) adopt(person, row string) {
	tx, err := d.sealer.Open(row, person)
	if err == nil {
		_, err = d.poller.Resume(context.Background(), tx)
	}
	d.end(person, err)
}

func (d *desk) end(person string, err error) {
	r := report{Person: person, Ended: true}
	if err != nil {
		r.Err = err.Error()
	}
	d.tell(r)
}
