package webhook

import (
	"net/http"
	"strings"
)

// ProxyFormat is how a proxy that ends TLS forwards the client certificate. It
// is chosen by configuration and never guessed from what arrives.
//
//	format        header (default)               chain header         verify header (default, demanded value)
//	ProxyNginx    X-Ssl-Client-Cert              –                    X-Ssl-Client-Verify: SUCCESS
//	ProxyEnvoy    X-Forwarded-Client-Cert        in the same header   –
//	ProxyALB      X-Amzn-Mtls-Clientcert-Leaf    in the same header   –
//	ProxyRFC9440  Client-Cert                    Client-Cert-Chain    –
//	ProxyTraefik  X-Forwarded-Tls-Client-Cert    in the same header   –
//	ProxyHAProxy  X-Ssl-Client-Cert              only if configured   X-Ssl-Client-Verify: 0
type ProxyFormat uint8

const (
	// ProxyNginx is nginx 1.13.5 or later with
	//
	//	ssl_client_certificate /etc/nginx/provider-ca.pem;
	//	ssl_verify_client      on; # or optional, where other locations need no certificate
	//	proxy_set_header X-SSL-Client-Cert   $ssl_client_escaped_cert;
	//	proxy_set_header X-SSL-Client-Verify $ssl_client_verify;
	//
	// that is, percent-encoded PEM. The verify header must be SUCCESS. nginx
	// does not forward intermediates: put them into the CA store, here and there.
	ProxyNginx ProxyFormat = iota + 1
	// ProxyEnvoy is Envoy's x-forwarded-client-cert with Cert, or Chain, among
	// set_current_client_cert_details and forward_client_cert_details set to
	// SANITIZE_SET or APPEND_FORWARD. Only the last element counts: the ones
	// before it were there when the request reached the last proxy.
	ProxyEnvoy
	// ProxyALB is the AWS Application Load Balancer in verify mode. For
	// passthrough mode set Header to "X-Amzn-Mtls-Clientcert", where the leaf
	// is followed by its chain.
	ProxyALB
	// ProxyRFC9440 is the Client-Cert header of RFC 9440 and, if it is there,
	// Client-Cert-Chain.
	ProxyRFC9440
	// ProxyTraefik is Traefik's PassTLSClientCert middleware with pem: true:
	// base64 without PEM lines, certificates separated by commas, escaped by
	// version 2 and plain since version 3.
	ProxyTraefik
	// ProxyHAProxy is HAProxy with
	//
	//	http-request set-header X-SSL-Client-Cert %[ssl_c_der,base64]
	//	http-request set-header X-SSL-Client-Verify %[ssl_c_verify]
	//
	// ssl_c_verify is 0 also when there was no certificate, so both are
	// demanded. For intermediates forward %[ssl_c_chain_der,base64] in a
	// header of its own and name it by ChainHeader.
	ProxyHAProxy
)

// proxyFormat is what is known about a format.
type proxyFormat struct {
	header, chain, verify, value string
	parse                        func(value string) (certs [][]byte, ok bool)
	parseChain                   func(value string) (certs [][]byte, ok bool) // nil without a header of its own
}

func formatOf(f ProxyFormat) (proxyFormat, bool) {
	const cert, verify = "X-Ssl-Client-Cert", "X-Ssl-Client-Verify"
	switch f {
	case ProxyNginx:
		return proxyFormat{header: cert, verify: verify, value: "SUCCESS", parse: parseEscapedLeaf}, true
	case ProxyEnvoy:
		return proxyFormat{header: "X-Forwarded-Client-Cert", parse: parseXFCC}, true
	case ProxyALB:
		return proxyFormat{header: "X-Amzn-Mtls-Clientcert-Leaf", parse: parseEscapedPEM}, true
	case ProxyRFC9440:
		return proxyFormat{header: "Client-Cert", chain: "Client-Cert-Chain", parse: parseByteSequence, parseChain: parseByteSequences}, true
	case ProxyTraefik:
		return proxyFormat{header: "X-Forwarded-Tls-Client-Cert", parse: parseTraefik}, true
	case ProxyHAProxy:
		return proxyFormat{header: cert, verify: verify, value: "0", parse: parseBase64DER, parseChain: parseBase64Chain}, true
	}
	return proxyFormat{}, false
}

// headerMissing is the reason for a header that is not there at all.
const headerMissing = "missing"

// oneHeader returns the value of a header that must come once, not empty, and
// without a twin: a name that some proxy or server reads as the same because it
// takes underscores for dashes.
func oneHeader(h http.Header, name string, limit int) (value, reason string) {
	n := 0
	for key, values := range h {
		if !sameHeader(key, name) || len(values) == 0 {
			continue
		}
		if key != name {
			return "", "has a twin"
		}
		n += len(values)
		value = values[0]
	}
	switch {
	case n == 0:
		return "", headerMissing
	case n > 1:
		return "", "given twice"
	case value == "":
		return "", "empty"
	case len(value) > limit:
		return "", "too long"
	}
	return value, ""
}

// sameHeader reports whether two names are the same but for case and
// underscores. The empty name is like no other.
func sameHeader(a, b string) bool {
	if len(a) != len(b) || a == "" {
		return false
	}
	return strings.EqualFold(strings.ReplaceAll(a, "_", "-"), strings.ReplaceAll(b, "_", "-"))
}
