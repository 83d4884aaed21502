package kyckit_test

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kyckit/kyckit"
)

const planted = "pl4nted-s3cret"

// holder reaches a value the ways that printing code does.
type holder struct {
	Exported kyckit.Secret
	hidden   kyckit.Secret
	Pointer  *kyckit.Secret
	Map      map[string]kyckit.Secret
}

func TestNothingPrintsASecret(t *testing.T) {
	s := kyckit.NewSecret(planted)
	err := (&kyckit.Error{Provider: "p", Op: "o", Kind: kyckit.ErrInvalid, StatusCode: 400, Attempts: 2}).WithText(planted, []byte(planted))
	for _, v := range []any{
		s, &s,
		[]kyckit.Secret{s},
		holder{s, s, &s, map[string]kyckit.Secret{"k": s}},
		&holder{Exported: s, hidden: s},
		err, *err,
		[]any{err, *err},
		fmt.Errorf("wrapped: %w", err), errors.Join(err, err),
	} {
		for _, out := range printed(t, v) {
			assert.NotContains(t, out, planted)
			assert.NotContains(t, out, fmt.Sprintf("%x", planted))
		}
	}
	assert.Equal(t, planted, s.Reveal())
	assert.Equal(t, planted, err.Message())
	assert.Equal(t, planted, string(err.Body()))
}

// printed returns v in every form that reaches a log.
func printed(t *testing.T, v any) []string {
	t.Helper()
	var out []string
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%t", "%p", "%f", "%c", "%U", "%T", "%08.3v", "% x"} {
		out = append(out, fmt.Sprintf(verb, v))
	}
	out = append(out, fmt.Sprint(v), fmt.Sprintln(v))
	if b, err := json.Marshal(v); err == nil {
		out = append(out, string(b))
	}
	if b, err := xml.Marshal(v); err == nil {
		out = append(out, string(b))
	}
	var buf bytes.Buffer
	slog.New(slog.NewTextHandler(&buf, nil)).Info("m", "v", v)
	slog.New(slog.NewJSONHandler(&buf, nil)).Info("m", "v", v)
	return append(out, buf.String())
}

func TestSecret(t *testing.T) {
	var zero kyckit.Secret
	assert.Empty(t, zero.Reveal())
	assert.True(t, zero.IsZero())
	assert.False(t, kyckit.NewSecret("x").IsZero())
	assert.Equal(t, "[redacted]", fmt.Sprint(zero))
	b, err := json.Marshal(map[string]kyckit.Secret{"k": kyckit.NewSecret("x")})
	require.NoError(t, err)
	assert.JSONEq(t, `{"k":"[redacted]"}`, string(b))
}

func TestErrorText(t *testing.T) {
	e := &kyckit.Error{
		Provider: "nafath", Op: "status", Kind: kyckit.ErrRateLimited, StatusCode: 429, Code: "E-1",
		RetryAfter: 2 * time.Second, Attempts: 3, Reason: "too many", Err: kyckit.ErrUnavailable, RequestID: "r1",
	}
	const text = "nafath: status: rate limited: too many (http 429, code E-1, 3 attempts, retry after 2s)"
	assert.Equal(t, text, e.Error())
	assert.Equal(t, text, fmt.Sprintf("%+v", *e))
	assert.Equal(t, fmt.Sprintf("%q", text), fmt.Sprintf("%q", e))
	require.ErrorIs(t, e, kyckit.ErrRateLimited)
	require.ErrorIs(t, e, kyckit.ErrUnavailable)
	require.NotErrorIs(t, e, kyckit.ErrInvalid)
	b, err := json.Marshal(e)
	require.NoError(t, err)
	assert.JSONEq(t, `{"provider":"nafath","op":"status","kind":"rate limited","status":429,"code":"E-1","requestId":"r1","retryAfterSeconds":2,"attempts":3,"reason":"too many"}`, string(b))
	assert.Equal(t, "failed", (&kyckit.Error{}).Error())
	assert.Empty(t, (&kyckit.Error{}).Message())
	assert.Nil(t, (&kyckit.Error{}).Body())
}
