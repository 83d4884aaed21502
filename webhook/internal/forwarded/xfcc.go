package forwarded

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
)

// xfcc is one element of Envoy's x-forwarded-client-cert header: pairs of key
// and value. Only what identifies a certificate is kept.
type xfcc struct {
	cert, chain, hash string
}

// XFCC reads the last element of the header. The elements before it were
// in the request when it reached the proxy, so anybody may have written them;
// all the same the whole header must be well formed, because where an element
// ends depends on the quotes before it.
func XFCC(header string) ([][]byte, bool) {
	last, ok := lastXFCC(header)
	if !ok {
		return nil, false
	}
	leafText, chainText := last.cert, last.chain
	var certs [][]byte
	if leafText != "" {
		if certs, ok = EscapedLeaf(leafText); !ok {
			return nil, false
		}
	}
	if chainText != "" {
		chain, ok := EscapedPEM(chainText)
		if !ok {
			return nil, false
		}
		if len(certs) == 0 {
			certs = chain
		} else { // the chain begins with the leaf
			if string(chain[0]) != string(certs[0]) {
				return nil, false
			}
			certs = append(certs, chain[1:]...)
		}
	}
	if len(certs) == 0 {
		return nil, false
	}
	if last.hash != "" {
		sum := sha256.Sum256(certs[0])
		if !strings.EqualFold(last.hash, hex.EncodeToString(sum[:])) {
			return nil, false
		}
	}
	return certs, true
}

// lastXFCC splits the header once, from left to right:
//
//	header  = element *( "," element )
//	element = pair *( ";" pair )
//	pair    = key "=" ( value / quoted )
//
// An unquoted value ends at a comma or semicolon and may hold no quote. In a
// quoted one a backslash takes the next byte as it is.
func lastXFCC(header string) (last xfcc, ok bool) {
	for rest := header; ; {
		key, after, found := strings.Cut(rest, "=")
		key = strings.ToLower(strings.TrimLeft(key, " "))
		if !found || key == "" || strings.ContainsAny(key, ` ",;\`) {
			return xfcc{}, false
		}
		value, after, ok := xfccValue(after)
		if !ok || !last.set(key, value) {
			return xfcc{}, false
		}
		if after == "" {
			return last, true
		}
		if after[0] == ',' {
			last = xfcc{}
		}
		rest = after[1:]
	}
}

// set keeps a pair. What identifies the certificate comes once and not empty;
// URI, DNS and others may come several times, or be empty.
func (x *xfcc) set(key, value string) bool {
	var field *string
	switch key {
	case "cert":
		field = &x.cert
	case "chain":
		field = &x.chain
	case "hash":
		field = &x.hash
	default:
		return true
	}
	if *field != "" || value == "" {
		return false
	}
	*field = value
	return true
}

// xfccValue cuts one value off; rest begins with the separator after it.
func xfccValue(s string) (value, rest string, ok bool) {
	if !strings.HasPrefix(s, `"`) {
		end := strings.IndexAny(s, ",;")
		if end < 0 {
			end = len(s)
		}
		value, rest = s[:end], s[end:]
		return value, rest, !strings.ContainsAny(value, `"\`)
	}
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '\\':
			if i++; i == len(s) {
				return "", "", false
			}
			b.WriteByte(s[i])
		case '"':
			rest = s[i+1:]
			return b.String(), rest, rest == "" || rest[0] == ',' || rest[0] == ';'
		default:
			b.WriteByte(s[i])
		}
	}
	return "", "", false
}
