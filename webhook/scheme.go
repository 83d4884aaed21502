package webhook

import (
	"cmp"
	"crypto"
	"crypto/sha1" //nolint:gosec // only where a scheme names it
	"crypto/sha256"
	"crypto/sha512"
	"hash"
	"net/textproto"
	"slices"
	"strings"
)

// Scheme describes how a provider signs its deliveries with an HMAC. It is
// plain data: take a preset and change fields, or write a new one. NewHMAC
// checks it. The zero values are a bare lowercase-hex HMAC-SHA256 with the
// secret used as it is, so that the smallest scheme is
//
//	webhook.Scheme{
//		SignatureHeader: "X-Signature",
//		Signed:          "{body}",
//	}
//
// Nothing in a delivery can choose the hash, the encoding or the grammar.
type Scheme struct {
	// Name is how Delivery.Layers calls the authenticator, for the log. Empty
	// means "hmac".
	Name string

	// SignatureHeader is the header that carries the signature. Required. It
	// must come once; its length is limited to 4096 bytes.
	SignatureHeader string
	// Prefix is a text that the signature header must begin with, for example
	// "sha256=". It is not signed.
	Prefix string
	// Grammar says how the rest of the header is built.
	Grammar Grammar
	// Separator stands between the items of a list: between the pairs of
	// GrammarPairs (zero means ','), the signatures of GrammarVersioned (zero
	// means ' '), the three fields of GrammarKeyed (zero means ':').
	Separator byte
	// Assign stands between the key and the value of GrammarPairs (zero means
	// '=') and between version and signature of GrammarVersioned (zero means
	// ',').
	Assign byte
	// GroupSeparator, if set, stands between whole lists of pairs, of which
	// one must be good. Each group has its own timestamp.
	GroupSeparator byte
	// Quoted says that the values of GrammarPairs stand in double quotes.
	Quoted bool
	// SignatureKey is the key of GrammarPairs, or the version of
	// GrammarVersioned, whose value is a signature. It may occur several
	// times, up to 16. Other keys and versions are ignored.
	SignatureKey string
	// TimestampKey is the key of GrammarPairs that carries the timestamp.
	TimestampKey string
	// KeyIDKey is the key of GrammarPairs that names the key. See HMACKey.ID.
	KeyIDKey string
	// AlgorithmKey is the key of GrammarPairs that names the algorithm.
	AlgorithmKey string
	// AlgorithmHeader is a header that names the algorithm.
	AlgorithmHeader string
	// Algorithm is what the delivery must call the algorithm, where
	// AlgorithmKey, AlgorithmHeader or GrammarKeyed lets it name one. It is
	// compared without regard to case; any other name refuses the delivery.
	Algorithm string

	// Hash is the hash of the HMAC: crypto.SHA256, which zero means too,
	// crypto.SHA384 or crypto.SHA512; or crypto.SHA1 for a provider that offers
	// nothing better.
	Hash crypto.Hash
	// Encoding is how a signature is written. Exactly the length of the hash
	// is accepted, without white space.
	Encoding Encoding
	// SecretEncoding is how the secret is written.
	SecretEncoding Encoding
	// SecretPrefix is cut off the secret before it is decoded, if it is there.
	SecretPrefix string

	// Signed is the signed content as the provider's page writes it, with these
	// fields in braces:
	//
	//	{body}         the raw body
	//	{bodySHA256}   its SHA-256 in lower-case hex
	//	{timestamp}    the timestamp's text as received
	//	{id}           the id's text as received
	//	{method}       the HTTP method
	//	{path}         the escaped path of the request target, without the query
	//	{query}        its query as received, without the question mark
	//	{url}          HMACConfig.PublicURL: behind a proxy a request does not show
	//	               the address that was called, and a Host header may lie
	//	{header:Name}  the value of a header, which must come once; it cannot be Host
	//
	// Everything else stands for itself, as in "v0:{timestamp}:{body}". It must
	// hold the body or its hash.
	//
	// What can be read in two ways is refused: with "{id}{body}" the signature of
	// one delivery would fit another whose id takes a part of the body. A value
	// is told from what follows by a literal, which it then may not hold; a
	// timestamp by its length too, a body by the end of the content.
	Signed string

	// TimestampHeader is the header that carries the timestamp.
	TimestampHeader string
	// TimestampUnit is how the timestamp is written.
	TimestampUnit TimestampUnit
	// IDHeader is the header that carries the delivery's id, which must be part
	// of Signed. Up to 256 printable bytes.
	IDHeader string
}

// Grammar is how a signature header is built.
type Grammar uint8

const (
	// GrammarBare is one signature and nothing else.
	GrammarBare Grammar = iota
	// GrammarPairs is a list such as "t=1492774577,v1=5257…,v1=6ffb…".
	GrammarPairs
	// GrammarVersioned is a list such as "v1,K5oZ… v1,g0hM… v1a,hnO3…".
	GrammarVersioned
	// GrammarKeyed is key id, algorithm and signature, such as
	// "key-1:hmac-sha256:5257…".
	GrammarKeyed
)

// Encoding is how bytes are written as text.
type Encoding uint8

const (
	// EncodingDefault is hex for signatures and raw for secrets.
	EncodingDefault Encoding = iota
	// Hex is hexadecimal in either case.
	Hex
	// Base64 is the standard alphabet with padding.
	Base64
	// Base64URL is the URL alphabet, with or without padding.
	Base64URL
	// Raw is the bytes themselves; for secrets only.
	Raw
)

// TimestampUnit is how a timestamp is written.
type TimestampUnit uint8

