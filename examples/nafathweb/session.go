package main

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"net/http"
	"time"
)

const (
	// __Host- makes browsers demand Secure, Path=/ and no Domain. Browsers take a
	// Secure cookie from loopback over plain http too.
	cookieName = "__Host-nafathweb"
	sessionAge = time.Hour
	// prolongAfter is how old a cookie may get before it is written anew.
	prolongAfter = 10 * time.Minute
	randomLen    = 16
)

// session is what a browser's cookie says, signed by us: the visitor, who stays
// the same, and the session, which changes whenever a verification starts or is
// left, so that a cookie that was planted or seen before opens nothing.
type session struct {
	visitor, id string // digests; the random values are in the cookie alone
}

// keys are what is derived from the application's one secret.
type keys struct {
	cookie, person, address, transaction, shared []byte
}

// deriveKeys makes one key for each purpose.
func deriveKeys(secret []byte) keys {
	derive := func(purpose string) []byte {
		mac := hmac.New(sha256.New, secret)
		mac.Write([]byte("nafathweb " + purpose))
		return mac.Sum(nil)
	}
	return keys{derive("cookie"), derive("person"), derive("address"), derive("transaction"), derive("shared")}
}

// digest names a value without showing it. With a key nobody finds the ten
// digits by trying all of them.
func digest(key []byte, value string) string {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(value))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// readSession returns the browser's session, or false if its cookie is missing,
// forged or too old.
func (k keys) readSession(r *http.Request, now time.Time) (s session, raw []byte, ok bool) {
	cookie, err := r.Cookie(cookieName)
	if err != nil {
		return session{}, nil, false
	}
	raw, err = base64.RawURLEncoding.DecodeString(cookie.Value)
	if err != nil || len(raw) != 2*randomLen+8+sha256.Size {
		return session{}, nil, false
	}
	body, mac := raw[:2*randomLen+8], raw[2*randomLen+8:]
	if !hmac.Equal(mac, k.sign(body)) || now.Sub(issued(body)) > sessionAge || issued(body).After(now.Add(time.Minute)) {
		return session{}, nil, false
	}
	return k.session(body), body, true
}

// newSession makes a session for a browser's visitor, or for a new one, and the
// cookie that opens it.
func (k keys) newSession(old []byte, now time.Time) (session, *http.Cookie) {
	body := make([]byte, 2*randomLen+8)
	_, _ = rand.Read(body[:2*randomLen]) // never fails
	if len(old) >= randomLen {
		copy(body[:randomLen], old[:randomLen])
	}
	return k.session(body), k.cookieOf(body, now)
}

// prolong gives a browser that comes back its session for another while: a place in
// the queue may take longer than sessionAge to come up.
func (k keys) prolong(w http.ResponseWriter, body []byte, now time.Time) {
	if now.Sub(issued(body)) > prolongAfter {
		http.SetCookie(w, k.cookieOf(body, now))
	}
}

// cookieOf signs a session from now on.
func (k keys) cookieOf(body []byte, now time.Time) *http.Cookie {
	body = binary.BigEndian.AppendUint64(append([]byte(nil), body[:2*randomLen]...), uint64(now.Unix()))
	return &http.Cookie{
		Name: cookieName, Value: base64.RawURLEncoding.EncodeToString(append(body, k.sign(body)...)),
		Path: "/", HttpOnly: true, Secure: true, SameSite: http.SameSiteLaxMode, MaxAge: int(sessionAge / time.Second),
	}
}

func issued(body []byte) time.Time {
	return time.Unix(int64(binary.BigEndian.Uint64(body[2*randomLen:])), 0)
}

func (k keys) session(body []byte) session {
	return session{
		visitor: digest(k.cookie, "visitor "+string(body[:randomLen])),
		id:      digest(k.cookie, "session "+string(body[randomLen:2*randomLen])),
	}
}

func (k keys) sign(body []byte) []byte {
	mac := hmac.New(sha256.New, k.cookie)
	mac.Write(body)
	return mac.Sum(nil)
}
