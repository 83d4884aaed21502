package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx", for PostgreSQL
	_ "modernc.org/sqlite"             // the driver "sqlite", which needs no C
)

// The states of a row. A row is written before anything is sent and again before
// anything is shown, so whenever the process dies, the row says what may have
// happened:
//
//	begun  a prompt may or may not be on the phone; nobody saw a code
//	open   the prompt is on the phone; the sealed transaction is stored
//	done   it is over; Outcome says how
//
// After a death a row that is begun becomes done with outcomeUnknown, since no
// call finds that verification again, and a row that is open is continued.
const (
	stateBegun = "begun"
	stateOpen  = "open"
	stateDone  = "done"
)

// row is one verification. It holds no id and no name in clear.
type row struct {
	ID      string // random; bound into the sealed transaction
	Session string // digest of the session's cookie
	Visitor string // digest of the browser's cookie, which stays longer
	Person  string // keyed digest of the national id
	Address string // keyed digest of the visitor's address
	State   string
	Sealed  string // nafath.Sealer's text, from stateOpen on
	Outcome outcome
	Shown   string // the masked result of a verified person
	Owner   string // the process that follows it
	Began   string // digest of the session that sent the form, until its new one is used
	Created time.Time
}

const schema = `
CREATE TABLE IF NOT EXISTS verifications (
	id          TEXT PRIMARY KEY,
	session     TEXT NOT NULL,
	visitor     TEXT NOT NULL,
	person      TEXT NOT NULL,
	address     TEXT NOT NULL,
	state       TEXT NOT NULL,
	sealed      TEXT NOT NULL,
	outcome     TEXT NOT NULL,
	shown       TEXT NOT NULL,
	owner       TEXT NOT NULL,
	began       TEXT NOT NULL,
	lease_until BIGINT NOT NULL,
	created     BIGINT NOT NULL
);
CREATE UNIQUE INDEX IF NOT EXISTS one_open_per_person ON verifications (person) WHERE state <> 'done';
CREATE INDEX IF NOT EXISTS by_session ON verifications (session);
CREATE INDEX IF NOT EXISTS by_person ON verifications (person, created);
CREATE INDEX IF NOT EXISTS by_visitor ON verifications (visitor, created);
CREATE INDEX IF NOT EXISTS by_address ON verifications (address, created);
CREATE INDEX IF NOT EXISTS by_state ON verifications (state, created);
`

const columns = `id, session, visitor, person, address, state, sealed, outcome, shown, owner, began, created`

var (
	errPersonOpen = errors.New("this person has an open verification")
	errNoRow      = errors.New("no such verification")
)

// store keeps the rows, in SQLite or PostgreSQL. The same statements serve both.
type store struct{ db *sql.DB }

// openStore opens "postgres://…", or a file of SQLite, or one in memory for "".
func openStore(ctx context.Context, where string) (*store, error) {
	driver, source := "pgx", where
	if !strings.HasPrefix(where, "postgres://") && !strings.HasPrefix(where, "postgresql://") {
		driver = "sqlite"
		// WAL and FULL: what was committed survives a killed process and a crash.
		source = "file:" + where + "?_pragma=busy_timeout(5000)&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)"
		if where == "" {
			source = "file:nafathweb?mode=memory"
		}
	}
	db, err := sql.Open(driver, source)
	if err != nil {
		return nil, errors.New("the database cannot be opened") // the error may quote the URL and its password
	}
	if driver == "sqlite" {
		db.SetMaxOpenConns(1) // one writer; and an in-memory database is its connection
		db.SetConnMaxIdleTime(0)
		db.SetConnMaxLifetime(0)
	} else {
		db.SetMaxOpenConns(20) // a flood waits here, and other users of the server do not feel it
		db.SetConnMaxIdleTime(time.Minute)
	}
	for try := 1; ; try++ { // PostgreSQL refuses one of two processes that create a table at once
		if err = prepare(ctx, db); err == nil {
			return &store{db}, nil
		}
		if try == 5 || ctx.Err() != nil {
			_ = db.Close()
			return nil, fmt.Errorf("preparing the database failed: %T", err)
		}
		time.Sleep(200 * time.Millisecond)
	}
}

func prepare(ctx context.Context, db *sql.DB) error {
	for statement := range strings.SplitSeq(schema, ";") {
		if strings.TrimSpace(statement) == "" {
			continue
		}
		if _, err := db.ExecContext(ctx, statement); err != nil {
			return err
		}
	}
	return nil
}

// insert adds a row in stateBegun. At most one row a person is not done, across
// all processes; a second is errPersonOpen.
func (s *store) insert(ctx context.Context, r row, lease time.Time) error {
	inserted, err := s.change(ctx, `INSERT INTO verifications (`+columns+`, lease_until)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13) ON CONFLICT DO NOTHING`,
		r.ID, r.Session, r.Visitor, r.Person, r.Address, stateBegun, "", "", "", r.Owner, r.Began, r.Created.UnixMilli(), lease.UnixMilli())
	if err == nil && !inserted {
		err = errPersonOpen
	}
	return err
}

