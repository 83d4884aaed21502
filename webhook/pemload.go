package webhook

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"io"
	"os"
)

const (
	maxCAFile  = 4 << 20
	maxCRLFile = 64 << 20
	maxCAs     = 1000
)

// pemBlocks returns the contents of the PEM blocks of one type. Text between
// blocks is allowed, as openssl writes it; everything that looks like a block
// and is none, or is of another type, is refused: the standard library's
// loader would skip it, and a trust store would be smaller or another than its
// owner believes.
func pemBlocks(data []byte, kind string) (blocks [][]byte, reason string) {
	for {
		block, rest := pem.Decode(data)
		if block == nil {
			if bytes.Contains(data, []byte("-----")) {
				return nil, "holds a broken PEM block"
			}
			break
		}
		used := data[:len(data)-len(rest)]
		if bytes.Count(used, []byte("-----BEGIN")) != 1 || bytes.Count(used, []byte("-----END")) != 1 {
			return nil, "holds a broken PEM block"
		}
		if block.Type != kind {
			return nil, "holds a PEM block that is no " + kind
		}
		if len(block.Headers) > 0 {
			return nil, "holds a PEM block with headers"
		}
		blocks = append(blocks, block.Bytes)
		data = rest
	}
	if len(blocks) == 0 {
		return nil, "holds no " + kind
	}
	return blocks, ""
}

// parseCAs reads a trust store: certificates that may sign certificates.
func parseCAs(data []byte) (cas []*x509.Certificate, reason string) {
	blocks, reason := pemBlocks(data, "CERTIFICATE")
	if reason != "" {
		return nil, reason
	}
	if len(blocks) > maxCAs {
		return nil, "holds too many certificates"
	}
	for _, der := range blocks {
		cert, err := x509.ParseCertificate(der)
		switch {
		case err != nil:
			return nil, "holds a certificate that cannot be read"
		case !cert.BasicConstraintsValid || !cert.IsCA:
			return nil, "holds a certificate that is no CA"
		case cert.KeyUsage != 0 && cert.KeyUsage&x509.KeyUsageCertSign == 0:
			return nil, "holds a CA that may not sign certificates"
		}
		cas = append(cas, cert)
	}
	return cas, ""
}

// readFile reads a file of limited size.
func readFile(name string, limit int64) ([]byte, error) {
	f, err := os.Open(name) //nolint:gosec // the configuration names it
	if err != nil {
		return nil, err
	}
	defer f.Close() //nolint:errcheck // only read
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(data)) > limit {
		err = io.ErrShortBuffer
	}
	return data, err
}
