package webhook

import "github.com/kyckit/kyckit/webhook/internal/forwarded"

// ProxyFormat is how a proxy that ends TLS forwards the client certificate. It
// is chosen by configuration and never guessed from what arrives. Complete
// configurations of each proxy are in docs/webhooks-behind-a-proxy.md.
//
//	format        header (default)               chain header         verify header (default, demanded value)
//	ProxyNginx    X-Ssl-Client-Cert              –                    X-Ssl-Client-Verify: SUCCESS
//	ProxyEnvoy    X-Forwarded-Client-Cert        in the same header   –
//	ProxyALB      X-Amzn-Mtls-Clientcert-Leaf    in the same header   –
//	ProxyRFC9440  Client-Cert                    Client-Cert-Chain    –
//	ProxyTraefik  X-Forwarded-Tls-Client-Cert    in the same header   –
//	ProxyHAProxy  X-Ssl-Client-Cert              only if configured   X-Ssl-Client-Verify: 0
//	ProxyApache   X-Ssl-Client-Cert              only if configured   X-Ssl-Client-Verify: SUCCESS
//	ProxyDER      X-Ssl-Client-Cert              –                    –
//
// A dash in the column of the verify header means that none is demanded unless
// ProxyCertConfig names one together with its value.
type ProxyFormat uint8

const (
	// ProxyNginx is nginx 1.13.5 or later with
	//
	//	ssl_client_certificate /etc/nginx/provider-ca.pem;
	//	ssl_verify_client      on; # or optional, where other locations need no certificate
	//	proxy_set_header X-SSL-Client-Cert   $ssl_client_escaped_cert;
	//	proxy_set_header X-SSL-Client-Verify $ssl_client_verify;
	//
	// that is, percent-encoded PEM in X-Ssl-Client-Cert. X-Ssl-Client-Verify must
	// be SUCCESS, which it also is for a self-signed certificate that
	// ssl_client_certificate holds. nginx does not forward intermediates: put
	// them into the CA store here. An nginx before 1.13.5 forwards
	// $ssl_client_cert, which is ProxyApache.
	ProxyNginx ProxyFormat = iota + 1
	// ProxyEnvoy is Envoy's X-Forwarded-Client-Cert with Cert, or Chain, among
	// set_current_client_cert_details and forward_client_cert_details set to
	// SANITIZE_SET or APPEND_FORWARD. Only the last element counts: the elements
	// before it were there when the request reached the last proxy. There is no
	// verify header: Envoy forwards what its validation_context accepted.
	ProxyEnvoy
	// ProxyALB is the AWS Application Load Balancer in verify mode, with
	// percent-encoded PEM in X-Amzn-Mtls-Clientcert-Leaf and no verify header.
	// For passthrough mode set Header to "X-Amzn-Mtls-Clientcert", where the leaf
	// is followed by its chain.
	ProxyALB
	// ProxyRFC9440 is the Client-Cert header of RFC 9440 and, if it is there,
	// Client-Cert-Chain; no verify header.
	ProxyRFC9440
	// ProxyTraefik is Traefik's PassTLSClientCert middleware with pem: true: in
	// X-Forwarded-Tls-Client-Cert base64 without PEM lines, certificates
	// separated by commas, escaped by version 2 and plain since version 3; no
	// verify header.
	ProxyTraefik
	// ProxyHAProxy is HAProxy with
	//
	//	http-request set-header X-SSL-Client-Cert %[ssl_c_der,base64]
	//	http-request set-header X-SSL-Client-Verify %[ssl_c_verify]
	//
	// ssl_c_verify is 0 also when there was no certificate, so both are
	// demanded. For intermediates forward %[ssl_c_chain_der,base64] in a
	// header of its own and name that by ChainHeader. A session that HAProxy
	// resumes carries no chain: put the intermediates into the CA store as well,
	// or forbid resumption, or a sender below an intermediate is refused as soon
	// as this process has forgotten it, as after a restart.
	ProxyHAProxy
	// ProxyApache is Apache with mod_ssl, mod_headers and
	//
	//	SSLVerifyClient require # or optional
	//	RequestHeader set X-SSL-Client-Cert   "%{SSL_CLIENT_CERT}s"
	//	RequestHeader set X-SSL-Client-Verify "%{SSL_CLIENT_VERIFY}s"
	//
	// that is, PEM with blanks in the place of line ends in X-Ssl-Client-Cert.
	// X-Ssl-Client-Verify must be SUCCESS. For intermediates forward
	// %{SSL_CLIENT_CERT_CHAIN_0}s in a header of its own and name that by
	// ChainHeader; what Apache sends where there is none, (null), counts as no
	// header. An old nginx's $ssl_client_cert has the same form.
	ProxyApache
	// ProxyDER is one certificate in plain base64, in X-Ssl-Client-Cert or the
	// header that the proxy has for it, without a verify header:
	//
	//	Caddy              header_up X-SSL-Client-Cert {http.request.tls.client.certificate_der_base64}
	//	Azure App Service  Header "X-ARR-ClientCert"
	//	IIS with ARR       Header "X-ARR-ClientCert"
	//	Cloudflare         Header "Cf-Client-Cert-Der-Base64"
	//
	// Intermediates are not forwarded: put them into the CA store.
	ProxyDER
)

// proxyFormat is what is known about a format.
type proxyFormat struct {
	header, chain, verify, value string
	absent                       string // what stands in the chain header where there is no chain
	parse                        func(value string) (certs [][]byte, ok bool)
	parseChain                   func(value string) (certs [][]byte, ok bool) // nil without a header of its own
}

func formatOf(f ProxyFormat) (proxyFormat, bool) {
	const cert, verify = "X-Ssl-Client-Cert", "X-Ssl-Client-Verify"
	switch f {
	case ProxyNginx:
		return proxyFormat{header: cert, verify: verify, value: "SUCCESS", parse: forwarded.EscapedLeaf}, true
	case ProxyEnvoy:
		return proxyFormat{header: "X-Forwarded-Client-Cert", parse: forwarded.XFCC}, true
	case ProxyALB:
		return proxyFormat{header: "X-Amzn-Mtls-Clientcert-Leaf", parse: forwarded.EscapedPEM}, true
	case ProxyRFC9440:
		return proxyFormat{header: "Client-Cert", chain: "Client-Cert-Chain", parse: forwarded.ByteSequence, parseChain: forwarded.ByteSequences}, true
	case ProxyTraefik:
		return proxyFormat{header: "X-Forwarded-Tls-Client-Cert", parse: forwarded.Base64List}, true
	case ProxyHAProxy:
		return proxyFormat{header: cert, verify: verify, value: "0", parse: forwarded.Base64, parseChain: forwarded.Base64Chain}, true
	case ProxyApache:
		return proxyFormat{header: cert, verify: verify, value: "SUCCESS", absent: "(null)", parse: forwarded.SpacedLeaf, parseChain: forwarded.SpacedPEM}, true
	case ProxyDER:
		return proxyFormat{header: cert, parse: forwarded.Base64}, true
	}
	return proxyFormat{}, false
}
