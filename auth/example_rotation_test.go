package auth_test

import (
	"context"
	"fmt"
	"sync/atomic"

	"github.com/kyckit/kyckit/auth"
	"github.com/kyckit/kyckit/auth/authtest"
)

// rotating is a Source whose credentials can change while clients use it. It has
// Invalidate too, so that a 401 still drops the token.
type rotating struct{ current atomic.Pointer[auth.Cache] }

func (r *rotating) Token(ctx context.Context) (auth.Token, error) { return r.current.Load().Token(ctx) }

func (r *rotating) Invalidate(t auth.Token) { r.current.Load().Invalidate(t) }

// use changes to a cache with other credentials.
func (r *rotating) use(c *auth.Cache) {
	if old := r.current.Swap(c); old != nil {
		_ = old.Close()
	}
}

// A Cache keeps the credentials that it was made with. To change them without a
// restart, put a Source in front that changes from one Cache to the next.
func ExampleSource() {
	// The credentials of before and after; in production one token endpoint.
	before, after := authtest.NewServer(authtest.Config{}), authtest.NewServer(authtest.Config{})
	defer before.Close()
	defer after.Close()
	old, err := before.ClientCredentials(auth.Tuning{})
	if err != nil {
		fmt.Println(err)
		return
	}
	next, err := after.ClientCredentials(auth.Tuning{})
	if err != nil {
		fmt.Println(err)
		return
	}

	source := &rotating{} // for nafath.Config.Auth, faceki.Config.Auth or NewTransport
	source.use(old)
	_, err = source.Token(context.Background())
	fmt.Println(err, before.Exchanges(), after.Exchanges())
	source.use(next)
	_, err = source.Token(context.Background())
	fmt.Println(err, before.Exchanges(), after.Exchanges())
	// Output:
	// <nil> 1 0
	// <nil> 1 1
}
