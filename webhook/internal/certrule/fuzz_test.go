package certrule

import (
	"bytes"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"maps"
	"slices"
	"testing"
)

// A root with its own empty list, made once for the seeds.
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

// A list with three entries, two of them with a reason.
const seedFullCRL = `-----BEGIN X509 CRL-----
MIIBCjCBsAIBATAKBggqhkjOPQQDAjASMRAwDgYDVQQDEwdTZWVkIENBFw0yNjEx
MDEwMDAwMDBaGA8yMDU1MDEwMTAwMDAwMFowTTAgAgEBFw0yNjExMDEwMDAwMDBa
MAwwCgYDVR0VBAMKAQEwEwICAMgXDTI2MTEwMTAwMDAwMFowFAIDARFwFw0yNjEx
MDEwMDAwMDBaoBwwGjAMBgNVHSMEBTADgAEBMAoGA1UdFAQDAgEDMAoGCCqGSM49
BAMCA0kAMEYCIQDrx5PlWwD2AObQxDYR1dc8cbFZHR3Jj9uDqpz5TXNCAQIhAIfU
Gy/m+ufKK/dAfooPUdJKiq36fxXWqtb29Wc+Z7mW
-----END X509 CRL-----
`

// FuzzTrustStore: loaders neither panic nor skip a block.
func FuzzTrustStore(f *testing.F) {
	f.Add([]byte(seedCA), []byte(seedCRL))
	f.Add([]byte(seedCA+seedCA), []byte(seedCRL+"x\n"+seedCRL))
	f.Add([]byte("-----BEGIN CERTIFICATE-----\n-----BEGIN CERTIFICATE-----"), []byte("0\x80"))
	f.Add([]byte("text\n"+seedCA[:80]+"\n"+seedCA), []byte(seedCRL[:90]))
	base, err := parseCAs([]byte(seedCA))
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, ca, list []byte) {
		cas, err := parseCAs(ca)
		if err == nil {
			if n := bytes.Count(ca, []byte("-----BEGIN")); n != len(cas) {
				t.Fatalf("%d blocks, %d CAs", n, len(cas))
			}
			for _, c := range cas {
				if !c.IsCA && (c.Version == 3 || !selfIssued(c)) {
					t.Fatal("accepted what is no CA")
				}
			}
		}
		lists, err := parseLists(list, append(base[:1:1], cas...))
		if err == nil && len(lists) == 0 {
			t.Fatal("no list and no reason")
		}
		if err == nil && list[0] != 0x30 && bytes.Count(list, []byte("-----BEGIN")) != len(lists) {
			t.Fatal("a list was skipped")
		}
	})
}

// FuzzListEntries: what crypto/x509 reads too, is read alike.
func FuzzListEntries(f *testing.F) {
	block, _ := pem.Decode([]byte(seedCRL))
	f.Add(block.Bytes)
	block, _ = pem.Decode([]byte(seedFullCRL))
	f.Add(block.Bytes)
	f.Add([]byte("0\x80"))
	if _, revoked, err := readList(block.Bytes); err != nil || len(revoked) != 3 {
		f.Fatal(len(revoked), err)
	}
	f.Fuzz(func(t *testing.T, der []byte) {
		want, err := x509.ParseRevocationList(der)
		list, revoked, readErr := readList(der)
		if err != nil {
			return
		}
		serials, critical, negative := map[string]struct{}{}, false, false
		for _, entry := range want.RevokedCertificateEntries {
			serials[string(entry.SerialNumber.Bytes())] = struct{}{}
			negative = negative || entry.SerialNumber.Sign() < 0 // no certificate has such a number
			critical = critical || slices.ContainsFunc(entry.Extensions, func(e pkix.Extension) bool { return e.Critical })
		}
		if critical && readErr == nil {
			t.Fatal("a critical extension is overlooked")
		}
		if readErr != nil || negative { // what is read by x509 alone is refused, which does no harm
			return
		}
		if !maps.Equal(serials, revoked) {
			t.Fatalf("%d entries, read %d", len(serials), len(revoked))
		}
		if !bytes.Equal(want.RawTBSRevocationList, list.RawTBSRevocationList) || !bytes.Equal(want.Signature, list.Signature) ||
			want.SignatureAlgorithm != list.SignatureAlgorithm || !want.ThisUpdate.Equal(list.ThisUpdate) || !want.NextUpdate.Equal(list.NextUpdate) ||
			!bytes.Equal(want.RawIssuer, list.RawIssuer) || len(want.Extensions) != len(list.Extensions) {
			t.Fatal("the head is read otherwise")
		}
	})
}

// FuzzPins: whatever a configuration holds, it is refused or is one of its kind.
func FuzzPins(f *testing.F) {
	f.Add("hooks.example", "spiffe://a/b", "RuNj0VWQZ8rrO5wG8LyDLQwDHjzCxBRaGGkUoDH2cJk=", "aa:bb")
	f.Add("*.example", "x", "", "")
	f.Fuzz(func(t *testing.T, dns, uri, spki, leaf string) {
		for _, cfg := range []Config{{DNSNames: []string{dns}}, {URIs: []string{uri}}, {SPKI: []string{spki}}, {Fingerprints: []string{leaf}}} {
			p, err := newPins(cfg)
			if (err == nil) == (p == nil || p.empty()) {
				t.Fatalf("%v, %v", p, err)
			}
		}
	})
}
