package webhook_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kyckit/kyckit"
	"github.com/kyckit/kyckit/webhook"
	"github.com/kyckit/kyckit/webhook/webhooktest"
)

// site is a TLS server in front of a handler.
type site struct {
	*httptest.Server
	handled atomic.Int32
	resumed atomic.Int32
	seen    atomic.Int32
}

func newSite(t testing.TB, ca *webhooktest.TestCA, c *webhook.ClientCert, change ...func(*tls.Config)) *site {
	t.Helper()
	s := &site{}
	h, err := webhook.NewHandler(webhook.HandlerConfig{
		Authenticate: c, Key: func(*webhook.Delivery) string { return fmt.Sprint(s.seen.Add(1)) },
		Handle: func(_ context.Context, d *webhook.Delivery) error {
			s.handled.Add(1)
			if d.TLS.DidResume {
				s.resumed.Add(1)
			}
			return nil
		},
	})
	require.NoError(t, err)
	s.Server = httptest.NewUnstartedServer(h)
	server := ca.Issue(webhooktest.Leaf{DNSNames: []string{"example.com"}, Usages: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}})
	base := &tls.Config{Certificates: []tls.Certificate{server.TLS()}, MinVersion: tls.VersionTLS12}
	for _, change := range change {
		change(base)
	}
	s.TLS = c.TLSConfig(base)
	s.EnableHTTP2 = true
	s.Config.ErrorLog = quiet()
	s.StartTLS()
	t.Cleanup(s.Close)
	return s
}

// client is a sender that shows id; cache lets it resume.
func client(ca *webhooktest.TestCA, id *webhooktest.Identity, cache tls.ClientSessionCache, version uint16) *http.Client {
	roots := x509.NewCertPool()
	roots.AddCert(ca.Certificate)
	cfg := &tls.Config{RootCAs: roots, ServerName: "example.com", ClientSessionCache: cache, MinVersion: version, MaxVersion: version}
	if id != nil {
		cfg.Certificates = []tls.Certificate{id.TLS()}
	}
	return &http.Client{Transport: &http.Transport{TLSClientConfig: cfg}, Timeout: 30 * time.Second}
}

func send(c *http.Client, url string) int {
	resp, err := c.Post(url, "application/json", strings.NewReader("{}"))
	if err != nil {
		return 0
	}
	_, _ = io.Copy(io.Discard, resp.Body)
	_ = resp.Body.Close()
	return resp.StatusCode
}

func TestHandshake(t *testing.T) {
	ca := webhooktest.NewTestCA(t, "CA")
	c := clientCert(t, webhook.ClientCertConfig{CA: ca.PEM()})
	s := newSite(t, ca, c)
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		assert.Equal(t, 200, send(client(ca, ca.Issue(webhooktest.Leaf{}), nil, version), s.URL))
		assert.Equal(t, 200, send(client(ca, ca.Intermediate("i").Issue(webhooktest.Leaf{}), nil, version), s.URL))
		before := s.handled.Load()
		assert.Equal(t, 0, send(client(ca, nil, nil, version), s.URL), "no certificate")
		for _, kind := range webhooktest.BadCerts() {
			assert.Equal(t, 0, send(client(ca, ca.Bad(kind, webhooktest.Leaf{}), nil, version), s.URL), kind)
		}
		assert.Equal(t, before, s.handled.Load())
	}
}

