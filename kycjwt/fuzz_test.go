package kycjwt

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/kyckit/kyckit"
)

func FuzzParseDetail(f *testing.F) {
	for _, s := range []string{
		`{"detail":"LOGIN_BAD_CREDENTIALS"}`,
		`{"detail":"Not Found"}`,
		`{"detail":{"code":"REGISTER_INVALID_PASSWORD","reason":"too short"}}`,
		`{"detail":[{"loc":["body","username"],"msg":"field required","type":"value_error.missing"}]}`,
		`{"detail":[{"type":"missing","loc":["body","answers",0,"x"],"msg":"Field required","input":{"a":1},"ctx":{"pattern":"^password$"}}]}`,
		`{"detail":[7,null,{"loc":"body"},{"loc":[null,-1,1e9,1.5]}]}`, `{"detail":null}`, `{`, ``, `[]`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		d := parseDetail(body)
		if d.code != "" && (len(d.code) > 64 || strings.ToUpper(d.code) != d.code || strings.ContainsAny(d.code, " \n\"<")) {
			t.Fatalf("no code: %q", d.code)
		}
		if len(d.fields) > maxFields {
			t.Fatal("too many fields")
		}
		for _, field := range d.fields {
			if len(field.Location) > maxDepth || len(field.Path()) > maxDepth*70 {
				t.Fatal("too deep")
			}
			for _, p := range field.Location {
				if (p.Index >= 0) == (p.Name != "") {
					t.Fatalf("neither name nor position: %q %d", p.Name, p.Index)
				}
			}
		}
		// Whatever came, the error that carries it prints nothing of it.
		base := (&kyckit.Error{Provider: provider, Kind: kyckit.ErrInvalid, StatusCode: 422}).WithText("", body)
		if got := withFields(base).Error(); got != base.Error() {
			t.Fatalf("the text changed: %q", got)
		}
	})
}

func FuzzPage(f *testing.F) {
	for _, s := range []string{
		`{"items":[{"id":1}],"total":1,"page":1,"size":50,"pages":1}`,
		`{"items":[{"id":1}],"page":1,"size":1}`, `{"items":[],"total":99,"pages":99}`, `[1,2]`, `{"items":null}`, `{}`, `[`, ``,
		`{"items":[1],"page":0,"pages":3}`, `{"items":[1],"page":1000000,"size":1000000}`,
		`{"items":[1],"total":-1,"page":-1,"size":-1,"pages":-1}`, `{"items":[1],"size":9223372036854775807,"total":9223372036854775807}`,
	} {
		f.Add([]byte(s), 1)
		f.Add([]byte(s), 1_000_000)
	}
	f.Fuzz(func(t *testing.T, body []byte, from int) {
		if from < 1 || from > maxPage {
			return
		}
		// A server that gives the same answer for ever is asked twice at most.
		walk := pageWalk{next: from, first: 1, asked: from > 1, seen: map[[sha256.Size]byte]bool{}}
		for asked := 1; ; asked++ {
			items, more, problem := walk.page(body)
			if problem != "" && (more || items != nil) {
				t.Fatal("a problem ends the list")
			}
			if !more {
				break
			}
			if asked > 1 {
				t.Fatal("the walk goes on")
			}
			// The first page says where the list begins, unless the caller did.
			if walk.items < 0 || walk.next != from+1 && from > 1 || walk.next < 1 || walk.next > maxPage+1 {
				t.Fatalf("lost count: %d %d", walk.items, walk.next)
			}
		}
	})
}

func FuzzResourcePath(f *testing.F) {
	for _, s := range []string{"/persons/1", "/persons/{id}", "//evil/x", "/a/../b", "/a%2fb", "/a?b", `/a\b`, "/é/日本", "/", "", "/a/"} {
		f.Add(s, "x")
		f.Add(s, "../y")
	}
	f.Fuzz(func(t *testing.T, path, arg string) {
		template, values, err := resourcePath("get", "/api/v1", path, []string{arg}[:min(1, strings.Count(path, "{id}"))])
		if err != nil {
			if !errors.Is(err, kyckit.ErrInvalid) {
				t.Fatal(err)
			}
			return
		}
		if !strings.HasPrefix(template, "/api/v1/") || strings.Count(template, "{}") != len(values) {
			t.Fatalf("template %q with %d values", template, len(values))
		}
		if strings.Count(template, "/")-2 != strings.Count(path, "/") {
			t.Fatalf("%q became %q", path, template)
		}
		for segment := range strings.SplitSeq(strings.TrimPrefix(template, "/api/v1/"), "/") {
			if segment != "{}" && !resourceWord(segment) {
				t.Fatalf("%q would be logged", segment)
			}
		}
	})
}

func FuzzParseEvent(f *testing.F) {
	for _, kind := range []EventType{
		EventQuestionnaireRequired, EventIDVRequired, EventIDVCompleted, EventEntitlementCompleted, EventEntitlementFailed, "new",
	} {
		f.Add([]byte(`{"notification_id":"n","notification_type":` + strconv.Quote(string(kind)) +
			`,"details":{"status":"s","messages":[{"timestamp":1}],"riskScore":15,"pending_questionnaire_ids":["a"]}}`))
	}
	f.Add([]byte(`{"notification_id":7,"notification_type":"x","details":null}`))
	f.Add([]byte(`{`))
	f.Fuzz(func(t *testing.T, body []byte) {
		e, err := ParseEvent(body)
		if err != nil {
			if !errors.Is(err, kyckit.ErrInvalid) {
				t.Fatal(err)
			}
			return
		}
		if e.NotificationID == "" || e.Type == "" || !utf8.ValidString(e.NotificationID) {
			t.Fatal("an event without a name")
		}
		// What was stored is the same event when it is read again.
		stored, err := json.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		again, err := ParseEvent(stored)
		if err != nil {
			t.Fatalf("%v: %s", err, stored)
		}
		if again.NotificationID != e.NotificationID || again.Type != e.Type || (again.IDVResult == nil) != (e.IDVResult == nil) {
			t.Fatalf("%s became %s", body, stored)
		}
	})
}
