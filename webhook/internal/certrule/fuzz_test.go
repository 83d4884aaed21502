package certrule

import (
	"bytes"
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