// TestResumptionIsChecked: a resumed handshake verifies no chain, so the rule
// must look again, also where the base has session tickets of its own.
func TestResumptionIsChecked(t *testing.T) {
	for i, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13, tls.VersionTLS12, tls.VersionTLS13} {
		ownTickets := func(base *tls.Config) {
			if keys := base.Clone(); i >= 2 {
				base.WrapSession, base.UnwrapSession = keys.EncryptTicket, keys.DecryptTicket
			}
		}
		ca := webhooktest.NewTestCA(t, "CA")
		id := ca.Issue(webhooktest.Leaf{DNSNames: []string{"old.example"}})
		c := clientCert(t, webhook.ClientCertConfig{CA: ca.PEM(), DNSNames: []string{"old.example"}})
		s := newSite(t, ca, c, ownTickets)
		sender := client(ca, id, tls.NewLRUClientSessionCache(4), version)
		require.Equal(t, 200, send(sender, s.URL))
		sender.CloseIdleConnections()
		require.Equal(t, 200, send(sender, s.URL))
		require.EqualValues(t, 1, s.resumed.Load(), "the second connection resumes")
		sender.CloseIdleConnections()
		require.NoError(t, c.Replace(webhook.ClientCertConfig{CA: ca.PEM(), DNSNames: []string{"new.example"}}))
		require.Equal(t, 0, send(sender, s.URL))
		require.EqualValues(t, 2, s.handled.Load())
	}
}

// TestRenewedSenderIsNotHeldToItsOldSession: a sender that resumes shows no
// certificate, so an old session must not stand for one the rule has dropped.
func TestRenewedSenderIsNotHeldToItsOldSession(t *testing.T) {
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		ca := webhooktest.NewTestCA(t, "CA")
		old, renewed := ca.Issue(webhooktest.Leaf{}), ca.Issue(webhooktest.Leaf{})
		c := clientCert(t, webhook.ClientCertConfig{CA: ca.PEM(), SPKI: []string{old.SPKI(), renewed.SPKI()}})
		s := newSite(t, ca, c)
		now := old.TLS()
		sender := client(ca, nil, tls.NewLRUClientSessionCache(4), version)
		sender.Transport.(*http.Transport).TLSClientConfig.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			return &now, nil
		}
		again := func() int {
			sender.CloseIdleConnections()
			return send(sender, s.URL)
		}
		require.Equal(t, 200, again())
		now = renewed.TLS()
		require.Equal(t, 200, again())
		require.EqualValues(t, 1, s.resumed.Load(), "the old certificate's session, which is still good")
		require.NoError(t, c.Replace(webhook.ClientCertConfig{CA: ca.PEM(), SPKI: []string{renewed.SPKI()}}))
		require.Equal(t, 200, again())
		require.Equal(t, 200, again())
		require.EqualValues(t, 2, s.resumed.Load(), "the new one's")
	}
}

func TestReplaceReachesOpenConnections(t *testing.T) {
	ca, next := webhooktest.NewTestCA(t, "CA"), webhooktest.NewTestCA(t, "next CA")
	old, renewed := ca.Issue(webhooktest.Leaf{}), next.Issue(webhooktest.Leaf{})
	c := clientCert(t, webhook.ClientCertConfig{CA: ca.PEM()})
	s := newSite(t, ca, c)
	open := client(ca, old, nil, tls.VersionTLS13)
	require.Equal(t, 200, send(open, s.URL))
	require.Equal(t, 0, send(client(ca, renewed, nil, tls.VersionTLS13), s.URL))
	require.NoError(t, c.Replace(webhook.ClientCertConfig{CA: next.PEM()}))
	require.Equal(t, 401, send(open, s.URL), "the connection is open, the identity is not accepted any more")
	require.Equal(t, 200, send(client(ca, renewed, nil, tls.VersionTLS13), s.URL), "a server that runs on accepts the new CA")
	require.ErrorIs(t, c.Replace(webhook.ClientCertConfig{}), kyckit.ErrInvalid)
	require.Equal(t, 200, send(client(ca, renewed, nil, tls.VersionTLS13), s.URL), "a bad rule replaces nothing")
}

