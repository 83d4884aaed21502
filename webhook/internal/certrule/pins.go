package certrule

import (
	"crypto/sha256"
	"crypto/subtle"
	"crypto/x509"
	"encoding/asn1"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"net/url"
	"slices"
	"strings"
)

// pins are the identities that are accepted. Pins of one kind are alternatives;
// every kind that is used must hold.
type pins struct {
	dns, uris, names []string
	spki, leaf       [][sha256.Size]byte
}

func (p *pins) empty() bool {
	return len(p.dns)+len(p.uris)+len(p.names)+len(p.spki)+len(p.leaf) == 0
}

// newPins checks the pins of a configuration; the error names the field.
func newPins(cfg Config) (*pins, error) {
	p := &pins{}
	for _, name := range cfg.DNSNames {
		if !validDNSName(name) {
			return nil, errors.New("DNSNames holds something that is no host name; wildcards are not supported")
		}
		p.dns = append(p.dns, strings.ToLower(name))
	}
	for _, uri := range cfg.URIs {
		if u, err := url.Parse(uri); err != nil || u.Scheme == "" {
			return nil, errors.New("URIs holds something that is no absolute URI")
		}
		p.uris = append(p.uris, uri)
	}
	for _, name := range cfg.CommonNames {
		if name == "" {
			return nil, errors.New("LegacyCommonNames holds an empty name")
		}
		p.names = append(p.names, name)
	}
	for _, text := range cfg.SPKI {
		sum, err := base64.StdEncoding.Strict().DecodeString(text)
		if err != nil || len(sum) != sha256.Size || strings.ContainsAny(text, "\r\n") {
			return nil, errors.New("SPKI holds something that is no SHA-256 in base64")
		}
		p.spki = append(p.spki, [sha256.Size]byte(sum))
	}
	for _, text := range cfg.Fingerprints {
		sum, err := hex.DecodeString(strings.ReplaceAll(text, ":", ""))
		if err != nil || len(sum) != sha256.Size {
			return nil, errors.New("one of Fingerprints is no SHA-256 in hex")
		}
		p.leaf = append(p.leaf, [sha256.Size]byte(sum))
	}
	return p, nil
}

func validDNSName(name string) bool {
	if name == "" || len(name) > 253 {
		return false
	}
	for label := range strings.SplitSeq(name, ".") {
		if label == "" || len(label) > 63 {
			return false
		}
		for _, c := range []byte(label) {
			switch {
			case c-'a' <= 25, c-'A' <= 25, c-'0' <= 9, c == '-', c == '_':
			default:
				return false
			}
		}
	}
	return true
}

// check returns which kind of pin does not hold, or nil.
func (p *pins) check(leaf *x509.Certificate) *Refusal {
	if len(p.spki) > 0 && !containsSum(p.spki, sha256.Sum256(leaf.RawSubjectPublicKeyInfo)) {
		return &Refusal{WrongKey, "its key is not pinned"}
	}
	if len(p.leaf) > 0 && !containsSum(p.leaf, sha256.Sum256(leaf.Raw)) {
		return &Refusal{WrongKey, "its fingerprint is not pinned"}
	}
	if len(p.dns) > 0 {
		if len(leaf.DNSNames) == 0 {
			return &Refusal{WrongName, "it has no DNS names, and only those that are pinned are accepted"}
		}
		if !slices.ContainsFunc(leaf.DNSNames, func(name string) bool { return slices.Contains(p.dns, strings.ToLower(name)) }) {
			return &Refusal{WrongName, "its DNS names are not pinned"}
		}
	}
	if len(p.uris) > 0 {
		uris := uriSANs(leaf)
		if len(uris) == 0 {
			return &Refusal{WrongName, "it has no URIs, and only those that are pinned are accepted"}
		}
		if !slices.ContainsFunc(uris, func(uri string) bool { return slices.Contains(p.uris, uri) }) {
			return &Refusal{WrongName, "its URIs are not pinned"}
		}
	}
	if len(p.names) > 0 && !slices.Contains(p.names, leaf.Subject.CommonName) {
		return &Refusal{WrongName, "its common name is not pinned"}
	}
	return nil
}

func containsSum(sums [][sha256.Size]byte, sum [sha256.Size]byte) bool {
	found := 0
	for i := range sums {
		found |= subtle.ConstantTimeCompare(sums[i][:], sum[:])
	}
	return found == 1
}

// uriSANs returns the URIs of a certificate as they are written there. The
// parsed ones may print differently, and two different ones alike.
func uriSANs(c *x509.Certificate) (uris []string) {
	const uriTag = 6
	for _, ext := range c.Extensions {
		if !ext.Id.Equal(asn1.ObjectIdentifier{2, 5, 29, 17}) {
			continue
		}
		var names []asn1.RawValue
		if rest, err := asn1.Unmarshal(ext.Value, &names); err != nil || len(rest) > 0 {
			return nil
		}
		for _, name := range names {
			if name.Class == asn1.ClassContextSpecific && name.Tag == uriTag {
				uris = append(uris, string(name.Bytes))
			}
		}
	}
	return uris
}
