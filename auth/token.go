package auth

import (
	"context"
	"time"

	"github.com/kyckit/kyckit"
)

const (
	provider = "auth"
	opToken  = "token"
	bearer   = "Bearer"
)

// Token is an access token. It is a value: a caller cannot change what others
// hold. Every fmt verb and slog show it redacted; JSON shows type and expiry.
type Token struct {
	kyckit.Redacted
	// Access is the token itself.
	Access kyckit.Secret
	// Type is the token type, "Bearer" for all sources of this package.
	Type string
	// Expiry is when the token dies by the local clock. The zero time means
	// unknown: the token serves until it is refused.
	Expiry time.Time
}

// Source yields access tokens. Implementations must be safe for concurrent use
// and honour ctx. A source that is not a [Cache] is asked for every request;
// wrap it with [NewCache] unless it is cheap.
//
// A source may also have a method Invalidate(Token), as Cache has: [NewTransport]
// calls it with a token that was refused.
type Source interface {
	Token(ctx context.Context) (Token, error)
}

// SourceFunc makes a function a [Source].
type SourceFunc func(ctx context.Context) (Token, error)

// Token calls f. A nil f is an error of kind [kyckit.ErrInvalid].
func (f SourceFunc) Token(ctx context.Context) (Token, error) {
	if f == nil {
		return Token{}, failure(kyckit.ErrInvalid, "the SourceFunc is nil")
	}
	return f(ctx)
}

// Static returns a source of one fixed token without a known expiry, for
// tokens that are managed elsewhere and for tests.
func Static(access kyckit.Secret) Source {
	t := Token{Access: access, Type: bearer}
	return SourceFunc(func(context.Context) (Token, error) { return t, nil })
}

// invalidator is a source that can be told of a refused token.
type invalidator interface{ Invalidate(Token) }

// maxAccess is far above any real token and keeps a hostile answer out of the
// request line.
const maxAccess = 32 << 10

// sendable reports whether access can stand in a header: visible ASCII only.
func sendable(access string) bool {
	if access == "" || len(access) > maxAccess {
		return false
	}
	for i := range len(access) {
		if access[i] <= ' ' || access[i] > '~' {
			return false
		}
	}
	return true
}
