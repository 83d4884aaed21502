package certrule

import (
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"
	"math/big"
	"time"

	"github.com/kyckit/kyckit/webhook/internal/strictpem"
)

// listSkew is how far a list's beginning may lie in the future: CAs stamp their
// lists with their own clock.
const listSkew = 5 * time.Minute

// List is a revocation list whose signature was checked.
type List struct {
	ThisUpdate, NextUpdate time.Time
	Sum                    [sha256.Size]byte // of the list in DER

	issuer  [sha256.Size]byte
	number  *big.Int            // nil for a list without one
	revoked map[string]struct{} // serial numbers
}

// issuerID identifies a CA by its name and key, so that a renewed certificate
// of the same CA is the same, and another CA of the same name is not.
func issuerID(c *x509.Certificate) [sha256.Size]byte {
	h := sha256.New()
	h.Write(c.RawSubject)
	h.Write(c.RawSubjectPublicKeyInfo)
	return [sha256.Size]byte(h.Sum(nil))
}

// parseLists reads revocation lists in PEM, or one in DER, and finds for each
// the CA that signed it. Lists that speak of a part of the certificates only,
// or of another issuer's, are refused: taking them for complete would be
// believing that what they leave out is good.
func parseLists(data []byte, cas []*x509.Certificate) (lists []*List, err error) {
	blocks := [][]byte{data}
	if len(data) == 0 || data[0] != 0x30 { // a DER sequence; PEM text begins with a dash or a letter
		if blocks, err = strictpem.Blocks(data, "X509 CRL"); err != nil {
			return nil, fmt.Errorf("CRL %w", err)
		}
	}
	for i, der := range blocks {
		list, err := parseList(der, cas)
		if err != nil {
			return nil, fmt.Errorf("CRL holds a revocation list %w (list %d)", err, i+1)
		}
		lists = append(lists, list)
	}
	return lists, nil
}

func parseList(der []byte, cas []*x509.Certificate) (*List, error) {
	parsed, revoked, err := readList(der)
	if err != nil {
		return nil, err
	}
	for _, ext := range parsed.Extensions {
		if ext.Critical {
			return nil, errors.New("with a critical extension, such as a delta or a partial one")
		}
	}
	signer := listSigner(parsed, cas)
	switch {
	case weak(parsed.SignatureAlgorithm): // crypto/x509 refuses SHA-1 for certificates only
		return nil, errors.New("that is signed with SHA-1 or MD5, which proves nothing any more")
	case signer == nil:
		return nil, errors.New("that no configured CA signed")
	case parsed.NextUpdate.IsZero():
		return nil, errors.New("that does not say how long it is good")
	}
	return &List{
		issuer: issuerID(signer), number: parsed.Number, ThisUpdate: parsed.ThisUpdate, NextUpdate: parsed.NextUpdate,
		revoked: revoked, Sum: sha256.Sum256(der),
	}, nil
}

// listSigner returns the CA that signed a list.
func listSigner(list *x509.RevocationList, cas []*x509.Certificate) *x509.Certificate {
	for _, ca := range cas {
		if string(list.RawIssuer) == string(ca.RawSubject) && list.CheckSignatureFrom(ca) == nil {
			return ca
		}
	}
	return nil
}

// OlderThan says in which way the lists of this rule are a step back from those
// of the rule in use before, or "". Whoever can put an old list in the place of
// a new one, by a stale mirror or on purpose, brings revoked certificates back.
func (r *Rule) OlderThan(before *Rule) string {
	if before == nil || !r.checkCRL {
		return ""
	}
	for _, ca := range r.CAs {
		issuer := issuerID(ca)
		had, has := newest(before.Lists, issuer), newest(r.Lists, issuer)
		switch {
		case had == nil:
		case has == nil:
			if r.soft { // otherwise what this issuer signed is refused anyway
				return "CRL holds no list of an issuer that had one"
			}
		case has.ThisUpdate.Before(had.ThisUpdate):
			return "CRL holds an older list than the one in use"
		case had.number != nil && (has.number == nil || has.number.Cmp(had.number) < 0):
			return "CRL holds a list with a lower number than the one in use"
		}
	}
	return ""
}

// newest returns the issuer's list with the latest beginning, or nil.
func newest(lists []*List, issuer [sha256.Size]byte) (found *List) {
	for _, list := range lists {
		if list.issuer == issuer && (found == nil || list.ThisUpdate.After(found.ThisUpdate)) {
			found = list
		}
	}
	return found
}

// revocation is what the lists say about a chain.
type revocation struct {
	revoked bool
	unknown string    // why that is not known, or ""
	until   time.Time // when what they say ends, zero for never
	from    time.Time
}

// checkRevocation looks up every certificate of a chain, its root aside.
func checkRevocation(chain []*x509.Certificate, lists []*List, now time.Time) (r revocation) {
	for i, cert := range chain[:len(chain)-1] {
		issuer := issuerID(chain[i+1])
		missing, stale := true, true
		for _, list := range lists {
			if list.issuer != issuer {
				continue
			}
			missing = false
			if _, ok := list.revoked[string(cert.SerialNumber.Bytes())]; ok {
				return revocation{revoked: true}
			}
			if now.Add(listSkew).Before(list.ThisUpdate) || now.After(list.NextUpdate) {
				continue
			}
			stale = false
			if r.until.IsZero() || list.NextUpdate.Before(r.until) {
				r.until = list.NextUpdate
			}
			if list.ThisUpdate.After(r.from) {
				r.from = list.ThisUpdate
			}
		}
		switch {
		case missing:
			r.unknown = "no revocation list of the issuer"
		case stale:
			r.unknown = "the revocation list is stale"
		}
	}
	return r
}
