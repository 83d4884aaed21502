package webhook

import (
	"cmp"
	"crypto/x509"
	"net/netip"
	"net/textproto"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/kyckit/kyckit"
	"github.com/kyckit/kyckit/webhook/internal/forwarded"
)

// Limits of what a proxy may forward.
const (
	maxCertHeader  = 16 << 10
	maxChainHeader = 64 << 10
)

const opProxy = "proxy certificate"

// ProxyCertConfig configures NewProxyCert.
type ProxyCertConfig struct {
	// Format is how the proxy forwards the certificate. Required.
	Format ProxyFormat
	// Header carries the certificate. Empty means the format's default, which
	// is listed at ProxyFormat.
	Header string
	// ChainHeader carries intermediates, for ProxyRFC9440, ProxyHAProxy and
	// ProxyApache. Empty means the format's default, if it has one. A request
	// without it is fine.
	ChainHeader string
	// VerifyHeader carries the proxy's own verdict. Empty means the format's
	// default, if it has one. Where there is one it is required in every
	// request.
	VerifyHeader string
	// VerifyValue is what VerifyHeader must say. Empty means the format's
	// default; a format without default demands it together with VerifyHeader.
	VerifyValue string

	// Trusted are the addresses of the proxies, compared with the TCP peer
	// after an IPv4 address that is written as an IPv6 address was unwrapped.
	// Headers of the request, such as X-Forwarded-For, never play a part.
	// IPv6 link-local addresses are refused, here and as peers: they mean
	// another machine on each link, and a prefix has no zone to name the link.
	Trusted []netip.Prefix
	// TrustUnixSocket trusts whoever connects through a unix socket; the
	// socket's file permissions then decide.
	TrustUnixSocket bool
	// ProxyTLS demands that the proxy itself shows a client certificate to this
	// process, which then serves TLS with ProxyTLS.TLSConfig. With Trusted or
	// TrustUnixSocket both must hold; alone it suffices. One of the three is
	// required.
	ProxyTLS *ClientCert

	// Certificate is the rule for the forwarded certificate, which is verified
	// here again, in full: the proxy's word alone is not enough.
	Certificate ClientCertConfig
}

// ProxyCert is an Authenticator for a client certificate that a proxy forwards
// in a header. A peer that is no trusted proxy is refused, as ErrUntrustedProxy,
// whatever it sends; a certificate that is missing, malformed, given twice, in a
// twin header that differs only by underscores, or refused by the rule is
// ErrCertificate. Handle does not get to see the headers.
//
// The proxy must remove or overwrite these headers in what it receives. Safe
// for concurrent use; owns no goroutine at rest.
type ProxyCert struct {
	kyckit.Redacted

	mu    sync.Mutex // of Replace
	state atomic.Pointer[proxyState]
}

// proxyState is one configuration in use.
type proxyState struct {
	cfg    ProxyCertConfig
	format proxyFormat
	cert   *ClientCert
}

// NewProxyCert checks the configuration and loads the certificate rule. Errors
// are of the kind kyckit.ErrInvalid.
func NewProxyCert(cfg ProxyCertConfig) (*ProxyCert, error) {
	p := &ProxyCert{}
	if err := p.Replace(cfg); err != nil {
		return nil, err
	}
	return p, nil
}

// newProxyState checks a configuration and loads its rule, which may not roll
// back the revocation lists of before, if that is not nil.
func newProxyState(cfg ProxyCertConfig, before *ClientCert) (*proxyState, error) {
	format, ok := formatOf(cfg.Format)
	if !ok {
		return nil, invalid(opProxy, "Format is required")
	}
	for _, f := range []struct {
		field   string
		value   *string
		standby string
	}{{"Header", &cfg.Header, format.header}, {"ChainHeader", &cfg.ChainHeader, format.chain}, {"VerifyHeader", &cfg.VerifyHeader, format.verify}} {
		*f.value = textproto.CanonicalMIMEHeaderKey(cmp.Or(*f.value, f.standby))
		if *f.value != "" && !validHeaderName(*f.value) {
			return nil, invalid(opProxy, f.field+" must be a header name")
		}
	}
	cfg.VerifyValue = cmp.Or(cfg.VerifyValue, format.value)
	switch {
	case cfg.ChainHeader != "" && format.parseChain == nil:
		return nil, invalid(opProxy, "ChainHeader does not belong to this format")
	case (cfg.VerifyHeader == "") != (cfg.VerifyValue == ""):
		return nil, invalid(opProxy, "VerifyHeader and VerifyValue belong together")
	case forwarded.SameHeader(cfg.Header, cfg.ChainHeader), forwarded.SameHeader(cfg.Header, cfg.VerifyHeader), cfg.ChainHeader != "" && forwarded.SameHeader(cfg.ChainHeader, cfg.VerifyHeader):
		return nil, invalid(opProxy, "Header, ChainHeader and VerifyHeader must differ, by more than underscores for dashes")
	case len(cfg.Trusted) == 0 && !cfg.TrustUnixSocket && cfg.ProxyTLS == nil:
		return nil, invalid(opProxy, "Trusted, TrustUnixSocket or ProxyTLS is required")
	}
	trusted := make([]netip.Prefix, 0, len(cfg.Trusted))
	for _, p := range cfg.Trusted {
		p, ok := unmapPrefix(p)
		if !ok {
			return nil, invalid(opProxy, "Trusted holds an invalid prefix")
		}
		if p.Addr().Is6() && p.Addr().IsLinkLocalUnicast() && p.Bits() >= 10 {
			return nil, invalid(opProxy, "Trusted holds an IPv6 link-local prefix, which cannot say on which link the proxy is")
		}
		trusted = append(trusted, p)
	}
	cfg.Trusted = trusted
	var rule *certState
	if before != nil {
		rule = before.state.Load()
	}
	cert, err := newClientCert(cfg.Certificate, rule)
	if err != nil {
		return nil, err
	}
	return &proxyState{cfg: cfg, format: format, cert: cert}, nil
}

