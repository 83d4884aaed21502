package auth_test

import (
	"fmt"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kyckit/kyckit/auth"
)

func TestTenExchangesInARowMayHelpNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := &village{}
		rt := auth.NewTransport(v, v.source(t))
		exchanges := func() int64 {
			before := v.issued.Load()
			for i := range 20 {
				require.Equal(t, http.StatusUnauthorized, v.call(t, rt, fmt.Sprint("/odd/", i), false))
			}
			return v.issued.Load() - before
		}
		require.Equal(t, http.StatusOK, v.call(t, rt, "/resource", false))
		assert.EqualValues(t, 10, exchanges(), "at one moment")
		time.Sleep(59 * time.Second)
		assert.Zero(t, exchanges(), "within a minute")
		time.Sleep(time.Second)
		assert.EqualValues(t, 1, exchanges(), "a minute later")
	})
}

// The budget bounds exchanges; a spare that is there costs none.
func TestASpareTakesThePlaceOfAnInvalidatedTokenWhateverTheBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := &village{}
		c := v.source(t)
		rt := auth.NewTransport(v, c)
		first, err := c.Token(t.Context())
		require.NoError(t, err)
		for i := range 20 {
			require.Equal(t, http.StatusUnauthorized, v.call(t, rt, fmt.Sprint("/odd/", i), false))
		}
		c.Invalidate(first)
		tok, err := c.Token(t.Context())
		require.NoError(t, err)
		assert.Equal(t, "11", tok.Access.Reveal())
	})
}

func TestSixtyExchangesInARowMayHelp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := &village{}
		rt := auth.NewTransport(v, v.source(t))
		for range 70 {
			v.call(t, rt, "/resource", false)
			v.revoked.Store(v.issued.Load())
		}
		assert.EqualValues(t, 1+60, v.issued.Load())
	})
}

// An exchange that fails says nothing about the calls, so it uses nothing up.
func TestAnOutageOfTheTokenEndpointUsesNothingUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := &village{}
		rt := auth.NewTransport(v, v.source(t))
		require.Equal(t, http.StatusOK, v.call(t, rt, "/resource", false))
		v.down.Store(true)
		for range 5 * 60 {
			require.Equal(t, http.StatusUnauthorized, v.call(t, rt, "/odd", false))
			time.Sleep(time.Second)
		}
		require.GreaterOrEqual(t, v.issued.Load(), int64(20), "exchanges that failed")
		v.down.Store(false)
		time.Sleep(20 * time.Second) // the next exchange is due
		v.revoked.Store(v.issued.Load())
		assert.Equal(t, http.StatusOK, v.call(t, rt, "/resource", false))
	})
}

func TestInvalidateIsWithinTheBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := &village{}
		c := v.source(t)
		for range 3600 {
			tok, err := c.Token(t.Context())
			require.NoError(t, err)
			c.Invalidate(tok)
			time.Sleep(time.Second)
		}
		assert.LessOrEqual(t, v.issued.Load(), int64(130))
		assert.GreaterOrEqual(t, v.issued.Load(), int64(60))
	})
}
