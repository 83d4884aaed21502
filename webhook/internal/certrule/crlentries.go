package certrule

import (
	"bytes"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"slices"
)

// readList reads a list and its entries apart. crypto/x509 would make some 1,000
// bytes of each entry, which is 440 MiB for a list of 14 MiB.
func readList(der []byte) (list *x509.RevocationList, revoked map[string]struct{}, err error) {
	var outer struct{ TBS, Algorithm, Signature asn1.RawValue }
	var tbs []asn1.RawValue
	if rest, err := asn1.Unmarshal(der, &outer); err != nil || len(rest) > 0 {
		return nil, nil, errors.New("that cannot be read")
	}
	if _, err := asn1.Unmarshal(outer.TBS.FullBytes, &tbs); err != nil {
		return nil, nil, errors.New("that cannot be read")
	}
	var entries []byte
	if i := entriesIn(tbs); i >= 0 {
		entries = tbs[i].Bytes
		tbs = slices.Delete(tbs, i, i+1)
	}
	head, err := asn1.Marshal(struct {
		TBS                  []asn1.RawValue
		Algorithm, Signature asn1.RawValue
	}{tbs, outer.Algorithm, outer.Signature})
	if err != nil {
		return nil, nil, errors.New("that cannot be read")
	}
	if list, err = x509.ParseRevocationList(head); err != nil {
		return nil, nil, errors.New("that cannot be read" + parserWords(err))
	}
	list.RawTBSRevocationList = outer.TBS.FullBytes // what is signed is the list with its entries
	revoked, err = readEntries(entries)
	return list, revoked, err
}

// entriesIn returns where the entries are among the fields of a list, or -1:
// they are the sequence that follows the dates.
func entriesIn(tbs []asn1.RawValue) int {
	dated := false
	for i, field := range tbs {
		switch {
		case isDate(field):
			dated = true
		case dated && field.Class == asn1.ClassUniversal && field.Tag == asn1.TagSequence:
			return i
		case dated:
			return -1
		}
	}
	return -1
}

func isDate(v asn1.RawValue) bool {
	return v.Class == asn1.ClassUniversal && (v.Tag == asn1.TagUTCTime || v.Tag == asn1.TagGeneralizedTime)
}

// readEntries returns the serial numbers, without leading zeros.
func readEntries(entries []byte) (map[string]struct{}, error) {
	const tagInteger, tagSequence = asn1.TagInteger, asn1.TagSequence | 0x20
	malformed := errors.New("with a malformed entry")
	revoked := make(map[string]struct{}, len(entries)/40)
	for len(entries) > 0 {
		tag, entry, rest, ok := element(entries)
		if entries = rest; !ok || tag != tagSequence {
			return nil, malformed
		}
		tag, serial, entry, ok := element(entry)
		if !ok || tag != tagInteger || len(serial) == 0 {
			return nil, malformed
		}
		tag, _, extensions, ok := element(entry)
		if !ok || tag != asn1.TagUTCTime && tag != asn1.TagGeneralizedTime {
			return nil, malformed
		}
		revoked[string(bytes.TrimLeft(serial, "\x00"))] = struct{}{}
		if len(extensions) == 0 {
			continue
		}
		var list []pkix.Extension
		if rest, err := asn1.Unmarshal(extensions, &list); err != nil || len(rest) > 0 {
			return nil, malformed
		}
		if slices.ContainsFunc(list, func(e pkix.Extension) bool { return e.Critical }) {
			return nil, errors.New("with a critical entry extension, such as an indirect one")
		}
	}
	return revoked, nil
}

// element cuts off the first element of some DER: a tag of one byte, a length of
// at most four, the content. It is a tenth of the time of encoding/asn1.
func element(der []byte) (tag byte, content, rest []byte, ok bool) {
	if len(der) < 2 || der[0]&0x1f == 0x1f {
		return 0, nil, nil, false
	}
	tag, size, rest := der[0], uint64(der[1]), der[2:]
	if size >= 0x80 {
		n := int(size & 0x7f)
		if n == 0 || n > 4 || n > len(rest) {
			return 0, nil, nil, false
		}
		size = 0
		for _, b := range rest[:n] {
			size = size<<8 | uint64(b)
		}
		rest = rest[n:]
	}
	if size > uint64(len(rest)) {
		return 0, nil, nil, false
	}
	return tag, rest[:size], rest[size:], true
}
