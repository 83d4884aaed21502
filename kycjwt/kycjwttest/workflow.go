package kycjwttest

import (
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/kyckit/kyckit/kycjwt"
	"github.com/kyckit/kyckit/kyctest"
)

// QuestionnaireID is the id of the questionnaire that the fake knows from the
// start. Its questions are "question-text" (required), "question-integer",
// "question-bool", "question-choice" with the options "option-a" and
// "option-b", and "question-document".
const QuestionnaireID = "questionnaire-onboarding"

func sampleThings() things {
	question := func(kind string, optional bool, options ...json.RawMessage) kycjwt.Question {
		return kycjwt.Question{ID: "question-" + kind, Label: "A question", QuestionType: kind, IsOptional: optional, Options: options}
	}
	questions := []kycjwt.Question{
		question("text", false), question("integer", true), question("bool", true),
		question("choice", true, json.RawMessage(`{"id":"option-a","label":"A"}`), json.RawMessage(`{"id":"option-b","label":"B"}`)),
		question("document", true),
	}
	questions[3].QuestionType = "single_choice"
	for i := range questions {
		questions[i].Position = i
	}
	const stamp = "2025-01-02T03:04:05.000000"
	return things{
		entitlements: []kycjwt.Entitlement{{
			ID: "entitlement-onboarding", Name: "onboarding", Description: "Open an account", CreatedAt: stamp, UpdatedAt: stamp,
			Questionnaires: []kycjwt.EntitlementQuestionnaire{{EntitlementID: "entitlement-onboarding", QuestionnaireID: QuestionnaireID}},
		}},
		questionnaires: []kycjwt.Questionnaire{{
			ID: QuestionnaireID, Name: "onboarding", Description: "Who you are", IsPublished: true, OwnerType: "person",
			IsGeneric: true, CreatedAt: stamp,
			Data: &kycjwt.QuestionnaireData{
				ID: "version-1", VersionNumber: 1, QuestionnaireID: QuestionnaireID, CreatedAt: stamp, Questions: questions,
			},
		}},
	}
}

// AddQuestionnaire makes another questionnaire known.
func (s *Server) AddQuestionnaire(q kycjwt.Questionnaire) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.things.questionnaires = append(s.things.questionnaires, q)
}

// AddEntitlement makes another entitlement known.
func (s *Server) AddEntitlement(e kycjwt.Entitlement) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.things.entitlements = append(s.things.entitlements, e)
}

// Responses returns the answered questionnaires in order of arrival.
func (s *Server) Responses() []Response {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.responses)
}

// Triggers returns how many entitlements were triggered.
func (s *Server) Triggers() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.triggers
}