const (
	// UnixSeconds is seconds since 1970, digits only.
	UnixSeconds TimestampUnit = iota
	// UnixMillis is milliseconds since 1970, digits only.
	UnixMillis
	// RFC3339 is a date and time with zone, with or without fractions.
	RFC3339
)

// newHash returns the hash function, nil for one that no scheme may use.
func (s *Scheme) newHash() func() hash.Hash {
	switch s.Hash { // no others
	case crypto.SHA1:
		return sha1.New
	case crypto.SHA256:
		return sha256.New
	case crypto.SHA384:
		return sha512.New384
	case crypto.SHA512:
		return sha512.New
	}
	return nil
}

// normalise fills in defaults and brings header names into canonical form.
func (s Scheme) normalise() Scheme {
	s.Name = cmp.Or(s.Name, "hmac")
	s.Hash = cmp.Or(s.Hash, crypto.SHA256)
	s.Encoding = cmp.Or(s.Encoding, Hex)
	s.SecretEncoding = cmp.Or(s.SecretEncoding, Raw)
	separator, assign := byte(','), byte('=')
	switch s.Grammar {
	case GrammarVersioned:
		separator, assign = ' ', ','
	case GrammarKeyed:
		separator = ':'
	}
	s.Separator, s.Assign = cmp.Or(s.Separator, separator), cmp.Or(s.Assign, assign)
	for _, name := range []*string{&s.SignatureHeader, &s.TimestampHeader, &s.IDHeader, &s.AlgorithmHeader} {
		*name = textproto.CanonicalMIMEHeaderKey(*name)
	}
	return s
}

// validate returns what is wrong with a normalised scheme, or "".
func (s *Scheme) validate() string {
	pieces, reason := parseTemplate(s.Signed)
	if reason != "" {
		return reason
	}
	has := func(k pieceKind) bool {
		return slices.ContainsFunc(pieces, func(p piece) bool { return p.kind == k })
	}
	if !validHeaderName(s.SignatureHeader) {
		return "Scheme.SignatureHeader must be a header name"
	}
	for field, name := range map[string]string{"TimestampHeader": s.TimestampHeader, "IDHeader": s.IDHeader, "AlgorithmHeader": s.AlgorithmHeader} {
		if name != "" && !validHeaderName(name) {
			return "Scheme." + field + " must be a header name"
		}
	}
	timed := s.TimestampHeader != "" || s.TimestampKey != ""
	pairs := s.Grammar == GrammarPairs
	named := s.AlgorithmKey != "" || s.AlgorithmHeader != "" || s.Grammar == GrammarKeyed
	switch {
	case s.Grammar > GrammarKeyed:
		return "Scheme.Grammar is unknown"
	case s.newHash() == nil:
		return "Scheme.Hash must be crypto.SHA256, SHA384, SHA512 or SHA1"
	case s.Encoding > Base64URL:
		return "Scheme.Encoding must be Hex, Base64 or Base64URL"
	case s.SecretEncoding > Raw:
		return "Scheme.SecretEncoding is unknown"
	case s.TimestampUnit > RFC3339:
		return "Scheme.TimestampUnit is unknown"
	case !has(pieceBody) && !has(pieceBodySHA256):
		return "Scheme.Signed must hold the body or its hash"
	case (pairs || s.Grammar == GrammarVersioned) && s.SignatureKey == "":
		return "Scheme.SignatureKey is required by this grammar"
	case !pairs && (s.TimestampKey != "" || s.KeyIDKey != "" || s.AlgorithmKey != "" || s.GroupSeparator != 0 || s.Quoted):
		return "Scheme.TimestampKey, KeyIDKey, AlgorithmKey, GroupSeparator and Quoted belong to GrammarPairs"
	case named != (s.Algorithm != ""):
		return "Scheme.Algorithm must be set exactly when deliveries name an algorithm"
	case !distinct(s.SignatureHeader, s.TimestampHeader, s.IDHeader, s.AlgorithmHeader):
		return "Scheme.SignatureHeader, TimestampHeader, IDHeader and AlgorithmHeader must differ"
	case !distinct(s.SignatureKey, s.TimestampKey, s.KeyIDKey, s.AlgorithmKey):
		return "Scheme.SignatureKey, TimestampKey, KeyIDKey and AlgorithmKey must differ"
	case s.TimestampHeader != "" && s.TimestampKey != "":
		return "Scheme.TimestampHeader and TimestampKey exclude each other"
	case timed != has(pieceTimestamp):
		return "Scheme.Signed must hold the timestamp exactly when a header or key carries one"
	case (s.IDHeader != "") != has(pieceID):
		return "Scheme.Signed must hold the id exactly when IDHeader carries one"
	case s.Separator == s.Assign && s.Grammar != GrammarBare && s.Grammar != GrammarKeyed:
		return "Scheme.Separator and Assign must differ"
	case s.GroupSeparator != 0 && (s.GroupSeparator == s.Separator || s.GroupSeparator == s.Assign):
		return "Scheme.GroupSeparator must differ from the other separators"
	}
	return ""
}

// distinct reports whether no two of the names that are set are the same.
func distinct(names ...string) bool {
	for i, name := range names {
		if name != "" && slices.Contains(names[:i], name) {
			return false
		}
	}
	return true
}

// validHeaderName reports whether name is a token of HTTP.
func validHeaderName(name string) bool {
	if name == "" || len(name) > 128 {
		return false
	}
	for _, c := range []byte(name) {
		if c >= 0x80 || c <= ' ' || c == 0x7f || strings.IndexByte(`"(),/:;<=>?@[\]{}`, c) >= 0 {
			return false
		}
	}
	return true
}
