package auth

import (
	"context"
	"errors"
	"net/url"
	"strings"
	"sync"

	"golang.org/x/oauth2"

	"github.com/kyckit/kyckit"
	"github.com/kyckit/kyckit/internal/transport"
)

// OAuth2 makes src a token source for golang.org/x/oauth2. That interface
// knows no context: ctx limits every call instead.
func OAuth2(ctx context.Context, src Source) oauth2.TokenSource {
	if transport.Missing(src) {
		return noOAuth2{}
	}
	return toOAuth2{ctx, src}
}

type toOAuth2 struct {
	ctx    context.Context // the interface has no other place for it
	source Source
}

func (s toOAuth2) Token() (*oauth2.Token, error) {
	t, err := s.source.Token(s.ctx)
	if err != nil {
		return nil, err
	}
	return &oauth2.Token{AccessToken: t.Access.Reveal(), TokenType: t.Type, Expiry: t.Expiry}, nil
}

// FromOAuth2 makes a token source of golang.org/x/oauth2 a [Source]. Calls
// that overlap share one call of ts, which cannot be cancelled: it goes on when
// the callers' contexts end. Errors keep the OAuth error code and status, none
// of their text. A token of another type than bearer is [kyckit.ErrDecode].
//
// ts usually caches by itself. Do not wrap the result in a [Cache] unless it
// does not: an invalidated token would only be served again.
func FromOAuth2(ts oauth2.TokenSource) Source {
	if transport.Missing(ts) {
		ts = noOAuth2{}
	}
	return &fromOAuth2{fetch: ts.Token}
}

type noOAuth2 struct{}

func (noOAuth2) Token() (*oauth2.Token, error) {
	return nil, failure(kyckit.ErrInvalid, "there is no token source")
}

type fromOAuth2 struct {
	fetch func() (*oauth2.Token, error) // a closure: sources of x/oauth2 hold clear tokens

	mu     sync.Mutex
	flight *oauth2Flight
}

type oauth2Flight struct {
	done  chan struct{}
	token Token
	err   error
}

func (s *fromOAuth2) Token(ctx context.Context) (Token, error) {
	if err := ctx.Err(); err != nil {
		return Token{}, gaveUp(err)
	}
	s.mu.Lock()
	f := s.flight
	if f == nil {
		f = &oauth2Flight{done: make(chan struct{})}
		s.flight = f
		go s.run(f)
	}
	s.mu.Unlock()
	select {
	case <-f.done:
		return f.token, f.err
	case <-ctx.Done():
		return Token{}, gaveUp(ctx.Err())
	}
}

func (s *fromOAuth2) run(f *oauth2Flight) {
	f.err = failure(kyckit.ErrUnavailable, "the source did not return")
	defer func() {
		if v := recover(); v != nil {
			f.err = panicked(v)
		}
		s.mu.Lock()
		s.flight = nil
		s.mu.Unlock()
		close(f.done)
	}()
	t, err := s.fetch()
	switch {
	case err != nil:
		f.err = oauth2Error(err)
	case t == nil || t.AccessToken == "":
		f.err = failure(kyckit.ErrDecode, "the source returned an empty token")
	case !strings.EqualFold(t.Type(), bearer):
		f.err = failure(kyckit.ErrDecode, "the token type is not bearer")
	default:
		f.token, f.err = Token{Access: kyckit.NewSecret(t.AccessToken), Type: bearer, Expiry: t.Expiry}, nil
	}
}

// oauth2Error keeps of an error what is safe: x/oauth2 quotes bodies and URLs.
func oauth2Error(err error) *kyckit.Error {
	if own, ok := errors.AsType[*kyckit.Error](err); ok {
		return asError(own)
	}
	var refused *oauth2.RetrieveError
	if !errors.As(err, &refused) {
		e := failure(kyckit.ErrUnavailable, "the source failed")
		if _, ok := errors.AsType[*url.Error](err); ok {
			e.Reason = "no answer"
		}
		return e
	}
	status := 0
	if refused.Response != nil {
		status = refused.Response.StatusCode
	}
	e := failure(transport.KindOf(status), "the token endpoint refused")
	e.StatusCode = status
	if oauthCode(refused.ErrorCode) {
		e.Code = refused.ErrorCode
	}
	if kind := explainOAuth(status, refused.Body).Kind; kind != nil {
		e.Kind = kind
	}
	return e.WithText(refused.ErrorDescription, refused.Body)
}
