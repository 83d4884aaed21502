package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net"
	"net/url"
	"strings"
	"time"
)

// renewal is how long before its end a certificate is worth a warning.
const renewal = 30 * 24 * time.Hour

// checkHosts looks up each host and examines its certificate.
func (d *doctor) checkHosts(ctx context.Context) (well bool) {
	well = true
	seen := map[string]bool{}
	for _, u := range d.urls {
		if seen[u.Host] {
			continue
		}
		seen[u.Host] = true
		if !d.checkDNS(ctx, u) || !d.checkTLS(ctx, u) {
			well = false
		}
	}
	return well
}

func (d *doctor) checkDNS(ctx context.Context, u *url.URL) bool {
	ctx, cancel := context.WithTimeout(ctx, d.flags.timeout)
	defer cancel()
	addresses, err := net.DefaultResolver.LookupHost(ctx, u.Hostname())
	if err != nil || len(addresses) == 0 {
		d.lost = true
		d.say("dns", fail, visible(u.Hostname())+" has no address: check the name, and the resolver of this machine")
		return false
	}
	d.say("dns", pass, visible(u.Hostname())+" has an address")
	return true
}

func (d *doctor) checkTLS(ctx context.Context, u *url.URL) bool {
	ctx, cancel := context.WithTimeout(ctx, d.flags.timeout)
	defer cancel()
	port := u.Port()
	if port == "" {
		port = map[string]string{"https": "443", "http": "80"}[u.Scheme]
	}
	var dialer net.Dialer
	raw, err := dialer.DialContext(ctx, "tcp", net.JoinHostPort(u.Hostname(), port))
	if err != nil {
		d.lost = true
		d.say("tls", fail, visible(u.Host)+" does not answer: "+whyUnreachable(err))
		return false
	}
	defer func() { _ = raw.Close() }()
	if u.Scheme == "http" {
		d.say("tls", skip, visible(u.Host)+" is plain http on loopback")
		return true
	}
	cfg := d.record.base.TLSClientConfig.Clone()
	cfg.ServerName, cfg.InsecureSkipVerify = u.Hostname(), true // verified below, to say why
	conn := tls.Client(raw, cfg)
	if err := conn.HandshakeContext(ctx); err != nil {
		d.say("tls", fail, visible(u.Host)+" does not speak TLS 1.2 or later: "+whyUnreachable(err))
		return false
	}
	state := conn.ConnectionState()
	leaf, pool := state.PeerCertificates[0], x509.NewCertPool()
	for _, c := range state.PeerCertificates[1:] {
		pool.AddCert(c)
	}
	if _, err := leaf.Verify(x509.VerifyOptions{DNSName: u.Hostname(), Roots: cfg.RootCAs, Intermediates: pool}); err != nil {
		d.say("tls", fail, visible(u.Host)+": "+whyUnreachable(err))
		return false
	}
	left := time.Until(leaf.NotAfter)
	result := pass
	if left < renewal {
		result = warn
	}
	d.say("tls", result, fmt.Sprintf("%s: %s, the certificate of %s is good for %d days", visible(u.Host), tls.VersionName(state.Version), issuer(leaf), int(left.Hours()/24)))
	return true
}

func issuer(c *x509.Certificate) string {
	if c.Issuer.CommonName != "" {
		return visible(c.Issuer.CommonName)
	}
	return visible(c.Issuer.String())
}

// checkClientCertificate tells who the client certificate is and how long it
// lasts.
func (d *doctor) checkClientCertificate() {
	pairs := d.record.base.TLSClientConfig.Certificates
	if len(pairs) == 0 {
		d.say("certificate", skip, "no -cert is given")
		return
	}
	leaf, err := x509.ParseCertificate(pairs[0].Certificate[0])
	if err != nil {
		d.say("certificate", fail, "the client certificate cannot be read")
		return
	}
	left := time.Until(leaf.NotAfter)
	about := fmt.Sprintf("%s, signed by %s", visible(leaf.Subject.String()), issuer(leaf))
	switch {
	case left <= 0:
		d.say("certificate", fail, about+", is expired: ask for a new one")
	case time.Now().Before(leaf.NotBefore):
		d.say("certificate", fail, about+", is not valid yet")
	case left < renewal:
		d.say("certificate", warn, fmt.Sprintf("%s, ends in %d days: ask for a new one", about, int(left.Hours()/24)))
	default:
		d.say("certificate", pass, fmt.Sprintf("%s, is good for %d days", about, int(left.Hours()/24)))
	}
}

// checkCRL tells whether a revocation list is fresh.
func (d *doctor) checkCRL() {
	if d.flags.crl == "" {
		d.say("crl", skip, "no -crl is given")
		return
	}
	der := d.crl
	if block, _ := pem.Decode(der); block != nil {
		der = block.Bytes
	}
	list, err := x509.ParseRevocationList(der)
	if err != nil {
		d.say("crl", fail, "this is no revocation list")
		return
	}
	left := time.Until(list.NextUpdate)
	switch {
	case list.NextUpdate.IsZero():
		d.say("crl", fail, "the list says no time of its next update")
	case left <= 0:
		d.say("crl", fail, fmt.Sprintf("the list is stale since %s: fetch a new one, or every certificate is refused", (-left).Round(time.Minute)))
	case left < list.NextUpdate.Sub(list.ThisUpdate)/10:
		d.say("crl", warn, "the list is stale in "+left.Round(time.Minute).String())
	default:
		d.say("crl", pass, fmt.Sprintf("the list is fresh for %s and revokes %d", left.Round(time.Minute), len(list.RevokedCertificateEntries)))
	}
}

// checkRedis asks a Redis whether it is there and forgets nothing.
func (d *doctor) checkRedis(ctx context.Context) {
	if d.flags.redis == "" {
		d.say("redis", skip, "no -redis is given")
		return
	}
	ctx, cancel := context.WithTimeout(ctx, d.flags.timeout)
	defer cancel()
	r, err := dialRedis(ctx, d.flags.redis, d.record.base.TLSClientConfig)
	if err != nil {
		d.lost = true
		d.say("redis", fail, "it does not answer: "+whyUnreachable(err))
		return
	}
	defer r.close()
	if !d.redisKey.IsZero() {
		if _, err := r.ask("AUTH", d.redisKey.Reveal()); err != nil {
			d.say("redis", fail, "the password is refused")
			return
		}
	}
	if answer, err := r.ask("PING"); err != nil || answer != "PONG" {
		d.say("redis", fail, "it does not answer PING as Redis does: -redis-password, or rediss:// for TLS?")
		return
	}
	memory, err := r.ask("INFO", "memory")
	if err != nil {
		d.say("redis", warn, "it answers, but INFO is not allowed, so its eviction policy is not known")
		return
	}
	policy := ""
	for line := range strings.SplitSeq(memory, "\r\n") {
		if name, value, _ := strings.Cut(line, ":"); name == "maxmemory_policy" {
			policy = visible(value)
		}
	}
	switch {
	case policy == "noeviction":
		d.say("redis", pass, "it answers, and forgets nothing (noeviction)")
	case strings.HasPrefix(policy, "allkeys-"):
		d.say("redis", fail, "it forgets keys when memory is short ("+policy+"): set maxmemory-policy noeviction")
	case strings.HasPrefix(policy, "volatile-"):
		d.say("redis", fail, "it forgets keys that expire when memory is short ("+policy+"), and all keys here do: set maxmemory-policy noeviction")
	default:
		d.say("redis", warn, "it answers, and says nothing of its eviction policy")
	}
}
