package faceki

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"mime/multipart"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kyckit/kyckit"
	"github.com/kyckit/kyckit/internal/lenient"
)

// seed gives every sample to a fuzz target, and what else is dear to decoders.
func seed(f *testing.F) {
	f.Helper()
	names, err := filepath.Glob(filepath.Join("testdata", "*.json"))
	if err != nil || len(names) == 0 {
		f.Fatal("no samples")
	}
	for _, name := range names {
		b, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	for _, s := range []string{
		``, `null`, `[]`, `{}`, `"x"`, `{"code":1e400}`, `{"responseCode":-0,"data":"x"}`, `{"code":"200","status":true}`,
		`{"errors":[{}]}`, `{"errors":[null]}`, `{"status":true,"code":200,"result":[[[]]]}`, `{"statusCode":{}}`,
		`{"requestId":"r","status":"ACCEPTED","kycData":[null]}`, `{"requestId":"r","status":"s","kycData":{"requestId":"q"}}`,
		`{"document_data":[null,1,{"document_face_match":{"similarity":"Infinity"}}],"createdAt":"x","__v":1e300}`, "\xff\xfe{}",
	} {
		f.Add([]byte(s))
	}
}

func FuzzEnvelope(f *testing.F) {
	seed(f)
	f.Fuzz(func(t *testing.T, body []byte) {
		e, ok := parseEnvelope(body)
		if ok && e.success && e.hasCode {
			t.Fatal("a success has no failing code")
		}
		if ok && e.hasCode && (e.code == codeSuccess || e.code == codeOK) {
			t.Fatal("a failing code that is none")
		}
		if ok {
			reason, kind := e.failure()
			if reason == "" || kind == nil {
				t.Fatal("a failure without reason or kind")
			}
			e.records()
			_ = lenient.String(e.url)
		}
		explain(400, body)
		token, err := decodeToken(body)
		if err == nil && token.Access.IsZero() {
			t.Fatal("an empty token")
		}
		if err == nil && (!ok || !e.success) {
			t.Fatal("a token without a success")
		}
	})
}

func FuzzRecord(f *testing.F) {
	seed(f)
	f.Add([]byte(`{"errorCodes":["5004",5004.0,"x",{}],"decision":true,"selfie_data":{"liveness_pass":"true"}}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		var r Record
		if r.UnmarshalJSON(body) != nil {
			return
		}
		if !bytes.Equal(r.Raw, body) {
			t.Fatal("the raw record was changed")
		}
		for _, code := range r.Codes() {
			_ = CodeError(code)
		}
		first, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		var again Record
		if err := json.Unmarshal(first, &again); err != nil {
			t.Fatal(err)
		}
		second, err := json.Marshal(again)
		if err != nil || !bytes.Equal(first, second) {
			t.Fatalf("not stable: %s then %s", first, second)
		}
		var w WorkflowRules
		_ = w.UnmarshalJSON(body)
	})
}

func FuzzParseEvent(f *testing.F) {
	seed(f)
	f.Fuzz(func(t *testing.T, body []byte) {
		e, err := ParseEvent(body)
		if err != nil {
			if !errors.Is(err, kyckit.ErrDecode) {
				t.Fatal("another kind of error")
			}
			return
		}
		if e.RequestID == "" || e.Status == "" || e.Type == "" {
			t.Fatal("an event without its required fields")
		}
		if e.Record != nil && e.Record.RequestID != "" && e.Record.RequestID != e.RequestID {
			t.Fatal("the record of another verification")
		}
		if !json.Valid(e.Raw) {
			t.Fatal("the raw event is no JSON")
		}
	})
}

// FuzzUpload checks that whatever the fields, names and images, the body is the
// multipart message that was meant, has the announced length, and is the same
// when it is sent again.
func FuzzUpload(f *testing.F) {
	f.Add("order-5117", "selfie.jpg", []byte("\xff\xd8\xffdata"), uint8(3))
	f.Add("a\"; name=\"x", "..\\../\r\n.png", []byte("\x89PNG\r\n\x1a\n--boundary--\r\n"), uint8(0))
	f.Add("ünïcode", "", []byte("no image"), uint8(1))
	f.Fuzz(func(t *testing.T, id, name string, img []byte, chunk uint8) {
		if !sendableField(id) {
			return
		}
		client := &Client{maxImage: 1 << 20}
		form, err := client.form(t.Context(), "op", [][2]string{{"record_identifier", id}},
			[]part{{"selfie", Image{Name: name, Reader: bytes.NewReader(img)}}})
		if err != nil {
			return
		}
		u := form.Body()
		var last []byte
		for range 2 {
			body, err := u.Open()
			if err != nil {
				t.Fatal(err)
			}
			var sent bytes.Buffer
			if _, err := io.CopyBuffer(struct{ io.Writer }{&sent}, struct{ io.Reader }{body}, make([]byte, int(chunk)+1)); err != nil {
				t.Fatal(err)
			}
			_ = body.Close()
			if int64(sent.Len()) != u.Length || last != nil && !bytes.Equal(last, sent.Bytes()) {
				t.Fatal("another length or another body")
			}
			last = sent.Bytes()
		}
		_, boundary, _ := strings.Cut(u.ContentType, "boundary=")
		got, err := multipart.NewReader(bytes.NewReader(last), boundary).ReadForm(1 << 20)
		if err != nil {
			t.Fatal(err)
		}
		if len(got.Value) != 1 || got.Value["record_identifier"][0] != id || len(got.File) != 1 {
			t.Fatal("other parts")
		}
		file, err := got.File["selfie"][0].Open()
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(file)
		if err != nil || !bytes.Equal(b, img) {
			t.Fatal("another image")
		}
	})
}
