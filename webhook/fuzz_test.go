package webhook

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"testing"
	"time"

	"github.com/kyckit/kyckit"
)

// A root, made once for the seeds.
const seedCA = `-----BEGIN CERTIFICATE-----
MIIBYzCCAQqgAwIBAgIQAOUf6C8YeznbNkk5Yv8vJTAKBggqhkjOPQQDAjASMRAw
DgYDVQQDEwdTZWVkIENBMB4XDTI2MTEyMDEzMzgyMloXDTI3MTEyMTEzMzgyMlow
EjEQMA4GA1UEAxMHU2VlZCBDQTBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABAFj
SSBFf5A0RSDVoSIoWXmbKiVPLoRa8bnbFgrfVu8VDGjnPxsmiANLRjVc4Us4p7PT
RFyywAFnTGbfCpMTmOqjQjBAMA4GA1UdDwEB/wQEAwIBBjAPBgNVHRMBAf8EBTAD
AQH/MB0GA1UdDgQWBBQxWRrvPhuvOcXWiPN7/moK7qQdGDAKBggqhkjOPQQDAgNH
ADBEAiBgxwJ15QSoL5WOK7ugq4wFvAx1e6X43RSn9c41aR4YQwIgX0sbstT/Dx8d
//BENr/ub5Ul559GVIsqN23KwQXlqDw=
-----END CERTIFICATE-----
`

// FuzzHandler: whatever arrives, the handler does not panic, answers with one of
// its statuses, and calls Handle for nothing that is not signed.
func FuzzHandler(f *testing.F) {
	v := vectors()[2]
	now := time.Unix(v.at, 0)
	secret := []kyckit.Secret{kyckit.NewSecret(v.secret)}
	std, err := NewHMAC(HMACConfig{Scheme: StandardWebhooks(), Secrets: secret, Now: func() time.Time { return now }})
	if err != nil {
		f.Fatal(err)
	}
	proxy, err := NewProxyCert(ProxyCertConfig{Format: ProxyEnvoy, Trusted: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}, Certificate: ClientCertConfig{CA: []byte(seedCA)}})
	if err != nil {
		f.Fatal(err)
	}
	key, err := ParseEd25519PublicKey(edKey)
	if err != nil {
		f.Fatal(err)
	}
	ed, err := NewEd25519(Ed25519Config{PublicKeys: []ed25519.PublicKey{key}, SignatureHeader: "X-Ed", TimestampHeader: "X-Ed-Time"})
	if err != nil {
		f.Fatal(err)
	}
	f.Add("POST", "/", "v1,x", v.header["Webhook-Id"], v.header["Webhook-Timestamp"], []byte(v.body), int64(-1))
	f.Add("POST", "/?", v.header["Webhook-Signature"], v.header["Webhook-Id"], v.header["Webhook-Timestamp"], []byte("{}"), int64(2))
	f.Add("GET", "/%2f", "", "", "", []byte{}, int64(1<<40))
	f.Fuzz(func(t *testing.T, method, path, sig, id, timestamp string, body []byte, length int64) {
		if string(body) == v.body {
			return // the one delivery that is signed
		}
		h, err := NewHandler(HandlerConfig{
			Authenticate: Any(All(std, proxy), std, ed, proxy),
			Handle:       func(context.Context, *Delivery) error { t.Fatal("called for a forgery"); return nil },
			OrderKey:     func(d *Delivery) string { return d.ID },
		})
		if err != nil {
			t.Fatal(err)
		}
		u, err := url.Parse(path)
		if err != nil {
			u = &url.URL{Path: path}
		}
		r := &http.Request{Method: method, URL: u, Header: http.Header{}, RemoteAddr: "192.0.2.1:1", Body: http.NoBody, ContentLength: length}
		if len(body) > 0 {
			r.Body = nopCloser{bytes.NewReader(body)}
		}
		r.Header["Webhook-Signature"] = []string{sig}
		r.Header["Webhook-Id"] = []string{id}
		r.Header["Webhook-Timestamp"] = []string{timestamp}
		r.Header["X-Ed"] = []string{sig}
		r.Header["X-Ed-Time"] = []string{timestamp}
		r.Header["X-Forwarded-Client-Cert"] = []string{id}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		switch w.Code {
		case 400, 401, 405, 413:
		default:
			t.Fatalf("answered %d", w.Code)
		}
	})
}

type nopCloser struct{ *bytes.Reader }

func (nopCloser) Close() error { return nil }