func TestChangeUnderLoadFailsNoGoodRequest(t *testing.T) {
	ca, other := webhooktest.NewTestCA(t, "CA"), webhooktest.NewTestCA(t, "other")
	id := ca.Issue(webhooktest.Leaf{})
	caFile, crlFile := filepath.Join(t.TempDir(), "ca.pem"), filepath.Join(t.TempDir(), "crl.pem")
	write := func(name string, data ...[]byte) {
		require.NoError(t, os.WriteFile(name, bytes.Join(data, nil), 0o600))
	}
	write(caFile, ca.PEM())
	write(crlFile, ca.CRL(webhooktest.CRL{}))
	c := clientCert(t, webhook.ClientCertConfig{CAFile: caFile, CRLFile: crlFile})
	s := newSite(t, ca, c)
	stop := make(chan struct{})
	var wg sync.WaitGroup
	var bad, sent atomic.Int32
	for range 4 {
		wg.Go(func() {
			sender := client(ca, id, nil, tls.VersionTLS13)
			for n := 0; ; n++ {
				select {
				case <-stop:
					return
				default:
				}
				if n%5 == 0 {
					sender.CloseIdleConnections()
				}
				if sent.Add(1); send(sender, s.URL) != 200 {
					bad.Add(1)
				}
			}
		})
	}
	for i := range 20 {
		if i%2 == 0 {
			write(caFile, ca.PEM(), other.PEM())
		} else {
			write(caFile, ca.PEM())
		}
		write(crlFile, ca.CRL(webhooktest.CRL{}))
		require.NoError(t, c.Reload())
		time.Sleep(5 * time.Millisecond)
	}
	close(stop)
	wg.Wait()
	assert.Zero(t, bad.Load())
	assert.NotZero(t, sent.Load())
	write(crlFile, ca.CRL(webhooktest.CRL{Revoked: []*x509.Certificate{id.Certificate}}))
	require.NoError(t, c.Reload())
	require.Equal(t, 0, send(client(ca, id, nil, tls.VersionTLS13), s.URL))
}

func TestReloadKeepsTheLastGood(t *testing.T) {
	ca, next := webhooktest.NewTestCA(t, "CA"), webhooktest.NewTestCA(t, "next")
	file := filepath.Join(t.TempDir(), "ca.pem")
	require.NoError(t, os.WriteFile(file, ca.PEM(), 0o600))
	var events []webhook.CertificateEvent
	c := clientCert(t, webhook.ClientCertConfig{CAFile: file, PollInterval: time.Nanosecond, OnEvent: func(e webhook.CertificateEvent) {
		if e.Kind != webhook.EventClientExpires {
			events = append(events, e)
		}
	}})
	old, renewed := shown(ca.Issue(webhooktest.Leaf{})), shown(next.Issue(webhooktest.Leaf{}))
	require.NoError(t, c.Authenticate(old))
	require.Empty(t, events)

	require.NoError(t, os.WriteFile(file, next.PEM()[:100], 0o600))
	for range 3 {
		require.NoError(t, c.Authenticate(old), "half a file changes nothing")
	}
	require.Len(t, events, 1, "and is reported once")
	assert.Equal(t, webhook.EventReloadFailed, events[0].Kind)
	require.ErrorIs(t, events[0].Err, kyckit.ErrInvalid)
	require.ErrorIs(t, c.Reload(), kyckit.ErrInvalid)

	require.NoError(t, os.WriteFile(file, next.PEM(), 0o600))
	require.NoError(t, c.Authenticate(renewed), "the change is seen by polling")
	require.ErrorIs(t, c.Authenticate(old), webhook.ErrCertificate)
	assert.Equal(t, webhook.EventReloaded, events[len(events)-1].Kind)

	require.NoError(t, os.Remove(file))
	require.NoError(t, c.Authenticate(renewed))
	require.ErrorIs(t, c.Reload(), fs.ErrNotExist)
	require.NoError(t, c.Authenticate(renewed))
}

