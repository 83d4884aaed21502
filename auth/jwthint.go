package auth

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
	"time"
)

const (
	// maxHint is the longest lifetime that an unverified exp is believed.
	maxHint = 366 * 24 * time.Hour
	// tick is the resolution of exp, iat and the Date header.
	tick = time.Second
)

// jwtLifetime reads a lifetime out of a token that happens to be a JWT. The
// token is not verified: this is a hint for when to ask for a new one, nothing
// more. It returns 0 when there is no hint or when it cannot be believed.
//
// The token's exp is a time by the server's clock, which may be minutes away
// from ours. The answer's Date header tells that clock, and so does the
// token's own iat; the shorter of both lifetimes counts. Only without a
// believable one is exp compared with the local clock.
func jwtLifetime(access string, h http.Header, local time.Time) time.Duration {
	exp, iat := jwtTimes(access)
	if exp == 0 {
		return 0
	}
	var life time.Duration
	shorter := func(since float64) {
		if d := between(since, exp); d > 0 && (life == 0 || d < life) {
			life = d
		}
	}
	if date, err := http.ParseTime(h.Get("Date")); err == nil {
		shorter(float64(date.Unix()))
	}
	if iat > 0 {
		shorter(iat)
	}
	if life == 0 {
		shorter(float64(local.Unix()))
	}
	return life
}

// between is the time from since to exp, in seconds since 1970, or 0 when it
// cannot be believed. Servers cut both to the full second, so the lifetime may be
// up to a second less than their difference, and that is what is returned.
func between(since, exp float64) time.Duration {
	d := exp - since
	if !(d > 0 && d <= maxHint.Seconds()) {
		return 0
	}
	life := time.Duration(d * float64(time.Second))
	if life <= tick {
		return life / 2
	}
	return life - tick
}

// jwtTimes returns the claims exp and iat in seconds, 0 where they are missing
// or no numbers.
func jwtTimes(access string) (exp, iat float64) {
	_, rest, ok := strings.Cut(access, ".")
	if !ok {
		return 0, 0
	}
	payload, signature, ok := strings.Cut(rest, ".")
	if !ok || strings.Contains(signature, ".") {
		return 0, 0
	}
	raw, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(payload, "="))
	if err != nil {
		return 0, 0
	}
	var claims struct {
		Exp json.RawMessage `json:"exp"`
		Iat json.RawMessage `json:"iat"`
	}
	if json.Unmarshal(raw, &claims) != nil {
		return 0, 0
	}
	exp, _ = number(claims.Exp)
	iat, _ = number(claims.Iat)
	return exp, iat
}
