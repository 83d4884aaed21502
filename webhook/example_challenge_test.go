package webhook_test

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"time"

	"github.com/kyckit/kyckit"
	"github.com/kyckit/kyckit/webhook"
	"github.com/kyckit/kyckit/webhook/webhooktest"
)

// challenged answers the questions that senders ask before their first
// delivery, and hands everything else on.
type challenged struct {
	next         http.Handler
	verifyToken  kyckit.Secret         // of Meta, which you have chosen yourself
	signature    webhook.Authenticator // of Zoom, by its Scheme
	secret       kyckit.Secret         // of Zoom
	plainTokenIs *regexp.Regexp        // letters and digits
}

func (c challenged) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	switch {
	case r.Method == http.MethodGet && query.Get("hub.mode") == "subscribe": // Meta
		if !hmac.Equal([]byte(query.Get("hub.verify_token")), []byte(c.verifyToken.Reveal())) {
			http.Error(w, "unauthorized", http.StatusUnauthorized)
			return
		}
		plain(w, query.Get("hub.challenge"))
	case r.Method == http.MethodPost && query.Has("validationToken"): // Microsoft Graph
		plain(w, query.Get("validationToken"))
	case r.Method == http.MethodPost && c.zoom(w, r):
	default:
		c.next.ServeHTTP(w, r)
	}
}

// zoom answers endpoint.url_validation. The question must be signed, and the
// token must be no more than letters and digits: whoever could have any text
// signed could forge deliveries.
func (c challenged) zoom(w http.ResponseWriter, r *http.Request) (answered bool) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 1<<20))
	r.Body = io.NopCloser(bytes.NewReader(body))
	var question struct {
		Event   string `json:"event"`
		Payload struct {
			PlainToken string `json:"plainToken"`
		} `json:"payload"`
	}
	if err != nil || webhook.DecodeStrict(body, &question) != nil || question.Event != "endpoint.url_validation" || !c.plainTokenIs.MatchString(question.Payload.PlainToken) {
		return false
	}
	if c.signature.Authenticate(&webhook.Delivery{Method: r.Method, URL: r.URL, Header: r.Header, Body: body}) != nil {
		return false // the handler refuses it
	}
	mac := hmac.New(sha256.New, []byte(c.secret.Reveal()))
	mac.Write([]byte(question.Payload.PlainToken))
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]string{"plainToken": question.Payload.PlainToken, "encryptedToken": hex.EncodeToString(mac.Sum(nil))})
	return true
}

// plain answers with a text that no browser takes for a page.
func plain(w http.ResponseWriter, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	_, _ = io.WriteString(w, text[:min(len(text), 1024)])
}

// Senders that ask a question first get their answer from a handler around the
// one of this package.
func Example_challenge() {
	secret := kyckit.NewSecret("from Zoom's page")
	zoom := webhook.Scheme{
		Name: "zoom", SignatureHeader: "X-Zm-Signature", Prefix: "v0=", TimestampHeader: "X-Zm-Request-Timestamp", Signed: "v0:{timestamp}:{body}",
	}
	signature, err := webhook.NewHMAC(webhook.HMACConfig{Scheme: zoom, Secrets: []kyckit.Secret{secret}})
	if err != nil {
		fmt.Println(err)
		return
	}
	deliveries, err := webhook.NewHandler(webhook.HandlerConfig{Authenticate: signature, Handle: func(context.Context, *webhook.Delivery) error {
		fmt.Println("handled")
		return nil
	}})
	if err != nil {
		fmt.Println(err)
		return
	}
	handler := challenged{
		next: deliveries, verifyToken: kyckit.NewSecret("chosen by you"), signature: signature, secret: secret,
		plainTokenIs: regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`),
	}

	ask := func(method, target, body string) {
		r := httptest.NewRequest(method, target, strings.NewReader(body))
		if body != "" {
			_ = webhooktest.HMAC{Scheme: zoom, Secrets: []string{secret.Reveal()}}.Sign(r, "", time.Now(), []byte(body))
		}
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		fmt.Println(strings.TrimSpace(fmt.Sprint(w.Code, " ", w.Body)))
	}
	ask("GET", "/?hub.mode=subscribe&hub.verify_token=chosen+by+you&hub.challenge=1158201444", "")
	ask("GET", "/?hub.mode=subscribe&hub.verify_token=guessed&hub.challenge=1158201444", "")
	ask("POST", "/?validationToken=opaque", "")
	ask("POST", "/", `{"event":"endpoint.url_validation","payload":{"plainToken":"q9ibPhGeRZ6ayx5WTrXjRw"}}`)
	ask("POST", "/", `{"event":"endpoint.url_validation","payload":{"plainToken":"v0:1700000000:{}"}}`)
	ask("POST", "/", `{"event":"meeting.started"}`)
	// Output:
	// 200 1158201444
	// 401 unauthorized
	// 200 opaque
	// 200 {"encryptedToken":"ae2da382acb17bff8e2a7afc8abee117e960d9fd8d427ff5d8ba873e791b7384","plainToken":"q9ibPhGeRZ6ayx5WTrXjRw"}
	// handled
	// 200
	// handled
	// 200
}
