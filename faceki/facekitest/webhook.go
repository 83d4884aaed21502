package facekitest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
)

var errUnknownRecord = errors.New("facekitest: no such record")

// Deliver sends the webhook of a finished verification to url and returns the
// status of the answer. Credentials for Basic go into the URL. Nothing is
// signed, as with FACEKI. It is sent once: call again for a duplicate, not at
// all for a loss, in another order for a reordering.
func (s *Server) Deliver(ctx context.Context, url, requestID string) (status int, err error) {
	body, err := s.Completed(requestID)
	if err != nil {
		return 0, err
	}
	return s.post(ctx, url, body)
}

// DeliverChange sends the webhook of a change in the portal, see ChangeDecision.
func (s *Server) DeliverChange(ctx context.Context, url, requestID string) (status int, err error) {
	body, err := s.Changed(requestID)
	if err != nil {
		return 0, err
	}
	return s.post(ctx, url, body)
}

// Completed returns the webhook body of a finished verification.
func (s *Server) Completed(requestID string) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.find(requestID)
	if r == nil {
		return nil, errUnknownRecord
	}
	return json.Marshal(map[string]any{
		"requestId": requestID, "fullName": fullName(r), "status": r["decision"], "kycData": maps.Clone(r),
	})
}

// Changed returns the webhook body of a change in the portal.
func (s *Server) Changed(requestID string) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.find(requestID)
	if r == nil {
		return nil, errUnknownRecord
	}
	return json.Marshal(map[string]any{
		"requestId": requestID, "fullName": fullName(r), "status": r["decision"], "modifiedByEmail": r["updateBy"],
	})
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

func (s *Server) post(ctx context.Context, url string, body []byte) (int, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return 0, err
	}
	req.Header.Set("Content-Type", "application/json")
	client := s.cfg.WebhookClient
	if client == nil {
		client = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	}
	resp, err := client.Do(req)
	if err != nil {
		return 0, err
	}
	defer func() { _ = resp.Body.Close() }()
	return resp.StatusCode, nil
}
