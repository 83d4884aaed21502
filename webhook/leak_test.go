package webhook

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/kyckit/kyckit"
	"github.com/kyckit/kyckit/internal/leaktest"
)

// TestNothingLeaks plants secrets and personal data wherever a caller or a
// sender can put them and prints what the package gives out, in every way.
func TestNothingLeaks(t *testing.T) {
	const planted = "Zulaikha-1098765432"
	secret := kyckit.NewSecret(planted)
	std := StandardWebhooks()
	std.SecretEncoding = Raw
	mac, err := NewHMAC(HMACConfig{Scheme: std, Secrets: []kyckit.Secret{secret}})
	require.NoError(t, err)
	url := std
	url.Signed = "{url}" + url.Signed
	macURL, err := NewHMAC(HMACConfig{Scheme: url, Secrets: []kyckit.Secret{secret}, PublicURL: "https://x.example/" + planted})
	require.NoError(t, err)
	basic, err := NewBasic(BasicConfig{Username: planted, Passwords: []kyckit.Secret{secret}})
	require.NoError(t, err)
	key, err := NewAPIKey(APIKeyConfig{Header: "X-Key", Keys: []kyckit.Secret{secret}})
	require.NoError(t, err)
	path, err := NewSecretPath(SecretPathConfig{Prefix: "/", Tokens: []kyckit.Secret{secret}})
	require.NoError(t, err)
	cert, err := NewClientCert(ClientCertConfig{CA: []byte(seedCA), DNSNames: []string{planted}})
	require.NoError(t, err)

	d := deliver(`{"name":"`+planted+`"}`, "Webhook-Id", planted, "Webhook-Timestamp", planted, "Webhook-Signature", "v1,"+planted,
		"Authorization", "Basic "+planted, "X-Key", planted+"x", planted, planted)
	d.Method, d.URL.Path, d.RemoteAddr, d.TLS = planted, "/"+planted+"x", planted, &tls.ConnectionState{ServerName: planted}

	values := []any{mac, macURL, basic, key, path, cert, *d, d, d.Layers, HMACKey{ID: "k", Secret: secret}, HMACConfig{Secrets: []kyckit.Secret{secret}}}
	for _, a := range []Authenticator{mac, macURL, basic, key, path, cert, All(mac, key), Any(mac, basic, key, path, cert)} {
		err := a.Authenticate(d)
		require.Error(t, err)
		values = append(values, err)
		if p, ok := errors.AsType[*PolicyError](err); ok {
			values = append(values, *p, p.Layers)
		}
	}
	for _, body := range []string{planted, `{"a":"` + planted + `","A":1}`} {
		values = append(values, DecodeStrict([]byte(body), nil))
	}
	values = append(values, DecodeStrict([]byte(`{"n":"`+planted+`"}`), &struct{ N int }{}))
	_, err = NewHMAC(HMACConfig{Scheme: StandardWebhooks(), Secrets: []kyckit.Secret{secret}})
	values = append(values, err)

	var log bytes.Buffer
	for _, h := range []slog.Handler{slog.NewJSONHandler(&log, nil), slog.NewTextHandler(&log, nil)} {
		for _, handle := range []func(context.Context, *Delivery) error{
			func(context.Context, *Delivery) error { return errors.New(planted) },
			func(context.Context, *Delivery) error { panic(planted) },
			func(context.Context, *Delivery) error { return fmt.Errorf("%w: "+planted, ErrMalformed) },
		} {
			for _, a := range []Authenticator{accept(), All(accept(), named{"custom", errors.New(planted)}), Any(mac, key)} {
				w := httptest.NewRecorder()
				r := httptest.NewRequest("POST", "/"+planted, strings.NewReader(string(d.Body)))
				r.Header = d.Header.Clone()
				newHandler(t, HandlerConfig{Authenticate: a, Handle: handle, Logger: slog.New(h), OnResult: func(_ context.Context, res Result) {
					if e, ok := errors.AsType[*kyckit.Error](res.Err); ok {
						values = append(values, e)
						if p, ok := errors.AsType[*PanicError](res.Err); ok {
							values = append(values, p, *p)
						}
					}
					values = append(values, res.Layers)
				}}).ServeHTTP(w, r)
				log.WriteString(w.Body.String())
				fmt.Fprint(&log, w.Header())
			}
		}
	}
	for _, v := range values {
		leaktest.Silent(t, fmt.Sprintf("%T", v), leaktest.Printed(v)+leaktest.Encoded(v), planted, "1098765432")
	}
	out := log.String()
	leaktest.Silent(t, "the log", out, planted, "1098765432")
	require.NotEmpty(t, out)
}

// TestOrderKeysAreNotPrinted: they stand in maps while deliveries are handled,
// and what a delivery is about may be a person.
func TestOrderKeysAreNotPrinted(t *testing.T) {
	const planted = "1098765432"
	queue, err := NewQueue(QueueConfig{})
	require.NoError(t, err)
	for _, q := range []*Queue{nil, queue} {
		started, release, done := make(chan struct{}), make(chan struct{}), make(chan struct{})
		h := newHandler(t, HandlerConfig{Queue: q, OrderKey: func(*Delivery) string { return planted }, Handle: func(context.Context, *Delivery) error {
			close(started)
			<-release
			return nil
		}})
		go func() {
			post(h, `{}`)
			close(done)
		}()
		<-started
		leaktest.Silent(t, "handler", leaktest.Printed(h), planted)
		leaktest.Silent(t, "queue", leaktest.Printed(queue), planted)
		close(release)
		<-done
	}
	require.NoError(t, queue.Shutdown(t.Context()))
}

func TestHandleContext(t *testing.T) {
	type k struct{}
	parent := context.WithValue(context.Background(), k{}, "v")
	c := newHandleContext(parent, time.Now(), time.Hour)
	require.NoError(t, c.Err())
	require.Equal(t, "v", c.Value(k{}))
	child, cancel := context.WithCancel(c)
	defer cancel()
	c.end()
	<-c.Done()
	<-child.Done()
	require.ErrorIs(t, c.Err(), context.Canceled)
	require.ErrorIs(t, child.Err(), context.Canceled)

	c = newHandleContext(parent, time.Now(), time.Millisecond)
	<-c.Done()
	require.ErrorIs(t, c.Err(), context.DeadlineExceeded)
	c.end()
	require.ErrorIs(t, c.Err(), context.DeadlineExceeded)

	c = newHandleContext(parent, time.Now(), -1)
	require.ErrorIs(t, c.Err(), context.DeadlineExceeded, "without anybody waiting")
	<-c.Done()
	c = newHandleContext(parent, time.Now(), time.Hour)
	c.end()
	<-c.Done()
}

// TestNoTypeIsForgotten: every exported struct prints without what may be
// planted in it, or is named here because it holds nothing to hide.
func TestNoTypeIsForgotten(t *testing.T) {
	leaktest.Types(t, []any{Delivery{}, Result{}, PanicError{}},
		"Layer", "PolicyError", // their names are the program's own
		"Scheme",                                                                   // what the provider's page says
		"Replaceable",                                                              // prints the name of what it holds
		"HMACKey", "HMACConfig", "BasicConfig", "APIKeyConfig", "SecretPathConfig", // secrets are kyckit.Secret
		"Ed25519Config", "ClientCertConfig", "ProxyCertConfig", "HandlerConfig", "QueueConfig", "MemoryClaimsConfig",
		"ClientCert", "ProxyCert", "CertificateEvent", "Queue",
	)
}
