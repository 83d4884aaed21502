package redisstore_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kyckit/kyckit"
	"github.com/kyckit/kyckit/auth"
	"github.com/kyckit/kyckit/redisstore"
	"github.com/kyckit/kyckit/webhook"
)

// soon is a deadline that a call keeps, with room for a busy machine.
const soon = 300 * time.Millisecond

func claimWithin(t *testing.T, claims webhook.Claims, key string, d time.Duration) (webhook.Claim, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	start := time.Now()
	c, err := claims.Claim(ctx, key, time.Hour)
	assert.Less(t, time.Since(start), d+3*time.Second, "a call outlasts its context")
	return c, err
}

// eventually claims a key that nobody has.
func eventually(t *testing.T, claims webhook.Claims, key string) {
	t.Helper()
	var last error
	require.Eventually(t, func() bool {
		_, last = claimWithin(t, claims, key, 2*time.Second)
		return last == nil
	}, 60*time.Second, 100*time.Millisecond, "%v", &last)
}

// The store stands still: nobody is held, and a claim that it takes when it goes
// on again, for a caller that has left, locks nobody out.
func TestAStoreThatStandsStill(t *testing.T) {
	srv := startServer(t)
	t.Parallel()
	client := srv.client()
	s := newStore(t, client)
	rt := auth.NewTransport(&logins{}, s.Tokens(&logins{life: time.Hour}))
	require.NoError(t, client.Do(t.Context(), "CLIENT", "PAUSE", "10000", "ALL").Err())
	paused := time.Now()
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			_, err := claimWithin(t, s.Claims(), fmt.Sprint("d", i), soon)
			assert.ErrorIs(t, err, kyckit.ErrUnavailable)
		})
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://kyc.example.test/", nil)
	require.NoError(t, err)
	resp, err := rt.RoundTrip(req)
	require.NoError(t, err, "the replica logs in alone")
	require.Equal(t, http.StatusOK, resp.StatusCode)
	wg.Wait()
	assert.Less(t, time.Since(paused), 8*time.Second)
	for i := range 8 {
		eventually(t, s.Claims(), fmt.Sprint("d", i))
	}
}

func TestAStoreThatIsKilledAndComesBackEmpty(t *testing.T) {
	srv := startServer(t)
	s := newStore(t, srv.client())
	_, err := claimWithin(t, s.Claims(), "before", 5*time.Second)
	require.NoError(t, err)
	srv.kill()
	_, err = claimWithin(t, s.Claims(), "meanwhile", soon)
	require.ErrorIs(t, err, kyckit.ErrUnavailable)
	srv.start()
	eventually(t, s.Claims(), "meanwhile")
	eventually(t, s.Claims(), "before") // what the store forgot cannot be known
}

// proxy stands between a client and the store. spoil decides what becomes of the
// n-th answer: it is passed, swallowed, or the connection closed in its place.
type proxy struct {
	addr  string
	spoil atomic.Pointer[func(conn net.Conn, answer []byte) (pass bool)]
}

func startProxy(t *testing.T, to string) *proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	p := &proxy{addr: l.Addr().String()}
	var wg sync.WaitGroup
	var mu sync.Mutex
	var open []net.Conn
	wg.Go(func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			out, err := net.Dial("tcp", to)
			if err != nil {
				_ = in.Close()
				continue
			}
			mu.Lock()
			open = append(open, in, out)
			mu.Unlock()
			wg.Go(func() { _, _ = io.Copy(out, in); _ = out.Close() })
			wg.Go(func() {
				defer in.Close() //nolint:errcheck // nothing is lost
				buf := make([]byte, 64<<10)
				for {
					n, err := out.Read(buf)
					if err != nil {
						return
					}
					if spoil := p.spoil.Load(); spoil != nil && !(*spoil)(in, buf[:n]) {
						continue
					}
					if _, err := in.Write(buf[:n]); err != nil {
						return
					}
				}
			})
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		mu.Lock()
		for _, c := range open {
			_ = c.Close()
		}
		mu.Unlock()
		wg.Wait()
	})
	return p
}

