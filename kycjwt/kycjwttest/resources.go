package kycjwttest

import (
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/kyckit/kyckit/kycjwt"
	"github.com/kyckit/kyckit/kyctest"
)

// Response is an answered questionnaire, as it arrived.
type Response struct {
	Owner           kycjwt.Owner
	QuestionnaireID string
	Answers         []kycjwt.Answer
}

// document is an uploaded document.
type document struct {
	meta    map[string]any
	owner   string
	content []byte
}

const prefix = "/api/v1"

func (s *Server) routes() {
	s.Handle("/auth/jwt/login", OpLogin, unhurried(s.login))
	s.Handle("/auth/jwt/logout", OpLogout, s.logout)
	s.Handle("/", kyctest.OpOther, s.other)
	allow := func(method, path string) {
		if s.allowed[path] == nil {
			s.paths.Handle(path, http.NotFoundHandler())
		}
		s.allowed[path] = append(s.allowed[path], method)
	}
	allow("POST", "/auth/jwt/login")
	allow("POST", "/auth/jwt/logout")
	api := func(method, path, op string, h http.HandlerFunc) {
		allow(method, prefix+path)
		s.Handle(method+" "+prefix+path, op, unhurried(s.protected(h)))
	}
	api("POST", "/persons", OpCreatePerson, s.createPerson)
	api("GET", "/persons/{id}", OpGetPerson, s.getPerson)
	api("POST", "/persons/{id}/entitlement_triggers", OpTriggerEntitlement, s.owned("persons", s.trigger))
	api("GET", "/questionnaires/{id}", OpQuestionnaire, s.questionnaire)
	if s.config.OlderLists {
		api("GET", "/entitlements/{owners}", OpEntitlements, s.entitlements)
	} else {
		api("GET", "/entitlements", OpEntitlements, s.entitlements)
	}
	for _, owners := range []string{"persons", "corporates"} {
		api("GET", "/questionnaires/"+owners, OpQuestionnaires, s.questionnaires)
		api("GET", "/questionnaires/"+owners+"/{id}", OpQuestionnaires, s.owned(owners, s.questionnaires))
		api("POST", "/"+owners+"/{id}/questionnaires/{qid}/response", OpRespond, s.owned(owners, s.respond))
		api("POST", "/"+owners+"/{id}/documents", OpUploadDocument, s.owned(owners, s.upload))
		api("GET", "/"+owners+"/{id}/documents", OpDocuments, s.owned(owners, s.listDocuments))
		api("GET", "/"+owners+"/{id}/documents/{doc}", OpDocument, s.owned(owners, s.getDocument))
		api("GET", "/"+owners+"/{id}/documents/{doc}/download_link", OpDocumentLink, s.owned(owners, s.documentLink))
	}
	api("POST", "/webhooks", OpRegisterWebhook, s.registerWebhook)
	api("GET", "/webhooks", OpWebhooks, s.listWebhooks)
	api("DELETE", "/webhooks", OpDeleteWebhook, s.deleteWebhook)
}

// other answers what is no route: 405 for a known path with another method, a
// redirect to the absolute address without it for a trailing slash, and 404.
func (s *Server) other(w http.ResponseWriter, r *http.Request) {
	if methods := s.methods(*r.URL); methods != nil {
		w.Header().Set("Allow", strings.Join(methods, ", "))
		refuse(w, http.StatusMethodNotAllowed, "Method Not Allowed")
		return
	}
	without := *r.URL
	without.Path, without.RawPath = strings.TrimSuffix(without.Path, "/"), strings.TrimSuffix(without.RawPath, "/")
	if s.methods(without) != nil {
		w.Header().Set("Location", s.URL+without.RequestURI())
		w.WriteHeader(http.StatusTemporaryRedirect)
		return
	}
	refuse(w, http.StatusNotFound, "Not Found")
}

// methods returns the methods that a path has, nil for none.
func (s *Server) methods(u url.URL) []string {
	_, pattern := s.paths.Handler(&http.Request{Method: http.MethodGet, URL: &u})
	return s.allowed[pattern]
}

// owned lets a request pass whose {id} is a known customer. The handler sees
// the kind of customer in the path value "owners".
func (s *Server) owned(owners string, h http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		known := s.owners[owners+"/"+r.PathValue("id")]
		s.mu.Unlock()
		if !known {
			refuse(w, http.StatusNotFound, "Not Found")
			return
		}
		r.SetPathValue("owners", owners)
		h(w, r)
	}
}

// AddCorporate makes a company known and returns its id; no call that creates
// one is documented.
func (s *Server) AddCorporate() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	id := s.newID()
	s.owners["corporates/"+id] = true
	return id
}

// PersonFields lists the fields that a person must have, in the provider's
// order.
func PersonFields() []string {
	return []string{
		"external_id", "first_name", "last_name", "nationality", "gender", "birth_country", "birth_place", "birth_date",
		"street_name", "street_number", "city", "postal_code", "country", "phone", "email", "tax_identification_number",
		"tax_country",
	}
}

