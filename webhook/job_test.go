package webhook

import (
	"context"
	"errors"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

// fakeClaims is a store that fails as told.
type fakeClaims struct {
	claimErr, commitErr error
	nothing             bool
	commits, releases   atomic.Int32
	ended               atomic.Int32 // calls whose context had ended
}

func (f *fakeClaims) Claim(context.Context, string, time.Duration) (Claim, error) {
	if f.claimErr != nil || f.nothing {
		return nil, f.claimErr
	}
	return f, nil
}

func (f *fakeClaims) Commit(ctx context.Context, _ time.Duration) error {
	f.commits.Add(1)
	if ctx.Err() != nil {
		f.ended.Add(1)
	}
	return f.commitErr
}

func (f *fakeClaims) Release(ctx context.Context) error {
	f.releases.Add(1)
	if ctx.Err() != nil {
		f.ended.Add(1)
	}
	return nil
}

// lostAnswer is a store that records a commit and answers the first one with an
// error.
type lostAnswer struct{ fakeClaims }

func (f *lostAnswer) Claim(context.Context, string, time.Duration) (Claim, error) { return f, nil }

func (f *lostAnswer) Commit(context.Context, time.Duration) error {
	if f.commits.Add(1) == 1 {
		return errors.New("the answer was lost")
	}
	return ErrDuplicate
}

func TestARepeatedCommitThatIsADuplicateCounted(t *testing.T) {
	var res Result
	store := &lostAnswer{}
	h := newHandler(t, HandlerConfig{Claims: store, OnResult: func(_ context.Context, r Result) { res = r }})
	assert.Equal(t, 200, post(h, `{}`).Code)
	assert.NoError(t, res.Err)
	assert.EqualValues(t, 2, store.commits.Load())
}

func TestStoreOutlivesTheSender(t *testing.T) {
	for _, fails := range []bool{false, true} {
		claims := &fakeClaims{}
		started, gone := make(chan struct{}), make(chan struct{})
		var handleErr error
		h := newHandler(t, HandlerConfig{Claims: claims, Handle: func(ctx context.Context, _ *Delivery) error {
			close(started)
			<-gone
			handleErr = ctx.Err()
			if fails {
				return errors.New("x")
			}
			return nil
		}})
		ctx, hangUp := context.WithCancel(context.Background())
		done := make(chan struct{})
		go func() {
			defer close(done)
			h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("POST", "/", strings.NewReader("{}")).WithContext(ctx))
		}()
		<-started
		hangUp()
		close(gone)
		<-done
		assert.NoError(t, handleErr)
		assert.EqualValues(t, 1, claims.commits.Load()+claims.releases.Load())
		assert.Zero(t, claims.ended.Load())
		assert.Equal(t, fails, claims.releases.Load() == 1)
	}
}

func TestGoexitInHandleReleases(t *testing.T) {
	claims := &fakeClaims{}
	h := newHandler(t, HandlerConfig{Claims: claims, Handle: func(context.Context, *Delivery) error { runtime.Goexit(); return nil }})
	done := make(chan struct{})
	go func() {
		defer close(done)
		post(h, "{}")
	}()
	<-done
	assert.EqualValues(t, 1, claims.releases.Load())
	assert.Zero(t, claims.commits.Load())
}
