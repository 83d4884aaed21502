package auth_test

import (
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kyckit/kyckit/auth"
)

// A spare is a token that was fetched because an older one was refused, and that
// nobody accepted yet.

func TestASpareServesWhenTheOldTokenIsGone(t *testing.T) {
	for name, gone := range map[string]func(*auth.Cache, auth.Token){
		"expired":     func(_ *auth.Cache, old auth.Token) { time.Sleep(time.Until(old.Expiry)) },
		"invalidated": func(c *auth.Cache, old auth.Token) { c.Invalidate(old) },
	} {
		for spare, tc := range map[string]struct {
			pause time.Duration // before what ends the old token
			want  string
		}{
			"alive": {0, "2"},
			"dead":  {time.Hour, "3"},
		} {
			t.Run(name+", "+spare, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					v := &village{life: 2 * time.Hour}
					c := v.source(t)
					rt := auth.NewTransport(v, c)
					first, err := c.Token(t.Context())
					require.NoError(t, err)
					time.Sleep(time.Minute)
					if tc.pause > 0 {
						v.life = tc.pause // of the spare
					}
					require.Equal(t, http.StatusUnauthorized, v.call(t, rt, "/odd", false))
					time.Sleep(tc.pause)
					gone(c, first)
					tok, err := c.Token(t.Context())
					require.NoError(t, err)
					assert.Equal(t, tc.want, tok.Access.Reveal())
					assert.Equal(t, tc.want, string(rune('0'+v.issued.Load())), "exchanges")
				})
			})
		}
	}
}

// A place that refused the spare too is believed to refuse every token for a
// minute.
func TestAPlaceThatRefusesTheSpareIsBelievedForAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := &village{}
		rt := auth.NewTransport(v, v.source(t))
		refused := func(path string, requests, exchanges int64) {
			asked, issued := v.asked.Load(), v.issued.Load()
			require.Equal(t, http.StatusUnauthorized, v.call(t, rt, path, false))
			assert.Equal(t, requests, v.asked.Load()-asked, "requests for %s", path)
			assert.Equal(t, exchanges, v.issued.Load()-issued, "exchanges for %s", path)
		}
		require.Equal(t, http.StatusOK, v.call(t, rt, "/resource", false))
		time.Sleep(time.Hour)
		refused("/odd", 2, 1)
		refused("/odd", 1, 0)
		time.Sleep(59 * time.Second)
		refused("/odd", 1, 0)
		refused("/odd/other", 2, 1)
		time.Sleep(time.Minute)
		refused("/odd/other", 2, 1)
	})
}

// What comes of the repeated call tells whether the old token was at fault.
func TestWhatProvesASpare(t *testing.T) {
	for status, proof := range map[int]bool{
		200: true, 204: true, 400: true, 403: true, 404: true, 409: true,
		401: false, 407: false, 408: false, 429: false, 500: false, 502: false, 503: false,
	} {
		v := &village{}
		last := ""
		rt := auth.NewTransport(roundTripper(func(r *http.Request) (*http.Response, error) {
			last = r.Header.Get("Authorization")
			resp, err := v.RoundTrip(r)
			if r.URL.Path == "/odd" && last == "Bearer 2" {
				resp.StatusCode = status
			}
			return resp, err
		}), v.source(t))
		require.Equal(t, status, v.call(t, rt, "/odd", false))
		require.Equal(t, http.StatusOK, v.call(t, rt, "/resource", false))
		want := "Bearer 1"
		if proof {
			want = "Bearer 2"
		}
		assert.Equal(t, want, last, "after a %d", status)
	}
}

// Of the calls that were sent with a revoked token, those that hear of it late
// take the token that the first one fetched.
func TestALateRefusalTakesTheTokenThatIsThereAlready(t *testing.T) {
	for name, streamed := range map[string]bool{"repeatable": false, "not repeatable": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				v := &village{}
				rt := auth.NewTransport(roundTripper(func(r *http.Request) (*http.Response, error) {
					if r.URL.Path == "/slow" {
						time.Sleep(time.Second)
					}
					return v.RoundTrip(r)
				}), v.source(t))
				late := make(chan int)
				go func() { late <- v.call(t, rt, "/slow", streamed) }()
				synctest.Wait()
				v.revoked.Store(1)
				require.Equal(t, http.StatusOK, v.call(t, rt, "/resource", false))
				want := http.StatusOK
				if streamed {
					want = http.StatusUnauthorized
				}
				assert.Equal(t, want, <-late)
				assert.EqualValues(t, 2, v.issued.Load())
			})
		})
	}
}

// The token was refused, and meanwhile another caller has dropped it.
func TestALateRefusalOfADroppedToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := &village{}
		c := v.source(t)
		rt := auth.NewTransport(roundTripper(func(r *http.Request) (*http.Response, error) {
			if r.Header.Get("Authorization") == "Bearer 1" {
				time.Sleep(time.Second)
			}
			return v.RoundTrip(r)
		}), c)
		first, err := c.Token(t.Context())
		require.NoError(t, err)
		late := make(chan int)
		go func() { late <- v.call(t, rt, "/resource", false) }()
		synctest.Wait()
		v.revoked.Store(1)
		c.Invalidate(first)
		assert.Equal(t, http.StatusOK, <-late)
		assert.EqualValues(t, 2, v.issued.Load())
	})
}

func TestARefusedCallIsHeldThroughAShortOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := &village{}
		rt := auth.NewTransport(v, v.source(t))
		require.Equal(t, http.StatusOK, v.call(t, rt, "/resource", false))
		v.revoked.Store(1)
		v.down.Store(true)
		time.AfterFunc(100*time.Millisecond, func() { v.down.Store(false) })
		assert.Equal(t, http.StatusOK, v.call(t, rt, "/resource", false))
	})
}

func TestATransportUsesNoDeadToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := &village{life: time.Minute}
		v.lives = func(token, _ int64) bool { return token == v.issued.Load() }
		rt := auth.NewTransport(v, v.source(t))
		require.Equal(t, http.StatusOK, v.call(t, rt, "/resource", false))
		time.Sleep(time.Minute)
		asked := v.asked.Load()
		require.Equal(t, http.StatusOK, v.call(t, rt, "/resource", false))
		assert.EqualValues(t, 1, v.asked.Load()-asked, "requests")
		assert.EqualValues(t, 2, v.issued.Load())
	})
}