func (s *Server) createPerson(w http.ResponseWriter, r *http.Request) {
	in := map[string]any{}
	if !kyctest.ReadJSON(r, &in) || in == nil {
		s.unprocessable(w, missing("body"))
		return
	}
	if problems := personProblems(in); len(problems) > 0 {
		s.unprocessable(w, problems...)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	id := s.newID()
	in["id"] = id
	raw, err := json.Marshal(in)
	if err != nil {
		refuse(w, http.StatusInternalServerError, "Internal Server Error")
		return
	}
	s.persons[id], s.owners["persons/"+id] = raw, true
	kyctest.WriteJSON(w, http.StatusCreated, json.RawMessage(raw))
}

// Person returns a created person as JSON, or nil.
func (s *Server) Person(id string) json.RawMessage {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.persons[id]
}

// Persons returns the ids of all created persons, sorted.
func (s *Server) Persons() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Sorted(maps.Keys(s.persons))
}

func (s *Server) getPerson(w http.ResponseWriter, r *http.Request) {
	raw := s.Person(r.PathValue("id"))
	if raw == nil {
		refuse(w, http.StatusNotFound, "Not Found")
		return
	}
	kyctest.WriteJSON(w, http.StatusOK, raw)
}

func (s *Server) upload(w http.ResponseWriter, r *http.Request) {
	if r.ParseMultipartForm(32<<20) != nil {
		s.unprocessable(w, missing("body", "category"), missing("body", "file"))
		return
	}
	defer func() { _ = r.MultipartForm.RemoveAll() }()
	var problems []fieldProblem
	category, orientation := r.PostFormValue("category"), r.PostFormValue("orientation")
	if category == "" {
		problems = append(problems, missing("body", "category"))
	}
	switch kycjwt.Orientation(orientation) {
	case "", kycjwt.OrientationFront, kycjwt.OrientationBack, kycjwt.OrientationUndetermined:
	default:
		problems = append(problems, refused(orientation, "body", "orientation"))
	}
	file, header, err := r.FormFile("file")
	if err != nil {
		problems = append(problems, missing("body", "file"))
	}
	if len(problems) > 0 {
		s.unprocessable(w, problems...)
		return
	}
	content, err := io.ReadAll(file)
	if err != nil {
		refuse(w, http.StatusInternalServerError, "Internal Server Error")
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	d := document{owner: ownerKey(r), content: content, meta: map[string]any{
		"id": s.newID(), "category": category, "orientation": orientation, "name": header.Filename,
		"content_type": header.Header.Get("Content-Type"), "created_at": s.stamp(),
	}}
	d.meta["owner_id"] = r.PathValue("id")
	if s.config.OlderLists {
		delete(d.meta, "owner_id")
		d.meta["owner_type_id"] = r.PathValue("id")
	}
	s.documents = append(s.documents, d)
	kyctest.WriteJSON(w, http.StatusCreated, d.meta)
}

func ownerKey(r *http.Request) string { return r.PathValue("owners") + "/" + r.PathValue("id") }

func (s *Server) listDocuments(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var metas []any
	for _, d := range s.documents {
		if d.owner == ownerKey(r) {
			metas = append(metas, d.meta)
		}
	}
	s.page(w, r, metas)
}

// document finds the document of a request; the caller holds the lock.
func (s *Server) document(r *http.Request) *document {
	for i, d := range s.documents {
		if d.owner == ownerKey(r) && d.meta["id"] == r.PathValue("doc") {
			return &s.documents[i]
		}
	}
	return nil
}

func (s *Server) getDocument(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	d := s.document(r)
	if d == nil {
		refuse(w, http.StatusNotFound, "Not Found")
		return
	}
	kyctest.WriteJSON(w, http.StatusOK, d.meta)
}

func (s *Server) documentLink(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	d := s.document(r)
	if d == nil {
		refuse(w, http.StatusNotFound, "Not Found")
		return
	}
	kyctest.WriteJSON(w, http.StatusOK, map[string]any{"url": "https://files.example/" + d.meta["id"].(string) + "?signature=fake"}) // set by upload
}

// Document returns the content of an uploaded document, or nil.
func (s *Server) Document(id string) []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, d := range s.documents {
		if d.meta["id"] == id {
			return d.content
		}
	}
	return nil
}

// page writes one page of a list; the caller holds the lock.
func (s *Server) page(w http.ResponseWriter, r *http.Request, items []any) {
	number, size := 1, s.config.PageSize
	for name, value := range map[string]*int{"page": &number, "size": &size} {
		text := r.URL.Query().Get(name)
		if text == "" {
			continue
		}
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > 1_000_000 {
			p := missing("query", name)
			p.input = text
			s.unprocessable(w, p)
			return
		}
		*value = n
	}
	from := min((number-1)*size, len(items))
	shown := append([]any{}, items[from:min(from+size, len(items))]...)
	out := map[string]any{"items": shown, "page": number, "size": size}
	if !s.config.OlderLists {
		out["total"], out["pages"] = len(items), (len(items)+size-1)/size
	}
	kyctest.WriteJSON(w, http.StatusOK, out)
}
