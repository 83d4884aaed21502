package main

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/google/go-github/v89/github"
	"github.com/slack-go/slack"
	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	stripe "github.com/stripe/stripe-go/v85/webhook"
	svix "github.com/svix/svix-webhooks/go"

	"github.com/kyckit/kyckit"
	"github.com/kyckit/kyckit/webhook"
)

// webhookSizes are the bodies that the webhook groups verify.
func webhookSizes() map[string]int {
	return map[string]int{"200B": 200, "4KiB": 4 << 10, "1MiB": 1 << 20}
}

// webhookEvent is what the handlers decode.
type webhookEvent struct {
	Type    string `json:"Type"`
	TransID string `json:"TransId"`
	Status  string `json:"Status"`
	Items   []struct {
		Name  string  `json:"name"`
		Score float64 `json:"score"`
		Note  string  `json:"note"`
	} `json:"items"`
}

// webhookBody makes an event of about size bytes.
func webhookBody(size int) []byte {
	var b bytes.Buffer
	b.WriteString(`{"Type":"NafathVerificationCompleted","TransId":"abc123-def456","Status":"COMPLETED","items":[`)
	for i := 0; b.Len() < size-70; i++ {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"name":"check %d","score":%d.5,"note":"nothing to see here"}`, i, i%100)
	}
	b.WriteString("]}")
	return b.Bytes()
}

const webhookKey = "0123456789abcdef01234567"

func webhookSecret() string { return "whsec_" + base64.StdEncoding.EncodeToString([]byte(webhookKey)) }

func webhookMAC(content string) []byte {
	m := hmac.New(sha256.New, []byte(webhookKey))
	m.Write([]byte(content))
	return m.Sum(nil)
}

// standardHeader signs by the Standard Webhooks scheme.
func standardHeader(body []byte, now string) http.Header {
	h := http.Header{}
	h.Set("Webhook-Id", "msg_1")
	h.Set("Webhook-Timestamp", now)
	h.Set("Webhook-Signature", "v1,"+base64.StdEncoding.EncodeToString(webhookMAC("msg_1."+now+"."+string(body))))
	for _, name := range []string{"Id", "Timestamp", "Signature"} {
		h.Set("Svix-"+name, h.Get("Webhook-"+name))
	}
	return h
}

func webhooks() ([]group, error) {
	var groups []group
	for _, name := range []string{"200B", "4KiB", "1MiB"} {
		for _, build := range []func(string, []byte) (group, error){webhookVerify, webhookHandle} {
			g, err := build(name, webhookBody(webhookSizes()[name]))
			if err != nil {
				return nil, err
			}
			groups = append(groups, g)
		}
	}
	return groups, nil
}

func checked(name string, op func() error) variant {
	return variant{name, func(n int) {
		for range n {
			must(op())
		}
	}}
}

func webhookVerify(name string, body []byte) (group, error) {
	now := strconv.FormatInt(time.Now().Unix(), 10)
	standard := standardHeader(body, now)
	secret := []kyckit.Secret{kyckit.NewSecret(webhookSecret())}
	ours, err := webhook.NewHMAC(webhook.HMACConfig{Scheme: webhook.StandardWebhooks(), Secrets: secret, Tolerance: time.Hour})
	if err != nil {
		return group{}, err
	}
	sw, err := standardwebhooks.NewWebhook(webhookSecret())
	if err != nil {
		return group{}, err
	}
	sv, err := svix.NewWebhook(webhookSecret())
	if err != nil {
		return group{}, err
	}
	mac := hmac.New(sha256.New, []byte(webhookKey))
	mac.Reset()
	prefix, sum := []byte("msg_1."+now+"."), make([]byte, 0, 32)
	want := webhookMAC("msg_1." + now + "." + string(body))
	github256 := "sha256=" + hex.EncodeToString(webhookMAC(string(body)))
	stripeHeader := "t=" + now + ",v1=" + hex.EncodeToString(webhookMAC(now+"."+string(body)))
	slackHeader := http.Header{}
	slackHeader.Set("X-Slack-Request-Timestamp", now)
	slackHeader.Set("X-Slack-Signature", "v0="+hex.EncodeToString(webhookMAC("v0:"+now+":"+string(body))))
	d := &webhook.Delivery{Method: "POST", Header: standard, Body: body}
	wrong := errors.New("no match")
	return group{
		name:  "webhook/verify/" + name,
		title: "verify one delivery of " + name,
		variants: []variant{
			checked("floor: pre-keyed HMAC over the same bytes", func() error {
				mac.Reset()
				mac.Write(prefix)
				mac.Write(body)
				if sum = mac.Sum(sum[:0]); !hmac.Equal(sum, want) {
					return wrong
				}
				return nil
			}),
			checked("kyckit webhook, Standard Webhooks", func() error {
				d.ID, d.Timestamp = "", time.Time{}
				return ours.Authenticate(d)
			}),
			checked("go-github ValidateSignature (no timestamp)", func() error {
				return github.ValidateSignature(github256, body, []byte(webhookKey))
			}),
			checked("slack-go SecretsVerifier", func() error {
				v, err := slack.NewSecretsVerifier(slackHeader, webhookKey)
				if err != nil {
					return err
				}
				if _, err := v.Write(body); err != nil {
					return err
				}
				return v.Ensure()
			}),
			checked("stripe-go ValidatePayload", func() error {
				return stripe.ValidatePayloadWithTolerance(body, stripeHeader, webhookKey, time.Hour)
			}),
			checked("standard-webhooks", func() error { return sw.VerifyIgnoringTimestamp(body, standard) }),
			checked("svix", func() error { return sv.VerifyIgnoringTimestamp(body, standard) }),
		},
	}, nil
}

// discard is a http.ResponseWriter that keeps the status only.
type discard struct {
	header http.Header
	status int
}

func (w *discard) Header() http.Header         { return w.header }
func (w *discard) Write(b []byte) (int, error) { return len(b), nil }
func (w *discard) WriteHeader(status int)      { w.status = status }

func webhookHandle(name string, body []byte) (group, error) {
	now := strconv.FormatInt(time.Now().Unix(), 10)
	header := standardHeader(body, now)
	sv, err := svix.NewWebhook(webhookSecret())
	if err != nil {
		return group{}, err
	}
	ours, err := webhook.NewHMAC(webhook.HMACConfig{
		Scheme: webhook.StandardWebhooks(), Secrets: []kyckit.Secret{kyckit.NewSecret(webhookSecret())}, Tolerance: time.Hour,
	})
	if err != nil {
		return group{}, err
	}
	n := 0
	handler, err := webhook.NewHandler(webhook.HandlerConfig{
		Authenticate: ours, MaxBody: 2 << 20,
		Key: func(*webhook.Delivery) string { n++; return strconv.Itoa(n) }, // every delivery is a new one
		Handle: func(_ context.Context, d *webhook.Delivery) error {
			var e webhookEvent
			if err := d.Decode(&e); err != nil {
				return err
			}
			if e.Status == "" {
				return webhook.ErrMalformed
			}
			return nil
		},
	})
	if err != nil {
		return group{}, err
	}
	plain := func(verify func([]byte, http.Header) error) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 2<<20))
			if err == nil {
				err = verify(body, r.Header)
			}
			var e webhookEvent
			if err == nil {
				err = json.Unmarshal(body, &e)
			}
			if err != nil || e.Status == "" {
				w.WriteHeader(http.StatusBadRequest)
				return
			}
			w.WriteHeader(http.StatusOK)
		})
	}
	serve := func(h http.Handler) func() error {
		return func() error {
			r := (&http.Request{
				Method: "POST", URL: &url.URL{Path: "/hook"}, Header: header, Body: io.NopCloser(bytes.NewReader(body)),
				ContentLength: int64(len(body)), RemoteAddr: "192.0.2.1:1234",
			}).WithContext(context.Background())
			w := &discard{header: http.Header{}}
			if h.ServeHTTP(w, r); w.status != http.StatusOK {
				return errors.New("answered " + strconv.Itoa(w.status))
			}
			return nil
		}
	}
	return group{
		name:  "webhook/handler/" + name,
		title: "a whole handler, one delivery of " + name,
		variants: []variant{
			checked("reads and decodes, verifies nothing", serve(plain(func([]byte, http.Header) error { return nil }))),
			checked("kyckit webhook: verified, strict JSON, claimed once", serve(handler)),
			checked("svix: verified", serve(plain(sv.Verify))),
		},
	}, nil
}