func TestPollingFollowsTheConfiguredClock(t *testing.T) {
	ca, now := webhooktest.NewTestCA(t, "CA"), time.Now()
	id := ca.Issue(webhooktest.Leaf{})
	file := filepath.Join(t.TempDir(), "crl.pem")
	write := func(revoked ...*x509.Certificate) {
		require.NoError(t, os.WriteFile(file, ca.CRL(webhooktest.CRL{Revoked: revoked}), 0o600))
	}
	write()
	c := clientCert(t, webhook.ClientCertConfig{CA: ca.PEM(), CRLFile: file, Now: func() time.Time { return now }})
	write(id.Certificate)
	now = now.Add(59 * time.Second)
	require.NoError(t, c.Authenticate(shown(id)), "not due yet")
	now = now.Add(time.Second)
	require.ErrorIs(t, c.Authenticate(shown(id)), webhook.ErrCertificate)

	write()
	now = now.Add(-30 * time.Minute)
	require.NoError(t, c.Authenticate(shown(id)), "a clock that was set back")
}

func TestExpiryWarnings(t *testing.T) {
	ca, now := webhooktest.NewTestCA(t, "CA"), time.Now()
	id := ca.Issue(webhooktest.Leaf{NotAfter: now.Add(40 * 24 * time.Hour)})
	kinds := map[webhook.CertificateEventKind]int{}
	c := clientCert(t, webhook.ClientCertConfig{
		CA: ca.PEM(), CRL: ca.CRL(webhooktest.CRL{NextUpdate: now.Add(400 * 24 * time.Hour)}), Now: func() time.Time { return now }, PollInterval: time.Nanosecond,
		OnEvent: func(e webhook.CertificateEvent) {
			kinds[e.Kind]++
			assert.Len(t, e.Fingerprint, 64)
		},
	})
	require.NoError(t, c.Authenticate(shown(id)))
	require.Empty(t, kinds)
	now = now.Add(11 * 24 * time.Hour)
	for range 3 {
		require.NoError(t, c.Authenticate(shown(id)))
	}
	require.Equal(t, map[webhook.CertificateEventKind]int{webhook.EventClientExpires: 1}, kinds)
	now = now.Add(25 * time.Hour)
	require.NoError(t, c.Authenticate(shown(id)))
	require.Equal(t, 2, kinds[webhook.EventClientExpires])
	now = now.Add(340 * 24 * time.Hour)
	require.Error(t, c.Authenticate(shown(id)))
	require.Equal(t, 1, kinds[webhook.EventCAExpires])
	now = now.Add(30 * 24 * time.Hour)
	_ = c.Authenticate(shown(id))
	require.Equal(t, 1, kinds[webhook.EventCRLExpires])
}

func TestTLSConfigKeepsTheBase(t *testing.T) {
	ca := webhooktest.NewTestCA(t, "CA")
	c := clientCert(t, webhook.ClientCertConfig{CA: ca.PEM()})
	called := 0
	base := &tls.Config{VerifyConnection: func(tls.ConnectionState) error { called++; return nil }, MinVersion: tls.VersionTLS13}
	base.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) { return &tls.Config{MinVersion: tls.VersionTLS13}, nil }
	cfg := c.TLSConfig(base)
	good := tls.ConnectionState{PeerCertificates: []*x509.Certificate{ca.Issue(webhooktest.Leaf{}).Certificate}}
	require.NoError(t, cfg.VerifyConnection(good))
	require.Equal(t, 1, called)
	require.Error(t, cfg.VerifyConnection(tls.ConnectionState{}))
	require.Equal(t, 1, called)
	chosen, err := cfg.GetConfigForClient(nil)
	require.NoError(t, err)
	require.Error(t, chosen.VerifyConnection(tls.ConnectionState{}))
	assert.Equal(t, tls.RequireAnyClientCert, chosen.ClientAuth)
	assert.Equal(t, tls.NoClientCert, base.ClientAuth, "the base is not changed")
	require.Error(t, c.TLSConfig(nil).VerifyConnection(tls.ConnectionState{}))
}