func (s *Server) entitlements(w http.ResponseWriter, r *http.Request) {
	if !s.config.OlderLists {
		if t := r.URL.Query().Get("owner_type"); t != "person" && t != "corporate" {
			s.unprocessable(w, missing("query", "owner_type"))
			return
		}
	} else if t := r.PathValue("owners"); t != "persons" && t != "corporates" {
		refuse(w, http.StatusNotFound, "Not Found")
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.page(w, r, anys(s.things.entitlements))
}

func (s *Server) trigger(w http.ResponseWriter, _ *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.triggers++
	kyctest.WriteJSON(w, http.StatusCreated, map[string]any{"id": s.newID()})
}

func (s *Server) questionnaires(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.page(w, r, anys(s.things.questionnaires))
}

// find returns a questionnaire; the caller holds the lock.
func (s *Server) find(id string) *kycjwt.Questionnaire {
	for i, q := range s.things.questionnaires {
		if q.ID == id {
			return &s.things.questionnaires[i]
		}
	}
	return nil
}

func (s *Server) questionnaire(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	q := s.find(r.PathValue("id"))
	if q == nil {
		refuse(w, http.StatusNotFound, "Not Found")
		return
	}
	kyctest.WriteJSON(w, http.StatusOK, q)
}

func (s *Server) respond(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Answers []json.RawMessage `json:"answers"`
	}
	if !kyctest.ReadJSON(r, &in) || len(in.Answers) == 0 {
		s.unprocessable(w, missing("body", "answers"))
		return
	}
	owner := kycjwt.Person(r.PathValue("id"))
	if r.PathValue("owners") == "corporates" {
		owner = kycjwt.Corporate(owner.ID)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	q := s.find(r.PathValue("qid"))
	if q == nil {
		refuse(w, http.StatusNotFound, "Not Found")
		return
	}
	resp := Response{Owner: owner, QuestionnaireID: q.ID}
	var problems []fieldProblem
	for i, raw := range in.Answers {
		a, wrong := readAnswer(q, raw)
		if wrong != "" {
			problems = append(problems, refused(raw, "body", "answers", i, wrong))
		}
		resp.Answers = append(resp.Answers, a)
	}
	if len(problems) > 0 {
		s.unprocessable(w, problems...)
		return
	}
	s.responses = append(s.responses, resp)
	kyctest.WriteJSON(w, http.StatusCreated, map[string]any{"id": s.newID()})
}

func (s *Server) registerWebhook(w http.ResponseWriter, r *http.Request) {
	in := map[string]any{}
	switch ok := kyctest.ReadJSON(r, &in); {
	case !ok || in["url"] == nil:
		s.unprocessable(w, missing("body", "url"))
		return
	case !isHTTPS(in["url"]):
		s.unprocessable(w, refused(in["url"], "body", "url"))
		return
	case !validWebhook(in):
		s.unprocessable(w, refused(in, "body"))
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	hook := map[string]any{
		"id": s.newID(), "key_id": "key-1", "url": in["url"], "event_types": in["event_types"],
		"include_all_events": true, "public_key": s.PublicKey(), "created_at": s.stamp(),
	}
	if all, ok := in["include_all_events"].(bool); ok {
		hook["include_all_events"] = all
	}
	s.webhooks = append(s.webhooks, hook)
	kyctest.WriteJSON(w, http.StatusCreated, hook)
}

func (s *Server) listWebhooks(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.page(w, r, anys(s.webhooks))
}

func (s *Server) deleteWebhook(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	id := r.URL.Query().Get("webhook_id")
	i := slices.IndexFunc(s.webhooks, func(h map[string]any) bool { return h["id"] == id })
	switch {
	case id == "":
		s.unprocessable(w, missing("query", "webhook_id"))
	case i < 0:
		refuse(w, http.StatusNotFound, "Not Found")
	default:
		s.webhooks = slices.Delete(s.webhooks, i, i+1)
		w.WriteHeader(http.StatusNoContent)
	}
}

// PublicKey returns the key of the fake's deliveries as a registration has it.
func (s *Server) PublicKey() string { return base64.RawURLEncoding.EncodeToString(s.public) }

// Sign signs a delivery as of the given time, by the headers X-DLT-Signature
// and X-DLT-Timestamp. The id is not used: the provider has it in the body. With
// it the server signs what Deliver sends, and is a Signer for a
// webhooktest.Sender, which sends duplicates, storms and forgeries.
func (s *Server) Sign(r *http.Request, _ string, at time.Time, body []byte) error {
	timestamp := strconv.FormatInt(at.Unix(), 10)
	signature := ed25519.Sign(s.signing, append([]byte(timestamp+"."), body...))
	r.Header.Set("X-DLT-Timestamp", timestamp)
	r.Header.Set("X-DLT-Signature", base64.RawURLEncoding.EncodeToString(signature))
	return nil
}

// skewed dates deliveries by the fake's own clock.
type skewed struct{ *Server }

func (s skewed) Sign(r *http.Request, id string, at time.Time, body []byte) error {
	return s.Server.Sign(r, id, at.Add(s.config.ClockSkew), body)
}

func anys[T any](list []T) []any {
	out := make([]any, len(list))
	for i, v := range list {
		out[i] = v
	}
	return out
}
