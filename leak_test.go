package kyckit_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kyckit/kyckit"
	"github.com/kyckit/kyckit/internal/leaktest"
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
		leaktest.Silent(t, fmt.Sprintf("%T", v), leaktest.Printed(v)+leaktest.Encoded(v), planted)
	}
	assert.Equal(t, planted, s.Reveal())
	assert.Equal(t, planted, err.Message())
	assert.Equal(t, planted, string(err.Body()))
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

func TestASecretIsReadFromAConfiguration(t *testing.T) {
	var cfg struct {
		Key   kyckit.Secret `json:"key"`
		Other kyckit.Secret `json:"other"`
	}
	require.NoError(t, json.Unmarshal([]byte(`{"key":"`+planted+`","other":""}`), &cfg))
	assert.Equal(t, planted, cfg.Key.Reveal())
	assert.True(t, cfg.Other.IsZero())

	// What an encoder wrote holds no secret any more.
	b, err := json.Marshal(cfg)
	require.NoError(t, err)
	require.ErrorIs(t, json.Unmarshal(b, &cfg), kyckit.ErrInvalid)
	assert.Equal(t, planted, cfg.Key.Reveal())
}

func TestErrorTypeIsAWordOfALowNumber(t *testing.T) {
	for want, e := range map[string]*kyckit.Error{
		"rate_limited":      {Kind: kyckit.ErrRateLimited, StatusCode: 429},
		"outcome_unknown":   {Kind: kyckit.ErrOutcomeUnknown, StatusCode: 503, Err: kyckit.ErrUnavailable},
		"unexpected_answer": {Kind: kyckit.ErrDecode},
		"canceled":          {Kind: context.Canceled},
		"timeout":           {Kind: context.DeadlineExceeded},
		"made_up_kind":      {Kind: errors.New("made up kind")},
		"418":               {Kind: errors.New("person 1234567890"), StatusCode: 418},
		"500":               {StatusCode: 500},
		"other":             {},
	} {
		assert.Equal(t, want, e.ErrorType())
	}
	assert.Equal(t, "other", (&kyckit.Error{Kind: errors.New(strings.Repeat("x", 65))}).ErrorType())
}

func TestAnErrorIsLoggedByItsFields(t *testing.T) {
	var out strings.Builder
	e := &kyckit.Error{
		Provider: "nafath", Op: "status", Kind: kyckit.ErrRateLimited, StatusCode: 429, Code: "E-1", Attempts: 3, RequestID: "r1",
	}
	slog.New(slog.NewJSONHandler(&out, nil)).Info("m", "err", e.WithText(planted, []byte(planted)))
	var got struct {
		Err map[string]any `json:"err"`
	}
	require.NoError(t, json.Unmarshal([]byte(out.String()), &got))
	assert.Equal(t, map[string]any{
		"error": e.Error(), "provider": "nafath", "op": "status", "kind": "rate_limited",
		"status": 429.0, "code": "E-1", "attempts": 3.0, "request_id": "r1",
	}, got.Err)
}
