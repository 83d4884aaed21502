package nafathtest

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/kyckit/kyckit/kyctest"
	"github.com/kyckit/kyckit/nafath"
)

// transaction is one verification as the provider keeps it. Guarded by the
// server's mutex.
type transaction struct {
	id, random, nationalID string
	created                time.Time
	status                 nafath.Status
	deadline               time.Time
	timer                  *time.Timer // sends the webhook of an expiry
	magic                  magic
	person                 *time.Timer // answers as a magic id says
}

func (t *transaction) public() nafath.Transaction {
	return nafath.Transaction{TransID: t.id, Random: t.random, NationalID: t.nationalID, CreatedAt: t.created}
}

func (t *transaction) stop() {
	for _, timer := range []*time.Timer{t.timer, t.person} {
		if timer != nil {
			timer.Stop()
		}
	}
}

// current is the status, expiry included.
func (t *transaction) current(now time.Time) nafath.Status {
	if t.status == nafath.StatusWaiting && !now.Before(t.deadline) {
		t.status = nafath.StatusExpired
	}
	return t.status
}

// isNationalID reports whether id is ten digits, the first one of prefixes.
func isNationalID(id, prefixes string) bool {
	return len(id) == 10 && strings.Trim(id, "0123456789") == "" && strings.IndexByte(prefixes, id[0]) >= 0
}

func (s *Server) request(w http.ResponseWriter, r *http.Request) {
	var in struct {
		NationalID string `json:"nationalId"`
	}
	if !readJSON(w, r, &in) {
		return
	}
	if !isNationalID(in.NationalID, s.config.Prefixes) {
		fail(w, http.StatusUnprocessableEntity, "Invalid national ID")
		return
	}
	now := time.Now()
	s.mu.Lock()
	if last := s.open[s.byID[in.NationalID]]; s.config.OneOpen && last != nil && last.current(now) == nafath.StatusWaiting {
		s.mu.Unlock()
		fail(w, http.StatusBadRequest, "400-034-050: an open transaction exists")
		return
	}
	s.codes++
	tx := &transaction{
		id: rand.Text(), random: fmt.Sprintf("%02d", s.codes*37%100), nationalID: in.NationalID,
		status: nafath.StatusWaiting, created: now, deadline: now.Add(s.config.Lifetime),
	}
	if s.config.NumericRandom {
		tx.random = strconv.Itoa(10 + s.codes*37%90)
	}
	s.open[tx.id], s.byID[tx.nationalID] = tx, tx.id
	s.order = append(s.order, tx)
	if s.config.Webhook.URL != "" {
		tx.timer = time.AfterFunc(s.config.Lifetime, func() { _ = s.set(tx.id, nafath.StatusExpired) })
	}
	s.perform(tx)
	prompt, magic := tx.public(), tx.magic
	s.mu.Unlock()
	if s.config.OnPrompt != nil {
		s.config.OnPrompt(prompt)
	}
	magic.hold(r.Context())

	result := map[string]any{"transId": tx.id, "random": tx.random}
	if s.config.NumericRandom {
		result["random"] = json.Number(tx.random)
	}
	succeed(w, result)
}

func (s *Server) status(w http.ResponseWriter, r *http.Request) {
	var in struct {
		TransID    string `json:"transId"`
		Random     string `json:"random"`
		NationalID string `json:"nationalId"`
	}
	if !readJSON(w, r, &in) {
		return
	}
	switch {
	case in.TransID == "":
		failNoTransID(w)
		return
	case in.Random == "" || in.NationalID == "":
		fail(w, http.StatusBadRequest, "Random and NationalId are required")
		return
	}
	s.mu.Lock()
	tx := s.open[in.TransID]
	found := tx != nil && tx.random == in.Random && tx.nationalID == in.NationalID
	var status nafath.Status
	if found {
		status = tx.current(time.Now())
	}
	s.mu.Unlock()
	if !found {
		fail(w, http.StatusNotFound, "Transaction not found")
		return
	}
	succeed(w, map[string]any{"status": status})
}

func (s *Server) details(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	tx := s.open[r.PathValue("transId")]
	var person nafath.Details
	if tx != nil && tx.status == nafath.StatusCompleted {
		person = s.person(tx)
	}
	s.mu.Unlock()
	switch {
	case person.TransID == "":
		fail(w, http.StatusNotFound, "Transaction not found")
	case s.config.EnvelopeDetails:
		succeed(w, person)
	default:
		kyctest.WriteJSON(w, http.StatusOK, person)
	}
}

