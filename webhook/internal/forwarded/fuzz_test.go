package forwarded

import (
	"bytes"
	"encoding/base64"
	"encoding/pem"
	"net/url"
	"strings"
	"testing"
)

// seed is a self-signed certificate, made once for the seeds.
const seed = `-----BEGIN CERTIFICATE-----
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

// readers are all of them, each with how its proxy writes one certificate.
var readers = []struct {
	read  func(string) ([][]byte, bool)
	write func(der []byte) string
}{
	{EscapedLeaf, func(der []byte) string { return strings.ReplaceAll(url.QueryEscape(text(der)), "+", "%20") }},
	{EscapedPEM, func(der []byte) string { return url.QueryEscape(text(der)) }},
	{SpacedLeaf, func(der []byte) string { return strings.ReplaceAll(text(der), "\n", " ") }},
	{SpacedPEM, func(der []byte) string { return strings.ReplaceAll(text(der), "\n", "\t") }},
	{ByteSequence, func(der []byte) string { return ":" + base64.StdEncoding.EncodeToString(der) + ":" }},
	{ByteSequences, func(der []byte) string { return ":" + base64.StdEncoding.EncodeToString(der) + ":" }},
	{Base64List, func(der []byte) string { return url.QueryEscape(base64.StdEncoding.EncodeToString(der)) }},
	{Base64, base64.StdEncoding.EncodeToString},
	{XFCC, func(der []byte) string { return `By=a;Cert="` + url.PathEscape(text(der)) + `"` }},
	{Base64Chain, nil}, // reads nothing but DER
}

func text(der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}

// FuzzForwardedCertificate: whatever a header holds, a reader neither panics
// nor hands on more than it was given, and what it accepts it accepts again
// when written anew.
func FuzzForwardedCertificate(f *testing.F) {
	escaped := strings.ReplaceAll(url.QueryEscape(seed), "+", "%20")
	spaced := strings.ReplaceAll(seed, "\n", " ")
	block, _ := pem.Decode([]byte(seed))
	b64 := base64.StdEncoding.EncodeToString(block.Bytes)
	for _, value := range []string{
		escaped, escaped + escaped, ":" + b64 + ":", b64, b64 + "," + b64, `Hash=x;Cert="` + escaped + `";Subject="a\"b"`, spaced, spaced + spaced, "(null)",
		`By=a,Cert="` + escaped + `";Chain="` + escaped + `"`, `"`, `a="`, `Cert="%`, "::", ",", "%2D%2D", "=;,", base64.StdEncoding.EncodeToString(append(block.Bytes, block.Bytes...)),
	} {
		for which := range readers {
			f.Add(uint8(which), value)
		}
	}
	f.Fuzz(func(t *testing.T, which uint8, value string) {
		if int(which) >= len(readers) {
			return
		}
		r := readers[which]
		certs, ok := r.read(value)
		if !ok {
			return
		}
		total := 0
		for _, c := range certs {
			total += len(c)
		}
		if len(certs) == 0 || len(certs) > maxCerts || total > len(value) {
			t.Fatalf("accepted %q as %d certificates of %d bytes", value, len(certs), total)
		}
		if r.write != nil {
			again, ok := r.read(r.write(certs[0]))
			if !ok || !bytes.Equal(again[0], certs[0]) {
				t.Fatalf("written anew it is refused: %q", value)
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
