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
	lease_until BIGINT NOT NULL,
	created     BIGINT NOT NULL
);
CREATE UNIQUE INDEX IF NOT EXISTS one_open_per_person ON verifications (person) WHERE state <> 'done';
CREATE INDEX IF NOT EXISTS by_session ON verifications (session);
CREATE INDEX IF NOT EXISTS by_created ON verifications (created);
`

const columns = `id, session, visitor, person, address, state, sealed, outcome, shown, owner, created`

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
	}
	for _, statement := range strings.Split(schema, ";") {
		if strings.TrimSpace(statement) == "" {
			continue
		}
		if _, err := db.ExecContext(ctx, statement); err != nil {
			_ = db.Close()
			return nil, fmt.Errorf("preparing the database failed: %T", err)
		}
	}
	return &store{db}, nil
}

// insert adds a row in stateBegun. At most one row a person is not done, across
// all processes; a second is errPersonOpen.
func (s *store) insert(ctx context.Context, r row, lease time.Time) error {
	result, err := s.db.ExecContext(ctx, `INSERT INTO verifications (`+columns+`, lease_until)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) ON CONFLICT DO NOTHING`,
		r.ID, r.Session, r.Visitor, r.Person, r.Address, stateBegun, "", "", "", r.Owner, r.Created.UnixMilli(), lease.UnixMilli())
	if err != nil {
		return err
	}
	if n, err := result.RowsAffected(); err != nil || n == 1 {
		return err
	}
	return errPersonOpen
}

// remove deletes a row of which nothing was sent.
func (s *store) remove(ctx context.Context, id string) error {
	_, err := s.db.ExecContext(ctx, `DELETE FROM verifications WHERE id = $1`, id)
	return err
}

// opened stores the sealed transaction. Only then may its code be shown.
func (s *store) opened(ctx context.Context, id, sealed string) error {
	_, err := s.db.ExecContext(ctx, `UPDATE verifications SET state = $1, sealed = $2 WHERE id = $3 AND state <> $4`,
		stateOpen, sealed, id, stateDone)
	return err
}

// done stores the outcome and forgets the transaction. What is done stays as it is.
func (s *store) done(ctx context.Context, id string, o outcome, shown string) error {
	_, err := s.db.ExecContext(ctx, `UPDATE verifications SET state = $1, sealed = '', outcome = $2, shown = $3 WHERE id = $4 AND state <> $5`,
		stateDone, string(o), shown, id, stateDone)
	return err
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

// started counts what began since then, for one person, one visitor and one address.
func (s *store) started(ctx context.Context, r row, since time.Time) (person, visitor, address int, err error) {
	for _, f := range []struct {
		column, value string
		count         *int
	}{{"person", r.Person, &person}, {"visitor", r.Visitor, &visitor}, {"address", r.Address, &address}} {
		if err == nil {
			err = s.db.QueryRowContext(ctx, `SELECT COUNT(*) FROM verifications WHERE `+f.column+` = $1 AND created > $2`,
				f.value, since.UnixMilli()).Scan(f.count)
		}
	}
	return person, visitor, address, err
}

// renew keeps the rows that owner follows from being adopted.
func (s *store) renew(ctx context.Context, owner string, lease time.Time) error {
	_, err := s.db.ExecContext(ctx, `UPDATE verifications SET lease_until = $1 WHERE owner = $2 AND state <> $3`,
		lease.UnixMilli(), owner, stateDone)
	return err
}

// release lets the next process continue owner's rows at once.
func (s *store) release(ctx context.Context, owner string) error {
	return s.renew(ctx, owner, time.UnixMilli(0))
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
		if err := rows.Scan(&r.ID, &r.Session, &r.Visitor, &r.Person, &r.Address, &r.State, &r.Sealed, &r.Outcome, &r.Shown, &r.Owner, &created); err != nil {
			return nil, err
		}
		r.Created = time.UnixMilli(created)
		found = append(found, r)
	}
	return found, rows.Err()
}

func (s *store) close() error { return s.db.Close() }
