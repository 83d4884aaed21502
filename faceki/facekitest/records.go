package facekitest

import (
	"crypto/rand"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/kyckit/kyckit/faceki"
	"github.com/kyckit/kyckit/kyctest"
)

// WorkflowID is the workflow that the fake knows. It accepts any other too.
const WorkflowID = "0b5e3c1a-6d2f-4e77-9a41-3f0c8d9be102"

func (s *Server) serveLink(w http.ResponseWriter, r *http.Request) {
	var in linkRequest
	if !kyctest.ReadJSON(r, &in) || in.WorkflowID == "" {
		kyctest.WriteJSON(w, http.StatusOK, map[string]any{"responseCode": 5002, "data": nil, "message": codeName(5002)})
		return
	}
	id := uuid()
	s.mu.Lock()
	s.links[id] = &link{linkRequest: in, id: id, status: waiting}
	s.order = append(s.order, s.links[id])
	s.mu.Unlock()
	if s.cfg.OnPrompt != nil {
		s.cfg.OnPrompt(id)
	}
	kyctest.WriteJSON(w, http.StatusCreated, map[string]any{
		"responseCode": 0, "data": id, "url": "https://verification.faceki.test/" + id,
	})
}

func (s *Server) serveVerify(w http.ResponseWriter, r *http.Request) {
	u, code, err := s.readUpload(r)
	if err != nil {
		writeHTML(w, http.StatusRequestEntityTooLarge)
		return
	}
	switch {
	case code != 0:
	case u.Fields["workflowId"] == "":
		code = 5002
	case u.File("selfie").Size == 0:
		code = 8001
	case u.File("document_1_front").Size == 0:
		code = 5006
	}
	if code != 0 {
		kyctest.WriteJSON(w, http.StatusOK, envelopeB(code, codeName(code), ""))
		return
	}
	s.mu.Lock()
	record := s.newRecord(s.decision)
	record["record_identifier"] = u.Fields["record_identifier"]
	record["workflowId"] = u.Fields["workflowId"]
	record, shape := maps.Clone(record), s.shape
	s.mu.Unlock()
	kyctest.WriteJSON(w, http.StatusOK, envelopeB(200, "OK", shape.of(record)))
}

func (shape Shape) of(record map[string]any) any {
	switch shape {
	case ShapeArray:
		return []any{record}
	case ShapeString:
		return ""
	case ShapeNull:
		return nil
	case ShapeNumber:
		return 7
	default:
		part := map[string]any{}
		for _, key := range []string{"requestId", "decision", "companyId", "workflowId", "branchId"} {
			part[key] = record[key]
		}
		return part
	}
}

// newRecord stores a new record. The lock is held.
func (s *Server) newRecord(d faceki.Decision) map[string]any {
	now := time.Now().UTC().Format("2006-01-02T15:04:05.000Z")
	r := person()
	maps.Copy(r, map[string]any{
		"requestId": uuid(), "face_id": uuid(), "decision": string(d),
		"companyId": "company-fake", "branchId": "branch-fake", "workflowId": WorkflowID,
		"createdAt": now, "updatedAt": now, "updateBy": "", "__v": 0,
	})
	s.records = append(s.records, r)
	return r
}

// AddRecord stores a record made of fields on top of an invented one and
// returns its request id.
func (s *Server) AddRecord(fields map[string]any) (requestID string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.newRecord(s.decision)
	maps.Copy(r, fields)
	return fmt.Sprint(r["requestId"])
}

// ChangeDecision plays the person who changes a decision in the portal. It
// reports whether the record is known.
func (s *Server) ChangeDecision(requestID string, d faceki.Decision, email string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.find(requestID)
	if r == nil {
		return false
	}
	r["decision"], r["updateBy"] = string(d), email
	r["updatedAt"] = time.Now().UTC().Format("2006-01-02T15:04:05.000Z")
	return true
}

// find returns a record. The lock is held.
func (s *Server) find(requestID string) map[string]any {
	for _, r := range s.records {
		if r["requestId"] == requestID {
			return r
		}
	}
	return nil
}

// Forget drops every record, as a workflow that stores no data does.
func (s *Server) Forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.records = nil
}

// matching returns the records that a query asks for. It is not ok when the
// query has none of the filters.
func (s *Server) matching(query url.Values) (found []map[string]any, ok bool) {
	filters := map[string]string{}
	for _, key := range []string{"requestId", "face_id", "link", "record_identifier"} {
		if want := query.Get(key); want != "" {
			filters[key] = want
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	found = []map[string]any{}
	for _, record := range s.records {
		match := true
		for key, want := range filters {
			match = match && record[key] == want
		}
		if match {
			found = append(found, maps.Clone(record))
		}
	}
	return found, len(filters) > 0
}

func (s *Server) serveRecords(w http.ResponseWriter, r *http.Request) {
	found, ok := s.matching(r.URL.Query())
	if !ok {
		kyctest.WriteJSON(w, http.StatusOK, envelopeB(5002, codeName(5002), nil))
		return
	}
	kyctest.WriteJSON(w, http.StatusOK, envelopeB(200, "OK", found))
}

// serveRecordsV2 is the path that another part of the documentation prints; that
// it uses the older envelope is a guess.
func (s *Server) serveRecordsV2(w http.ResponseWriter, r *http.Request) {
	found, ok := s.matching(r.URL.Query())
	if !ok {
		kyctest.WriteJSON(w, http.StatusOK, map[string]any{"responseCode": 5002, "data": nil, "message": codeName(5002)})
		return
	}
	kyctest.WriteJSON(w, http.StatusOK, map[string]any{"responseCode": 0, "data": found})
}

// serveSearch finds every record: all of the fake's people look the same.
func (s *Server) serveSearch(w http.ResponseWriter, r *http.Request) {
	u, code, err := s.readUpload(r)
	if err != nil {
		writeHTML(w, http.StatusRequestEntityTooLarge)
		return
	}
	if code == 0 && (len(u.Files) != 1 || u.File("selfie").Size == 0) {
		code = 8001
	}
	if code != 0 {
		kyctest.WriteJSON(w, http.StatusOK, envelopeB(code, codeName(code), nil))
		return
	}
	s.mu.Lock()
	found := slices.Clone(s.records)
	for i := range found {
		found[i] = maps.Clone(found[i])
	}
	s.mu.Unlock()
	if found == nil {
		found = []map[string]any{}
	}
	kyctest.WriteJSON(w, http.StatusOK, envelopeB(200, "OK", found))
}

func (s *Server) serveRules(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	rules := maps.Clone(s.rules)
	s.mu.Unlock()
	id := r.URL.Query().Get("workflowId")
	if id == "" || rules == nil {
		kyctest.WriteJSON(w, http.StatusOK, envelopeB(5001, codeName(5001), nil))
		return
	}
	rules["workflowId"] = id
	kyctest.WriteJSON(w, http.StatusOK, envelopeB(200, "OK", rules))
}

func writeHTML(w http.ResponseWriter, status int) {
	w.Header().Set("Content-Type", "text/html")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(page(status)))
}

func uuid() string {
	var b [16]byte
	_, _ = rand.Read(b[:])
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}