// The script ran and its answer was lost: go-redis repeats it, or the caller
// hears of a failure. Either way the delivery is neither lost nor handled twice.
func TestAnswersThatAreLost(t *testing.T) {
	srv := startServer(t)
	t.Parallel()
	p := startProxy(t, srv.addr)
	for name, spoil := range map[string]func(net.Conn, []byte) bool{
		"closed":    func(c net.Conn, _ []byte) bool { _ = c.Close(); return false },
		"swallowed": func(net.Conn, []byte) bool { return false },
	} {
		t.Run(name, func(t *testing.T) {
			s := newStore(t, srv.client(func(o *redis.Options) { o.Addr, o.ReadTimeout = p.addr, time.Second }))
			direct := newStore(t, srv.client())
			warm, err := claimWithin(t, s.Claims(), name+"warm", 5*time.Second)
			require.NoError(t, err)
			// One answer is lost.
			var lost atomic.Bool
			once := func(c net.Conn, b []byte) bool { return lost.Swap(true) || spoil(c, b) }
			p.spoil.Store(&once)
			c, err := claimWithin(t, s.Claims(), name+"1", 20*time.Second)
			require.NoError(t, err, "the repeated claim has the same owner")
			_, err = claimWithin(t, direct.Claims(), name+"1", 5*time.Second)
			require.ErrorIs(t, err, webhook.ErrInProgress)
			lost.Store(false)
			require.NoError(t, c.Commit(t.Context(), time.Hour))
			lost.Store(false)
			require.NoError(t, warm.Release(t.Context()))
			_, err = claimWithin(t, direct.Claims(), name+"1", 5*time.Second)
			require.ErrorIs(t, err, webhook.ErrDuplicate)
			_, err = claimWithin(t, direct.Claims(), name+"warm", 5*time.Second)
			require.NoError(t, err)
			// All are lost: the claim fails, and does not hold the delivery.
			all := spoil
			p.spoil.Store(&all)
			_, err = claimWithin(t, s.Claims(), name+"2", 20*time.Second)
			require.ErrorIs(t, err, kyckit.ErrUnavailable)
			p.spoil.Store(nil)
			eventually(t, direct.Claims(), name+"2")
		})
	}
}

func TestScriptFlush(t *testing.T) {
	srv := startServer(t)
	client := srv.client()
	s := newStore(t, client)
	for i := range 20 {
		require.NoError(t, client.ScriptFlush(t.Context()).Err())
		c, err := claimWithin(t, s.Claims(), fmt.Sprint(i), 5*time.Second)
		require.NoError(t, err)
		require.NoError(t, client.ScriptFlush(t.Context()).Err())
		require.NoError(t, c.Commit(t.Context(), time.Hour))
	}
}

func TestCheckRefusesAStoreThatEvicts(t *testing.T) {
	srv := startServer(t, "--maxmemory", "4mb")
	client := srv.client()
	s := newStore(t, client)
	require.NoError(t, s.Check(t.Context()), "noeviction is the default")
	for _, policy := range []string{"allkeys-lru", "allkeys-lfu", "allkeys-random", "volatile-lru", "volatile-ttl"} {
		require.NoError(t, client.ConfigSet(t.Context(), "maxmemory-policy", policy).Err())
		err := s.Check(t.Context())
		require.ErrorIs(t, err, kyckit.ErrInvalid)
		require.ErrorContains(t, err, policy)
	}
	// Full, with nothing to evict: a claim fails, and says why.
	require.NoError(t, client.ConfigSet(t.Context(), "maxmemory-policy", "noeviction").Err())
	require.NoError(t, client.ConfigSet(t.Context(), "maxmemory", "1").Err())
	_, err := claimWithin(t, s.Claims(), "d", 5*time.Second)
	require.ErrorIs(t, err, kyckit.ErrUnavailable)
	var e *kyckit.Error
	require.ErrorAs(t, err, &e)
	assert.Equal(t, "OOM", e.Code)
	// Evicted: a claim that was lost is one that can be had again, no more.
	require.NoError(t, client.ConfigSet(t.Context(), "maxmemory", "3mb").Err())
	require.NoError(t, client.ConfigSet(t.Context(), "maxmemory-policy", "allkeys-lru").Err())
	c, err := claimWithin(t, s.Claims(), "evicted", 5*time.Second)
	require.NoError(t, err)
	for i := range 3000 {
		require.NoError(t, client.Set(t.Context(), fmt.Sprint("filler", i), make([]byte, 4096), 0).Err())
	}
	err = c.Commit(t.Context(), time.Hour)
	require.NoError(t, err, "nobody else took it")
}

func TestCheckTellsWhatIsWrong(t *testing.T) {
	srv := startServer(t)
	admin := srv.client()
	user := func(rules ...any) *redisstore.Store {
		require.NoError(t, admin.Do(t.Context(), append([]any{"ACL", "SETUSER", "kyc", "reset", "on", ">made-up-password"}, rules...)...).Err())
		return newStore(t, srv.client(func(o *redis.Options) { o.Username, o.Password = "kyc", "made-up-password" }))
	}
	rules := []any{"~kyckit*", "&kyckit*", "+@all", "-@admin", "-@dangerous", "+info"} // as the guide has them
	good := user(rules...)
	everything(t, srv.client(func(o *redis.Options) { o.Username, o.Password = "kyc", "made-up-password" }))
	require.NoError(t, good.Check(t.Context()))
	for name, rules := range map[string][]any{
		"keys":     {"~other*", "&kyckit*", "+@all"},
		"channels": {"~kyckit*", "resetchannels", "+@all"},
		"scripts":  {"~kyckit*", "&kyckit*", "+@all", "-@scripting"},
		"info":     {"~kyckit*", "&kyckit*", "+@all", "-info"},
		"nothing":  {},
	} {
		err := user(rules...).Check(t.Context())
		require.ErrorIs(t, err, kyckit.ErrForbidden, name)
		assert.NotContains(t, err.Error(), "kyckit*", name)
	}
	wrong := newStore(t, srv.client(func(o *redis.Options) { o.Username, o.Password = "kyc", "wrong" }))
	require.ErrorIs(t, wrong.Check(t.Context()), kyckit.ErrForbidden)
}

