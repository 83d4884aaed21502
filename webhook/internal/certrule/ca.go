package certrule

import (
	"crypto/x509"
	"errors"
	"fmt"
	"strings"

	"github.com/kyckit/kyckit/webhook/internal/strictpem"
)

const maxCAs = 1000

// parseCAs reads a trust store: certificates that may sign certificates, by
// the rules of crypto/x509. A root of X.509 version 1 or 2 has no way to say
// that it may, so being self-issued suffices there.
func parseCAs(data []byte) (cas []*x509.Certificate, err error) {
	blocks, err := strictpem.Blocks(data, "CERTIFICATE")
	if err != nil {
		return nil, fmt.Errorf("CA %w", err)
	}
	if len(blocks) > maxCAs {
		return nil, errors.New("CA holds too many certificates")
	}
	for i, der := range blocks {
		cert, err := x509.ParseCertificate(der)
		switch {
		case err != nil:
			return nil, fmt.Errorf("CA holds a certificate that cannot be read (block %d%s)", i+1, parserWords(err))
		case cert.Version < 3 && selfIssued(cert):
		case !cert.BasicConstraintsValid || !cert.IsCA:
			return nil, fmt.Errorf("CA holds a certificate that is no CA (block %d); to accept just that one, pin it by Fingerprints or SPKI instead", i+1)
		case cert.KeyUsage != 0 && cert.KeyUsage&x509.KeyUsageCertSign == 0:
			return nil, fmt.Errorf("CA holds a CA that may not sign certificates (block %d)", i+1)
		}
		cas = append(cas, cert)
	}
	return cas, nil
}

// parserWords returns what crypto/x509 says about something of the
// configuration, unless that quotes it.
func parserWords(err error) string {
	text := strings.TrimPrefix(err.Error(), "x509: ")
	if strings.ContainsAny(text, "\"`\n") || len(text) > 200 {
		return ""
	}
	return ": " + text
}
