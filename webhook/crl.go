package webhook

import (
	"crypto/sha256"
	"crypto/x509"
	"time"
)

// crlSkew is how far a list's beginning may lie in the future: CAs stamp their
// lists with their own clock.
const crlSkew = 5 * time.Minute

// crl is a revocation list whose signature was checked.
type crl struct {
	issuer                 [sha256.Size]byte
	thisUpdate, nextUpdate time.Time
	revoked                map[string]struct{} // serial numbers
	sum                    [sha256.Size]byte
}

// issuerID identifies a CA by its name and key, so that a renewed certificate
// of the same CA is the same, and another CA of the same name is not.
func issuerID(c *x509.Certificate) [sha256.Size]byte {
	h := sha256.New()
	h.Write(c.RawSubject)
	h.Write(c.RawSubjectPublicKeyInfo)
	return [sha256.Size]byte(h.Sum(nil))
}

// parseCRLs reads revocation lists in PEM, or one in DER, and finds for each
// the CA that signed it. Lists that speak of a part of the certificates only,
// or of another issuer's, are refused: taking them for complete would be
// believing that what they leave out is good.
func parseCRLs(data []byte, cas []*x509.Certificate) (lists []*crl, reason string) {
	blocks := [][]byte{data}
	if len(data) == 0 || data[0] != 0x30 { // a DER sequence; PEM text begins with a dash or a letter
		if blocks, reason = pemBlocks(data, "X509 CRL"); reason != "" {
			return nil, reason
		}
	}
	for _, der := range blocks {
		list, err := x509.ParseRevocationList(der)
		if err != nil {
			return nil, "holds a revocation list that cannot be read"
		}
		for _, ext := range list.Extensions {
			if ext.Critical {
				return nil, "holds a revocation list with a critical extension, such as a delta or a partial one"
			}
		}
		signer := crlSigner(list, cas)
		if signer == nil {
			return nil, "holds a revocation list that no configured CA signed"
		}
		if list.NextUpdate.IsZero() {
			return nil, "holds a revocation list that does not say how long it is good"
		}
		c := &crl{
			issuer: issuerID(signer), thisUpdate: list.ThisUpdate, nextUpdate: list.NextUpdate,
			revoked: make(map[string]struct{}, len(list.RevokedCertificateEntries)), sum: sha256.Sum256(der),
		}
		for _, entry := range list.RevokedCertificateEntries {
			for _, ext := range entry.Extensions {
				if ext.Critical {
					return nil, "holds a revocation list with a critical entry extension, such as an indirect one"
				}
			}
			c.revoked[string(entry.SerialNumber.Bytes())] = struct{}{}
		}
		lists = append(lists, c)
	}
	return lists, ""
}

func crlSigner(list *x509.RevocationList, cas []*x509.Certificate) *x509.Certificate {
	for _, ca := range cas {
		if string(list.RawIssuer) == string(ca.RawSubject) && list.CheckSignatureFrom(ca) == nil {
			return ca
		}
	}
	return nil
}

// revocation is what the lists say about a chain.
type revocation struct {
	refused string    // why it is refused, or ""
	unknown string    // why it is not known, or ""
	until   time.Time // when what they say ends, zero for never
	from    time.Time
}

// checkRevocation looks up every certificate of a chain, its root aside.
func checkRevocation(chain []*x509.Certificate, lists []*crl, now time.Time) (r revocation) {
	for i, cert := range chain[:len(chain)-1] {
		issuer := issuerID(chain[i+1])
		missing, stale := true, true
		for _, list := range lists {
			if list.issuer != issuer {
				continue
			}
			missing = false
			if _, ok := list.revoked[string(cert.SerialNumber.Bytes())]; ok {
				return revocation{refused: "revoked"}
			}
			if now.Add(crlSkew).Before(list.thisUpdate) || now.After(list.nextUpdate) {
				continue
			}
			stale = false
			if r.until.IsZero() || list.nextUpdate.Before(r.until) {
				r.until = list.nextUpdate
			}
			if list.thisUpdate.After(r.from) {
				r.from = list.thisUpdate
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
