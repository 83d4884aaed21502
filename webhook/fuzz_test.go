package webhook

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/kyckit/kyckit"
)

// A root with its own empty list and a leaf below it, made once for the seeds.
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

const seedCRL = `-----BEGIN X509 CRL-----
MIHaMIGBAgEBMAoGCCqGSM49BAMCMBIxEDAOBgNVBAMTB1NlZWQgQ0EXDTI2MTEy
MTEyMzgyMloXDTM2MTExODEzMzgyMlqgPjA8MB8GA1UdIwQYMBaAFDFZGu8+G685
xdaI83v+agrupB0YMBkGA1UdFAQSAhAA0768x32CcdrEvrMP0fNsMAoGCCqGSM49
BAMCA0gAMEUCIC65pzHZ923vwrCGIjLdqC2R1OMwqPaIPDawctSPCT5PAiEA33mm
r0+2E1hzdWmsKPlYWrSOncIhitkSWU2PCWNGfVo=
-----END X509 CRL-----
`

// FuzzForwardedCertificate: whatever a header holds, a parser neither panics
// nor hands on more than it was given, and what it accepts it accepts again
// when written anew.
func FuzzForwardedCertificate(f *testing.F) {
	escaped := strings.ReplaceAll(url.QueryEscape(seedCA), "+", "%20")
	block, _ := pem.Decode([]byte(seedCA))
	b64 := base64.StdEncoding.EncodeToString(block.Bytes)
	for _, seed := range []string{
		escaped, escaped + escaped, ":" + b64 + ":", b64, b64 + "," + b64, `Hash=x;Cert="` + escaped + `";Subject="a\"b"`,
		`By=a,Cert="` + escaped + `";Chain="` + escaped + `"`, `"`, `a="`, `Cert="%`, "::", ",", "%2D%2D", "=;,", base64.StdEncoding.EncodeToString(append(block.Bytes, block.Bytes...)),
	} {
		for format := ProxyNginx; format <= ProxyHAProxy; format++ {
			f.Add(uint8(format), seed)
		}
	}
	f.Fuzz(func(t *testing.T, which uint8, value string) {
		format, ok := formatOf(ProxyFormat(which))
		if !ok {
			return
		}
		certs, ok := format.parse(value)
		total := 0
		for _, c := range certs {
			total += len(c)
		}
		if ok && (len(certs) == 0 || total > len(value)*2) {
			t.Fatalf("accepted %q as %d certificates of %d bytes", value, len(certs), total)
		}
		if format.parseChain != nil {
			_, _ = format.parseChain(value)
		}
		if ok && ProxyFormat(which) == ProxyRFC9440 {
			again, ok := format.parse(":" + base64.StdEncoding.EncodeToString(certs[0]) + ":")
			if !ok || !bytes.Equal(again[0], certs[0]) {
				t.Fatal("written anew it is refused")
			}
		}
	})
}

// FuzzLastXFCC holds the one-pass splitter against a rule that is easy to see:
// elements put before a well-formed header never change what counts.
func FuzzLastXFCC(f *testing.F) {
	f.Add(`By=a;Hash=b;Cert="c"`, `Subject="x,y";URI=z`)
	f.Add(`Cert="a\"b"`, `Subject="`)
	f.Add(`Cert=c`, `,`)
	f.Fuzz(func(t *testing.T, last, before string) {
		alone, ok := lastXFCC(last)
		if !ok || strings.Count(last, ",") > 0 {
			return
		}
		both, ok := lastXFCC(before + "," + last)
		if ok && both != alone {
			t.Fatalf("%q before %q made it %+v", before, last, both)
		}
	})
}

// FuzzTrustStore: loaders neither panic nor skip a block.
func FuzzTrustStore(f *testing.F) {
	f.Add([]byte(seedCA), []byte(seedCRL))
	f.Add([]byte(seedCA+seedCA), []byte(seedCRL+"x\n"+seedCRL))
	f.Add([]byte("-----BEGIN CERTIFICATE-----\n-----BEGIN CERTIFICATE-----"), []byte("0\x80"))
	f.Add([]byte("text\n"+seedCA[:80]+"\n"+seedCA), []byte(seedCRL[:90]))
	f.Fuzz(func(t *testing.T, ca, list []byte) {
		cas, reason := parseCAs(ca)
		if reason == "" {
			if n := bytes.Count(ca, []byte("-----BEGIN")); n != len(cas) {
				t.Fatalf("%d blocks, %d CAs", n, len(cas))
			}
			for _, c := range cas {
				if !c.IsCA {
					t.Fatal("accepted what is no CA")
				}
			}
		}
		base, _ := parseCAs([]byte(seedCA))
		lists, reason := parseCRLs(list, append(base, cas...))
		if reason == "" && len(lists) == 0 {
			t.Fatal("no list and no reason")
		}
		if reason == "" && list[0] != 0x30 && bytes.Count(list, []byte("-----BEGIN")) != len(lists) {
			t.Fatal("a list was skipped")
		}
	})
}

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
