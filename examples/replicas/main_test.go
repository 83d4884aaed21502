package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestMain(m *testing.M) {
	if setup := os.Getenv(replicaEnv); setup != "" {
		if err := replica(setup, os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// buffer is written to from several goroutines.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

func TestReplicasShareKillAndRestart(t *testing.T) {
	if _, err := exec.LookPath("redis-server"); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("redis-server is not installed")
		}
		t.Skip("redis-server is not installed")
	}
	if testing.Short() {
		t.Skip("a real server, for half a minute")
	}
	t.Setenv("REDIS", "")
	var out buffer
	err := run(t.Context(), []string{"-for", "28s"}, &out)
	t.Log("\n" + out.String())
	require.NoError(t, err)
	for _, want := range []string{"process 1, the busiest, is killed", "took over the", "dead", "Redis is killed", " *", "were verified, each once", "Calls over a limit: 0. Logins: "} {
		assert.Contains(t, out.String(), want)
	}
	assert.NotContains(t, out.String(), "100000000", "nobody's id is shown")
	assert.NotContains(t, out.String(), "took over the 0")
}

func TestWhatIsMissingIsNamed(t *testing.T) {
	t.Setenv("REDIS", "")
	t.Setenv("PATH", t.TempDir())
	var out buffer
	err := run(t.Context(), nil, &out)
	require.ErrorContains(t, err, "-redis host:port")
	require.Error(t, run(t.Context(), []string{"-processes", "1"}, &out))
	require.ErrorContains(t, run(t.Context(), []string{"-h"}, &out), "help")
}

func TestTheFullestMinute(t *testing.T) {
	var times []time.Time
	for _, s := range []int{0, 1, 59, 60, 61, 200} {
		times = append(times, time.Unix(int64(s), 0))
	}
	assert.Equal(t, 3, mostInAMinute(times), "0, 1 and 59, or 59, 60 and 61")
	assert.Equal(t, 3, lastMinute(times, time.Unix(61, 0)))
	assert.Zero(t, mostInAMinute(nil))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	pause(ctx, time.Hour)
}
