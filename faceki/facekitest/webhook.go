package facekitest

import (
	"encoding/json"
	"maps"
)

// Completed returns the webhook body of a finished verification, to be sent
// with Deliver; nil when there is no such record.
func (s *Server) Completed(requestID string) []byte {
	return s.event(requestID, func(record, event map[string]any) { event["kycData"] = maps.Clone(record) })
}

// Changed returns the webhook body of a change in the portal, see
// ChangeDecision; nil when there is no such record.
func (s *Server) Changed(requestID string) []byte {
	return s.event(requestID, func(record, event map[string]any) { event["modifiedByEmail"] = record["updateBy"] })
}

func (s *Server) event(requestID string, more func(record, event map[string]any)) []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.find(requestID)
	if r == nil {
		return nil
	}
	event := map[string]any{"requestId": requestID, "fullName": fullName(r), "status": r["decision"]}
	more(r, event)
	body, err := json.Marshal(event)
	if err != nil {
		return nil // AddRecord was given what is no JSON
	}
	return body
}

func fullName(record map[string]any) string {
	docs, _ := record["document_data"].([]any)
	if len(docs) == 0 {
		return ""
	}
	doc, _ := docs[0].(map[string]any)
	name, _ := doc["full_name"].(string)
	return name
}