// person is what details answers for tx.
func (s *Server) person(tx *transaction) nafath.Details {
	d, ok := s.people[tx.nationalID]
	if !ok {
		kind := nafath.UserNational
		if tx.nationalID[0] == '2' {
			kind = nafath.UserResident
		}
		d = nafath.Details{
			UserType: &kind, EnglishFirstName: "Noura", EnglishSecondName: "Test", EnglishLastName: "Sample",
			DateOfBirthG: "01-02-1990", Gender: "F", IDExpiryDateG: "03-04-2031",
			NationalAddress: json.RawMessage(`{"city":"Sampleville"}`), NationalityDesc: "Sample",
		}
	}
	if d.TransID == "" {
		d.TransID = tx.id
	}
	if tx.magic.other {
		d.IDNumber = "1090000090"
	}
	if d.IDNumber == "" {
		d.IDNumber = tx.nationalID
	}
	return d
}

// Transactions returns every verification that was started, in order: what the
// people's phones were asked. It also has those whose answer was lost on the
// way back.
func (s *Server) Transactions() []nafath.Transaction {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]nafath.Transaction, len(s.order))
	for i, tx := range s.order {
		out[i] = tx.public()
	}
	return out
}

// SetPerson makes details answer with d for this national id. An empty TransID
// or IDNumber is filled in; another value is sent as it is, to test that a
// client notices.
func (s *Server) SetPerson(nationalID string, d nafath.Details) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.people[nationalID] = d
}

// Approve is the person approving on the phone. The code must be the right one
// and the verification open.
func (s *Server) Approve(transID, random string) error {
	s.mu.Lock()
	tx := s.open[transID]
	wrong := tx != nil && tx.random != random
	s.mu.Unlock()
	if wrong {
		return fmt.Errorf("nafathtest: the code is wrong")
	}
	return s.set(transID, nafath.StatusCompleted)
}

// Reject is the person declining on the phone.
func (s *Server) Reject(transID string) error { return s.set(transID, nafath.StatusRejected) }

// Expire ends the verification as if its time had run out.
func (s *Server) Expire(transID string) error { return s.set(transID, nafath.StatusExpired) }

// Break ends the verification with StatusError.
func (s *Server) Break(transID string) error { return s.set(transID, nafath.StatusError) }

// SetStatus forces any status, a terminal one included, back to anything, for
// another Lifetime and without a webhook. Real providers must not do this;
// clients must survive it. An unknown transID changes nothing.
func (s *Server) SetStatus(transID string, status nafath.Status) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if tx := s.open[transID]; tx != nil {
		tx.status, tx.deadline = status, time.Now().Add(s.config.Lifetime)
		if tx.timer != nil {
			tx.timer.Reset(s.config.Lifetime)
		}
	}
}

// set moves an open verification to a terminal status and tells the webhook.
func (s *Server) set(transID string, status nafath.Status) error {
	now := time.Now()
	s.mu.Lock()
	tx := s.open[transID]
	if tx == nil {
		s.mu.Unlock()
		return kyctest.ErrNoPrompt
	}
	if expiring := status == nafath.StatusExpired && tx.status == nafath.StatusWaiting; !expiring && tx.current(now) != nafath.StatusWaiting {
		s.mu.Unlock()
		return fmt.Errorf("nafathtest: the transaction is not open")
	}
	tx.status = status
	tx.stop()
	lost := tx.magic.lost
	s.mu.Unlock()
	if !lost {
		s.Send(Event(transID, status))
	}
	return nil
}

// readJSON reads a body of string fields, or answers 400.
func readJSON(w http.ResponseWriter, r *http.Request, v any) bool {
	ok := kyctest.ReadJSON(r, v)
	if !ok {
		fail(w, http.StatusBadRequest, "The body must be JSON with string fields")
	}
	return ok
}

// Event returns the body of the webhook that tells of a change of status.
func Event(transID string, status nafath.Status) []byte {
	body, _ := json.Marshal(struct { // strings can be encoded
		Type    string
		TransID string `json:"TransId"`
		Status  nafath.Status
	}{nafath.EventVerificationCompleted, transID, status})
	return body
}
