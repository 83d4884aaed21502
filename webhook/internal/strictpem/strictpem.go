// Package strictpem reads PEM without skipping anything.
package strictpem

import (
	"bytes"
	"encoding/pem"
	"fmt"
	"strings"
)

// Blocks returns the contents of the PEM blocks of one type. Text between
// blocks is allowed, as openssl writes it; everything that looks like a block
// and is none, or is of another type, is refused: the standard library's
// loader would skip it, and a trust store would be smaller or another than its
// owner believes. The error names the block by its position, from 1.
func Blocks(data []byte, kind string) (blocks [][]byte, err error) {
	for {
		n := len(blocks) + 1
		block, rest := pem.Decode(data)
		if block == nil {
			if bytes.Contains(data, []byte("-----")) {
				return nil, fmt.Errorf("holds a broken PEM block (block %d)", n)
			}
			break
		}
		used := data[:len(data)-len(rest)]
		switch {
		case bytes.Count(used, []byte("-----BEGIN")) != 1 || bytes.Count(used, []byte("-----END")) != 1:
			return nil, fmt.Errorf("holds a broken PEM block (block %d)", n)
		case block.Type != kind:
			return nil, fmt.Errorf("holds a PEM block that is no %s%s (block %d)", kind, otherKind(block.Type), n)
		case len(block.Headers) > 0:
			return nil, fmt.Errorf("holds a PEM block with headers (block %d)", n)
		}
		blocks = append(blocks, block.Bytes)
		data = rest
	}
	if len(blocks) == 0 {
		return nil, fmt.Errorf("holds no %s in PEM", kind)
	}
	return blocks, nil
}

// otherKind says what a block is instead, if it is something well known: any
// other text is not repeated.
func otherKind(kind string) string {
	switch {
	case strings.HasSuffix(kind, "PRIVATE KEY"):
		return " but a private key"
	case kind == "TRUSTED CERTIFICATE":
		return " but a certificate with openssl's trust settings"
	case kind == "CERTIFICATE", kind == "X509 CRL", kind == "PUBLIC KEY", kind == "CERTIFICATE REQUEST", kind == "PKCS7":
		return " but a " + kind
	}
	return ""
}
