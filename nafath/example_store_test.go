package nafath_test

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/kyckit/kyckit"
	"github.com/kyckit/kyckit/nafath"
)

// The table. A person has one row that is begun or open, in all processes
// together; the person is a keyed digest, the transaction is sealed.
//
//	CREATE TABLE verification (
//	    id     TEXT PRIMARY KEY,
//	    person BLOB NOT NULL,
//	    state  TEXT NOT NULL,    -- begun → open → verified | declined | expired | failed;  begun → unsent | unknown
//	    sealed TEXT,             -- while it is open
//	    holder TEXT NOT NULL,    -- the process that serves the row …
//	    lease  BIGINT NOT NULL   -- … until then
//	);
//	CREATE UNIQUE INDEX one_each ON verification (person) WHERE state IN ('begun', 'open');
const (
	insertRow = `INSERT INTO verification (id, person, state, holder, lease) VALUES (?, ?, 'begun', ?, ?)`
	openRow   = `UPDATE verification SET state = 'open', sealed = ? WHERE id = ? AND holder = ? AND state IN ('begun', 'open')`
	endRow    = `UPDATE verification SET state = ?, sealed = NULL WHERE id = ? AND holder = ? AND state IN ('begun', 'open')`
	renewRows = `UPDATE verification SET lease = ? WHERE holder = ? AND state IN ('begun', 'open')`
	adoptRows = `UPDATE verification SET holder = ?, lease = ? WHERE lease < ? AND state IN ('begun', 'open')`
	myRows    = `SELECT id, state, sealed FROM verification WHERE holder = ? AND state IN ('begun', 'open')`
	readRow   = `SELECT state FROM verification WHERE id = ?`
)

// A process writes its lease again every renewEvery. When it dies, another takes
// its rows over after leaseTime.
const (
	renewEvery = 5 * time.Second
	leaseTime  = 30 * time.Second
)

// desk verifies people so that a process may die at any instruction.
//
//	written before   what             so that after a death
//	Begin            row is begun     the row says that a prompt may be on the phone: unknown
//	the code's show  row is open      another process continues it, and the person loses nothing
//	the outcome's    row has ended    the outcome is read, or found out again
type desk struct {
	db     *sql.DB
	poller *nafath.Poller
	sealer *nafath.Sealer
	key    []byte                          // of the digests
	show   func(row, code string)          // to the person of this row alone
	holder string                          // this process; new with each start
	life   context.Context                 // of this process
	mu     sync.Mutex                      // guards what follows
	served map[string]*nafath.Verification // by row
	last   time.Time                       // when the lease was written
}

// begin starts a person's verification for an owner, such as a login, and returns
// its row.
func (d *desk) begin(ctx context.Context, owner, nationalID string) (row string, err error) {
	id, err := nafath.Normalise(nationalID)
	if err != nil {
		return "", err
	}
	mac := hmac.New(sha256.New, d.key)
	mac.Write([]byte(id))
	row = rand.Text()
	d.note(row, nil) // before the row is there for adopt to find
	if _, err := d.db.ExecContext(ctx, insertRow, row, mac.Sum(nil), d.holder, time.Now().Add(leaseTime).UnixMilli()); err != nil {
		d.drop(row)
		return "", err // the unique index: this person has one, maybe in another process
	}
	v, err := d.poller.BeginAs(owner, id)
	if err != nil {
		err = errors.Join(err, d.end(row, "unsent"))
		d.drop(row)
		return "", err
	}
	d.serve(row, v)
	return row, nil
}

// serve follows a verification until its row has ended.
func (d *desk) serve(row string, v *nafath.Verification) {
	d.note(row, v)
	go func() {
		defer d.drop(row)
		stored := ""
		for u := range v.Updates(d.life) {
			if code := u.Transaction.Random; code != "" && stored == "" {
				if err := d.open(row, u.Transaction); err != nil {
					return // nobody sees the code; the row is somebody else's by now
				}
				stored = code
				d.show(row, code)
			}
			if u.Stage == nafath.StageDone {
				if state := stateOf(u); state != "open" { // otherwise the next process continues it
					_ = d.end(row, state)
				}
			}
		}
	}()
}

func (d *desk) note(row string, v *nafath.Verification) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.served[row] = v
}

func (d *desk) drop(row string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.served, row)
}

// stateOf is the row's state after the last update.
func stateOf(u nafath.Update) string {
	sent := u.Transaction.TransID != ""
	switch {
	case u.Err == nil:
		return "verified" // in one transaction with what it means to your account
	case errors.Is(u.Err, nafath.ErrClosed) && sent:
		return "open"
	case errors.Is(u.Err, nafath.ErrRejected):
		return "declined"
	case errors.Is(u.Err, nafath.ErrExpired), errors.Is(u.Err, nafath.ErrTimeout):
		return "expired"
	case errors.Is(u.Err, kyckit.ErrOutcomeUnknown):
		return "unknown" // show: dismiss the prompt if there is one; you may begin again
	case !sent:
		return "unsent"
	default:
		return "failed"
	}
}

