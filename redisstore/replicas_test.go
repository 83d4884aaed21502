package redisstore_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kyckit/kyckit"
	"github.com/kyckit/kyckit/redisstore"
	"github.com/kyckit/kyckit/webhook"
)

const deliveries = 20_000

// worker is a process of its own, which this test binary becomes: it claims each
// delivery, in its own order, and prints those it handled.
func worker() int {
	client := redis.NewClient(&redis.Options{Addr: os.Getenv("REDISSTORE_WORKER"), DisableIdentity: true, MaintNotificationsConfig: noNotifications})
	defer client.Close() //nolint:errcheck // nothing is lost
	s, err := redisstore.New(redisstore.Config{Client: client, Tenant: "test", Key: kyckit.NewSecret(testKey)})
	if err != nil {
		return 2
	}
	claims := s.Claims()
	var mu sync.Mutex
	out := bufio.NewWriter(os.Stdout)
	var wg sync.WaitGroup
	numbers := make(chan int)
	for range 16 {
		wg.Go(func() {
			for i := range numbers {
				for {
					ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
					c, err := claims.Claim(ctx, fmt.Sprint("delivery ", i), time.Minute)
					if err == nil {
						mu.Lock()
						_, _ = fmt.Fprintln(out, i)
						mu.Unlock()
						err = c.Commit(ctx, time.Hour)
					}
					cancel()
					if err == nil || errors.Is(err, webhook.ErrDuplicate) || errors.Is(err, webhook.ErrInProgress) {
						break
					}
				}
			}
		})
	}
	for i := range deliveries {
		if os.Getenv("REDISSTORE_BACKWARDS") != "" {
			i = deliveries - 1 - i
		}
		numbers <- i
	}
	close(numbers)
	wg.Wait()
	if out.Flush() != nil {
		return 3
	}
	return 0
}

func TestTwentyThousandDuplicatesOverTwoProcesses(t *testing.T) {
	srv := startServer(t)
	t.Parallel()
	client := srv.client()
	exe, err := os.Executable()
	require.NoError(t, err)
	var wg sync.WaitGroup
	outputs := make([]string, 4) // each delivery comes four times
	for i := range outputs {
		wg.Go(func() {
			cmd := exec.CommandContext(t.Context(), exe)
			cmd.Env = append(os.Environ(), "REDISSTORE_WORKER="+srv.addr)
			if i%2 == 1 {
				cmd.Env = append(cmd.Env, "REDISSTORE_BACKWARDS=1")
			}
			out, err := cmd.Output()
			assert.NoError(t, err)
			outputs[i] = string(out)
		})
		if i%2 == 1 {
			wg.Wait()
		}
	}
	handled := map[string]int{}
	busy := 0
	for _, out := range outputs {
		for line := range strings.Lines(out) {
			handled[line]++
		}
		if out != "" {
			busy++
		}
	}
	require.Len(t, handled, deliveries)
	for line, n := range handled {
		require.Equal(t, 1, n, "delivery %s", line)
	}
	require.Equal(t, 2, busy, "both processes handled some, and the second round none")

	// A claim and its commit are two round trips.
	before := calls(t, client)
	c, err := newStore(t, client).Claims().Claim(t.Context(), "one more", time.Minute)
	require.NoError(t, err)
	require.NoError(t, c.Commit(t.Context(), time.Hour))
	require.Equal(t, 2, calls(t, client)-before)
}

// calls is how many scripts were called so far.
func calls(t *testing.T, client *redis.Client) int {
	t.Helper()
	info, err := client.Info(t.Context(), "commandstats").Result()
	require.NoError(t, err)
	n := 0
	for line := range strings.Lines(info) {
		_, _ = fmt.Sscanf(line, "cmdstat_eval:calls=%d,", &n)
	}
	return n
}