// Replace swaps the whole configuration, trusted proxies and certificate rule
// included, for another. On an error nothing changes. See ClientCert.Replace.
func (p *ProxyCert) Replace(cfg ProxyCertConfig) error {
	if p == nil {
		return invalid(opProxy, "not made by NewProxyCert")
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	state, err := newProxyState(cfg, p.load().cert)
	if err != nil {
		return err
	}
	p.state.Store(state)
	return nil
}

// Reload reads the files of the certificate rule again. See ClientCert.Reload.
func (p *ProxyCert) Reload() error { return p.load().cert.Reload() }

// load returns the configuration in use; that of a ProxyCert nobody made trusts
// no peer and accepts no certificate.
func (p *ProxyCert) load() *proxyState {
	if p != nil {
		if s := p.state.Load(); s != nil {
			return s
		}
	}
	return &proxyState{}
}

// Name returns "proxy certificate".
func (*ProxyCert) Name() string { return opProxy }

// AuthenticateHead is the whole check: it needs no body.
func (p *ProxyCert) AuthenticateHead(d *Delivery) error { return p.Authenticate(d) }

// Authenticate implements Authenticator.
func (p *ProxyCert) Authenticate(d *Delivery) error { return p.load().authenticate(d) }

func (p *proxyState) authenticate(d *Delivery) error {
	p.conceal(d)
	if reason := p.distrust(d); reason != "" {
		return refuse(opProxy, ErrUntrustedProxy, reason)
	}
	if p.cfg.VerifyHeader != "" {
		value, reason := forwarded.One(d.Header, p.cfg.VerifyHeader, maxCertHeader)
		switch {
		case reason != "":
			return refuse(opProxy, ErrCertificate, "verify header "+reason)
		case value != p.cfg.VerifyValue:
			return refuse(opProxy, ErrCertificate, "the proxy did not verify it")
		}
	}
	value, reason := forwarded.One(d.Header, p.cfg.Header, maxChainHeader)
	if reason != "" {
		return refuse(opProxy, ErrCertificate, "header "+reason)
	}
	ders, ok := p.format.parse(value)
	if !ok || len(ders) == 0 || len(ders[0]) > maxCertHeader {
		return refuse(opProxy, ErrCertificate, "header malformed")
	}
	if p.cfg.ChainHeader != "" {
		value, reason := forwarded.One(d.Header, p.cfg.ChainHeader, maxChainHeader)
		if reason != "" && reason != forwarded.Missing {
			return refuse(opProxy, ErrCertificate, "chain header "+reason)
		}
		if reason == "" && (value != p.format.absent || p.format.absent == "") {
			chain, ok := p.format.parseChain(value)
			if !ok {
				return refuse(opProxy, ErrCertificate, "chain header malformed")
			}
			ders = append(ders, chain...)
		}
	}
	return p.verify(d, ders)
}

func (p *proxyState) verify(d *Delivery, ders [][]byte) error {
	certs := make([]*x509.Certificate, 0, len(ders))
	for _, der := range ders {
		cert, err := x509.ParseCertificate(der)
		if err != nil {
			return refuse(opProxy, ErrCertificate, "it cannot be read")
		}
		certs = append(certs, cert)
	}
	leaf, err := p.cert.accepts(certs)
	if err != nil {
		return err
	}
	d.Certificate = leaf
	return nil
}

// distrust returns why the peer is no trusted proxy, or "".
func (p *proxyState) distrust(d *Delivery) string {
	if len(p.cfg.Trusted) > 0 || p.cfg.TrustUnixSocket || p.cfg.ProxyTLS == nil {
		// Only the listener knows that it is a unix socket; a peer's address
		// is text that a middleware may have changed.
		unix := d.LocalAddr != nil && d.LocalAddr.Network() == "unix"
		trusted := p.cfg.TrustUnixSocket
		if !unix {
			trusted = p.trustsAddr(d.RemoteAddr)
		}
		if !trusted {
			return "the peer's address is not trusted"
		}
	}
	if p.cfg.ProxyTLS != nil {
		if d.TLS == nil {
			return "the proxy showed no certificate"
		}
		if _, err := p.cfg.ProxyTLS.accepts(d.TLS.PeerCertificates); err != nil {
			return "the proxy's own certificate is refused"
		}
	}
	return ""
}

// trustsAddr compares the peer's address. One with a zone is in no prefix.
func (p *proxyState) trustsAddr(remote string) bool {
	peer, err := netip.ParseAddrPort(remote)
	if err != nil {
		return false
	}
	addr := peer.Addr().Unmap()
	return slices.ContainsFunc(p.cfg.Trusted, func(t netip.Prefix) bool { return t.Contains(addr) })
}

// unmapPrefix turns a prefix of IPv4 addresses that are written as IPv6 addresses
// into a prefix of IPv4 addresses, since that is what peers are compared as.
func unmapPrefix(p netip.Prefix) (netip.Prefix, bool) {
	if !p.IsValid() {
		return p, false
	}
	if p.Addr().Is4In6() {
		if p.Bits() < 96 {
			return p, false
		}
		p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
	}
	return p.Masked(), true
}

// conceal keeps the proxy's headers from Handle.
func (p *proxyState) conceal(d *Delivery) {
	d.concealHeaders(p.cfg.Header, p.cfg.ChainHeader, p.cfg.VerifyHeader, p.format.header, p.format.chain, p.format.verify)
}
