package redisstore_test

import (
	"bufio"
	"bytes"
	"context"
	"flag"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/kyckit/kyckit"
	"github.com/kyckit/kyckit/redisstore"
)

func TestMain(m *testing.M) {
	switch {
	case os.Getenv("REDISSTORE_WORKER") != "":
		os.Exit(worker())
	case os.Getenv("REDISSTORE_REPLICA") != "":
		os.Exit(replicaProcess())
	}
	// Tests on a real server mostly wait: more of them at a time than processors.
	if err := flag.Set("test.parallel", "6"); err != nil {
		panic(err)
	}
	goleak.VerifyTestMain(m)
}

const testKey = "\x01 a made-up key of 32 bytes..\xff\xfe!"

// newStore returns a store of the tenant "test" on client.
func newStore(t testing.TB, client redisstore.Client, change ...func(*redisstore.Config)) *redisstore.Store {
	t.Helper()
	cfg := redisstore.Config{Client: client, Tenant: "test", Key: kyckit.NewSecret(testKey)}
	for _, f := range change {
		f(&cfg)
	}
	s, err := redisstore.New(cfg)
	require.NoError(t, err)
	return s
}

// inMemory is a client of a miniredis that works inside a synctest bubble.
func inMemory(t testing.TB) (*miniredis.Miniredis, *redis.Client) {
	t.Helper()
	m := miniredis.NewMiniRedis()
	m.ClockTTL(true)
	client := redis.NewClient(&redis.Options{
		Addr: "memory", DisableIdentity: true, MaintNotificationsConfig: noNotifications,
		Dialer: func(context.Context, string, string) (net.Conn, error) { return m.Dial() },
	})
	t.Cleanup(func() {
		_ = client.Close()
		m.Close()
	})
	return m, client
}

// server is a redis-server of the test's own.
type server struct {
	t    testing.TB
	addr string
	dir  string
	args []string
	cmd  *exec.Cmd
}

// startServer runs the real thing; without it the test is skipped, never in CI.
func startServer(t testing.TB, args ...string) *server {
	t.Helper()
	if _, err := exec.LookPath("redis-server"); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("redis-server is not installed")
		}
		t.Skip("redis-server is not installed")
	}
	if testing.Short() {
		t.Skip("a real server")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	s := &server{t: t, addr: l.Addr().String(), dir: t.TempDir(), args: args}
	require.NoError(t, l.Close())
	s.start()
	t.Cleanup(s.kill)
	return s
}

func (s *server) start() {
	s.t.Helper()
	_, port, err := net.SplitHostPort(s.addr)
	require.NoError(s.t, err)
	s.cmd = exec.Command("redis-server", append([]string{
		"--port", port, "--bind", "127.0.0.1", "--dir", s.dir, "--save", "", "--appendonly", "no", "--loglevel", "warning",
	}, s.args...)...)
	require.NoError(s.t, s.cmd.Start())
	require.Eventually(s.t, func() bool {
		conn, err := net.Dial("tcp", s.addr)
		if err != nil {
			return false
		}
		defer conn.Close() //nolint:errcheck // nothing is lost
		if strings.Contains(strings.Join(s.args, " "), "--tls-port") {
			return true
		}
		_, _ = conn.Write([]byte("PING\r\n"))
		line, _ := bufio.NewReader(conn).ReadString('\n')
		return strings.HasPrefix(line, "+PONG") || strings.HasPrefix(line, "-NOAUTH")
	}, 20*time.Second, 20*time.Millisecond)
}

func (s *server) kill() {
	_ = s.cmd.Process.Kill()
	_ = s.cmd.Wait()
}

func (s *server) client(change ...func(*redis.Options)) *redis.Client {
	s.t.Helper()
	o := &redis.Options{Addr: s.addr, DisableIdentity: true, MaintNotificationsConfig: noNotifications}
	for _, f := range change {
		f(o)
	}
	c := redis.NewClient(o)
	s.t.Cleanup(func() { _ = c.Close() })
	return c
}

// monitor collects what every client of the server sends, until stop.
func (s *server) monitor() (stop func() string) {
	s.t.Helper()
	conn, err := net.Dial("tcp", s.addr)
	require.NoError(s.t, err)
	_, err = conn.Write([]byte("MONITOR\r\n"))
	require.NoError(s.t, err)
	r := bufio.NewReader(conn)
	line, err := r.ReadString('\n')
	require.NoError(s.t, err)
	require.Equal(s.t, "+OK\r\n", line)
	var seen bytes.Buffer
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = r.WriteTo(&seen)
	}()
	return func() string {
		time.Sleep(200 * time.Millisecond)
		_ = conn.Close()
		<-done
		return seen.String()
	}
}

// dump is everything in the store.
func dump(t testing.TB, client redis.UniversalClient) string {
	t.Helper()
	ctx := context.Background()
	var out strings.Builder
	keys, err := client.Keys(ctx, "*").Result()
	require.NoError(t, err)
	for _, key := range keys {
		ttl, err := client.PTTL(ctx, key).Result()
		require.NoError(t, err)
		require.Positive(t, ttl, "%s has no time to live", key)
		raw, err := client.Dump(ctx, key).Result()
		require.NoError(t, err)
		v, _ := client.Get(ctx, key).Result()
		fmt.Fprintf(&out, "%s = %q %q %s\n", key, raw, v, v)
	}
	return out.String()
}