// remove deletes a row of which nothing was sent.
func (s *store) remove(ctx context.Context, id string) error {
	_, err := s.db.ExecContext(ctx, `DELETE FROM verifications WHERE id = $1`, id)
	return err
}

// opened stores the sealed transaction, if owner still holds the row. Only then
// may its code be shown.
func (s *store) opened(ctx context.Context, id, owner, sealed string) (held bool, err error) {
	return s.change(ctx, `UPDATE verifications SET state = $1, sealed = $2 WHERE id = $3 AND owner = $4 AND state <> $5`,
		stateOpen, sealed, id, owner, stateDone)
}

// done stores the outcome and forgets the transaction, if owner still holds the
// row. What is done stays as it is.
func (s *store) done(ctx context.Context, id, owner string, o outcome, shown string) (held bool, err error) {
	return s.change(ctx, `UPDATE verifications SET state = $1, sealed = '', outcome = $2, shown = $3 WHERE id = $4 AND owner = $5 AND state <> $1`,
		stateDone, string(o), shown, id, owner)
}

// sameClick gives r's session the verification that the same form began a moment
// ago, and reports whether there is one: a second click on the button. Once
// its page was looked at, no other session gets it.
func (s *store) sameClick(ctx context.Context, r row) (bool, error) {
	return s.change(ctx, `UPDATE verifications SET session = $1 WHERE person = $2 AND began = $3 AND state <> $4`,
		r.Session, r.Person, r.Began, stateDone)
}

// seen says that the session's page was looked at.
func (s *store) seen(ctx context.Context, id string) error {
	_, err := s.change(ctx, `UPDATE verifications SET began = '' WHERE id = $1`, id)
	return err
}

// leave takes the row from its session: nobody sees it any more, and the process
// that holds it takes it out of the queue.
func (s *store) leave(ctx context.Context, session string) error {
	_, err := s.change(ctx, `UPDATE verifications SET session = '', began = '' WHERE session = $1`, session)
	return err
}

// change reports whether a statement changed a row.
func (s *store) change(ctx context.Context, statement string, args ...any) (bool, error) {
	result, err := s.db.ExecContext(ctx, statement, args...)
	if err != nil {
		return false, err
	}
	n, err := result.RowsAffected()
	return n > 0, err
}

// bySession returns the session's verification, or errNoRow.
func (s *store) bySession(ctx context.Context, session string) (row, error) {
	rows, err := s.query(ctx, `SELECT `+columns+` FROM verifications WHERE session = $1 ORDER BY created DESC LIMIT 1`, session)
	switch {
	case err != nil:
		return row{}, err
	case len(rows) == 0:
		return row{}, errNoRow
	}
	return rows[0], nil
}

// newest returns when the nth newest verification since then began that has a
// value in a column, or zero if there are fewer.
func (s *store) newest(ctx context.Context, n int, column, value string, since time.Time) (time.Time, error) {
	var created int64
	err := s.db.QueryRowContext(ctx, `SELECT created FROM verifications WHERE `+column+` = $1 AND created > $2 ORDER BY created DESC LIMIT 1 OFFSET $3`,
		value, since.UnixMilli(), n-1).Scan(&created)
	if errors.Is(err, sql.ErrNoRows) {
		return time.Time{}, nil
	}
	return time.UnixMilli(created), err
}

// renew keeps the rows that owner holds from being adopted, and returns them.
func (s *store) renew(ctx context.Context, owner string, lease time.Time) ([]row, error) {
	return s.query(ctx, `UPDATE verifications SET lease_until = $1 WHERE owner = $2 AND state <> $3 RETURNING `+columns,
		lease.UnixMilli(), owner, stateDone)
}

// release lets the next process continue owner's rows at once.
func (s *store) release(ctx context.Context, owner string) error {
	_, err := s.renew(ctx, owner, time.UnixMilli(0))
	return err
}

// adopt takes over the rows whose owner died: whose lease ran out. Each row goes
// to one process, whoever else adopts at the same time.
func (s *store) adopt(ctx context.Context, owner string, now, lease time.Time) ([]row, error) {
	return s.query(ctx, `UPDATE verifications SET owner = $1, lease_until = $2
		WHERE state <> $3 AND lease_until < $4 RETURNING `+columns, owner, lease.UnixMilli(), stateDone, now.UnixMilli())
}

// forget deletes what is older than then: nobody needs it any more.
func (s *store) forget(ctx context.Context, then time.Time) error {
	_, err := s.db.ExecContext(ctx, `DELETE FROM verifications WHERE state = $1 AND created < $2`, stateDone, then.UnixMilli())
	return err
}

func (s *store) query(ctx context.Context, query string, args ...any) (found []row, err error) {
	rows, err := s.db.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var r row
		var created int64
		if err := rows.Scan(&r.ID, &r.Session, &r.Visitor, &r.Person, &r.Address, &r.State, &r.Sealed, &r.Outcome, &r.Shown, &r.Owner, &r.Began, &created); err != nil {
			return nil, err
		}
		r.Created = time.UnixMilli(created)
		found = append(found, r)
	}
	return found, rows.Err()
}

func (s *store) close() error { return s.db.Close() }