// open stores a transaction, so that its code may be shown.
func (d *desk) open(row string, tx nafath.Transaction) error {
	sealed, err := d.sealer.Seal(tx, row)
	if err != nil {
		return err
	}
	changed, err := d.write(openRow, sealed, row, d.holder)
	if err == nil && changed == 0 {
		err = errors.New("the row is another process's by now")
	}
	return err
}

func (d *desk) end(row, state string) error {
	_, err := d.write(endRow, state, row, d.holder)
	return err
}

// write changes one row that this process holds. It insists while the database is
// away: each of these statements may be carried out twice.
func (d *desk) write(statement string, args ...any) (changed int64, err error) {
	for {
		result, err := d.db.ExecContext(d.life, statement, args...)
		if err == nil {
			return result.RowsAffected()
		}
		select {
		case <-time.After(time.Second):
		case <-d.life.Done():
			return 0, err
		}
	}
}

// keep renews this process's lease and takes over the rows of dead ones, until
// the process ends.
//
// A process that stalls for longer than its lease may still send what it has
// queued: choose leaseTime above any stall.
func (d *desk) keep() {
	d.last = time.Now()
	for d.life.Err() == nil {
		now := time.Now()
		until := now.Add(leaseTime).UnixMilli()
		_, err := d.db.ExecContext(d.life, renewRows, until, d.holder)
		if err == nil {
			d.last = now
			_, err = d.db.ExecContext(d.life, adoptRows, d.holder, until, now.UnixMilli())
		}
		if err == nil {
			err = d.adopt()
		}
		if err != nil && time.Since(d.last) > leaseTime-2*renewEvery { // others will take the rows over: send nothing more for them
			d.mu.Lock()
			for _, v := range d.served {
				v.Cancel()
			}
			d.mu.Unlock()
		}
		select {
		case <-time.After(renewEvery):
		case <-d.life.Done():
		}
	}
}

// adopt serves the rows that this process holds and does not serve yet.
func (d *desk) adopt() error {
	rows, err := d.db.QueryContext(d.life, myRows, d.holder)
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var row, state string
		var sealed sql.NullString
		if err := rows.Scan(&row, &state, &sealed); err != nil {
			return err
		}
		d.mu.Lock()
		_, mine := d.served[row]
		d.mu.Unlock()
		if mine {
			continue
		}
		if err := d.proceed(row, state, sealed.String); err != nil {
			return err
		}
	}
	return rows.Err()
}

// proceed goes on with the row of a dead process.
func (d *desk) proceed(row, state, sealed string) error {
	if state == "begun" { // the creation may have been sent, and nobody has its code
		return d.end(row, "unknown")
	}
	tx, err := d.sealer.Open(sealed, row)
	if err != nil {
		return d.end(row, "failed")
	}
	v, err := d.poller.Continue(tx)
	switch {
	case err == nil:
		d.serve(row, v)
		return nil
	case errors.Is(err, nafath.ErrClosed):
		return err // for the next process
	default:
		return d.end(row, "expired")
	}
}

// A page may be closed, and the process may die: the row says what is next.
func Example_store() {
	fake, poller, err := newExample()
	if err != nil {
		fmt.Println(err)
		return
	}
	defer fake.Close()
	defer func() { _ = poller.Close() }()
	sealer, err := nafath.NewSealer(kyckit.NewSecret("0123456789abcdef" + strings.Repeat("\x9f", 16))) // in production 32 random bytes
	if err != nil {
		fmt.Println(err)
		return
	}
	life, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	db := sql.OpenDB(&table{}) // in production your database
	defer func() { _ = db.Close() }()
	ended := make(chan struct{})
	d := &desk{
		db: db, poller: poller, sealer: sealer, key: []byte("in production a random key"), holder: rand.Text(), life: life,
		served: map[string]*nafath.Verification{},
		show: func(_, code string) { // the phone is a fake
			for _, tx := range fake.Transactions() {
				_ = fake.Approve(tx.TransID, code)
			}
			close(ended)
		},
	}
	go d.keep()
	row, err := d.begin(life, "login-1", "1000000008")
	if err != nil {
		fmt.Println(err)
		return
	}
	_, again := d.begin(life, "login-2", "1000-000-008")
	fmt.Println("a second one is refused:", again != nil)
	<-ended
	for state := ""; state != "verified"; time.Sleep(time.Millisecond) { // what a page asks
		if err := db.QueryRowContext(life, readRow, row).Scan(&state); err != nil {
			fmt.Println(err)
			return
		}
	}
	fmt.Println("verified")
	// Output:
	// a second one is refused: true
	// verified
}