func TestASingleNodeCluster(t *testing.T) {
	srv := startServer(t, "--cluster-enabled", "yes")
	require.NoError(t, srv.client().Do(t.Context(), "CLUSTER", "ADDSLOTSRANGE", "0", "16383").Err())
	require.Eventually(t, func() bool {
		info, err := srv.client().ClusterInfo(t.Context()).Result()
		return err == nil && len(info) > 16 && info[:16] == "cluster_state:ok"
	}, 20*time.Second, 50*time.Millisecond)
	client := redis.NewClusterClient(&redis.ClusterOptions{Addrs: []string{srv.addr}, DisableIdentity: true})
	defer client.Close() //nolint:errcheck // nothing is lost
	everything(t, client)
}

func TestARing(t *testing.T) {
	t.Parallel()
	one, two := startServer(t), startServer(t)
	client := redis.NewRing(&redis.RingOptions{Addrs: map[string]string{"one": one.addr, "two": two.addr}, DisableIdentity: true})
	defer client.Close() //nolint:errcheck // nothing is lost
	for i := range 4 {   // on one node or the other
		everything(t, client, func(c *redisstore.Config) { c.Tenant = fmt.Sprint("tenant", i) })
	}
	require.NoError(t, two.client().ConfigSet(t.Context(), "maxmemory-policy", "allkeys-lru").Err())
	require.ErrorIs(t, newStore(t, client).Check(t.Context()), kyckit.ErrInvalid, "each node counts")
}

// everything uses all that a Store has.
func everything(t *testing.T, client redisstore.Client, change ...func(*redisstore.Config)) {
	t.Helper()
	s := newStore(t, client, change...)
	require.NoError(t, s.Check(t.Context()))
	e := listen(t, s)
	d := s.Signals().Digest("t")
	require.Eventually(t, func() bool { return s.Signals().Publish(t.Context(), d) == nil && e.has(d) }, 20*time.Second, 50*time.Millisecond)
	c, err := claimWithin(t, s.Claims(), "d", 5*time.Second)
	require.NoError(t, err)
	require.NoError(t, c.Commit(t.Context(), time.Hour))
	_, err = claimWithin(t, newStore(t, client, change...).Claims(), "d", 5*time.Second)
	require.ErrorIs(t, err, webhook.ErrDuplicate)
	l := &logins{life: time.Hour}
	for range 3 {
		_, err = newStore(t, client, change...).Tokens(l).Token(t.Context())
		require.NoError(t, err)
	}
	require.EqualValues(t, 1, l.count.Load())
	useBudget(t, s.Budget())
}

func TestTLS(t *testing.T) {
	cert, key, pool := certificate(t)
	plain := startServer(t) // for a free port, and to skip where there is none
	_, port, err := net.SplitHostPort(plain.addr)
	require.NoError(t, err)
	plain.kill()
	plain.args = []string{"--port", "0", "--tls-port", port, "--tls-cert-file", cert, "--tls-key-file", key, "--tls-ca-cert-file", cert, "--tls-auth-clients", "no"}
	plain.start()
	client := plain.client(func(o *redis.Options) {
		o.TLSConfig = &tls.Config{RootCAs: pool, ServerName: "localhost", MinVersion: tls.VersionTLS12}
	})
	everything(t, client)
	require.ErrorIs(t, newStore(t, plain.client()).Check(shortly(t)), kyckit.ErrUnavailable, "without TLS")
}

func shortly(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
	t.Cleanup(cancel)
	return ctx
}

// certificate makes one for "localhost" that signs itself.
func certificate(t *testing.T) (certFile, keyFile string, pool *x509.CertPool) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: []string{"localhost"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	require.NoError(t, err)
	encoded, err := x509.MarshalPKCS8PrivateKey(private)
	require.NoError(t, err)
	certFile, keyFile = filepath.Join(t.TempDir(), "cert.pem"), filepath.Join(t.TempDir(), "key.pem")
	certPEM := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	require.NoError(t, os.WriteFile(certFile, certPEM, 0o600))
	require.NoError(t, os.WriteFile(keyFile, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: encoded}), 0o600))
	pool = x509.NewCertPool()
	require.True(t, pool.AppendCertsFromPEM(certPEM))
	return certFile, keyFile, pool
}
