package nafath_test

import (
	"context"
	"encoding/json"
	"math"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kyckit/kyckit"
	"github.com/kyckit/kyckit/auth"
	"github.com/kyckit/kyckit/kyctest"
	"github.com/kyckit/kyckit/nafath"
	"github.com/kyckit/kyckit/nafath/nafathtest"
)

func TestPollerConfigIsChecked(t *testing.T) {
	fake := nafathtest.NewServer(nafathtest.Config{})
	defer fake.Close()
	client, err := nafath.New(fake.ClientConfig())
	require.NoError(t, err)
	for field, cfg := range map[string]nafath.PollerConfig{
		"Client":              {},
		"Limits.Requests":     {Client: client, Limits: nafath.Limits{Requests: -1}},
		"Limits.StatusChecks": {Client: client, Limits: nafath.Limits{StatusChecks: 1_000_000}},
		"Limits.Details":      {Client: client, Limits: nafath.Limits{Details: -5}},
		"Remember":            {Client: client, Remember: -1},
		"Timeout":             {Client: client, Timeout: -time.Second},
		"Client is":           {Client: &nafath.Client{}},
		"MinInterval":         {Client: client, MinInterval: -1},
	} {
		_, err := nafath.NewPoller(cfg)
		require.ErrorIs(t, err, kyckit.ErrInvalid)
		assert.ErrorContains(t, err, field+" ")
	}
	_, err = nafath.NewPoller(nafath.PollerConfig{Client: client, Timeout: time.Second, MinInterval: 2 * time.Second})
	require.ErrorContains(t, err, "MinInterval")
	poller, err := nafath.NewPoller(nafath.PollerConfig{Client: client, Timeout: time.Second})
	require.NoError(t, err, "a default gives way to what was asked for")
	require.NoError(t, poller.Close())
}

func TestPollerSurvivesHugeTimes(t *testing.T) {
	for name, change := range map[string]func(*nafath.PollerConfig){
		"timeout":  func(c *nafath.PollerConfig) { c.Timeout = math.MaxInt64 },
		"interval": func(c *nafath.PollerConfig) { c.Timeout, c.MinInterval = math.MaxInt64, math.MaxInt64 },
	} {
		t.Run(name, func(t *testing.T) {
			inTenant(t, nafathtest.Config{Lifetime: time.Hour}, change, func(t *testing.T, tt tenant) {
				for _, created := range []time.Time{time.Now(), {}, time.Unix(0, 0), time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)} {
					tx := tt.create(t, citizen)
					tx.CreatedAt = created
					before := tt.Count("status")
					ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
					_, err := tt.poller.Wait(ctx, tx)
					cancel()
					require.ErrorIs(t, err, context.DeadlineExceeded, "it is far from its end")
					assert.Equal(t, name == "timeout", tt.Count("status") > before)
				}
			})
		})
	}
	inTenant(t, nafathtest.Config{Lifetime: time.Hour}, nil, func(t *testing.T, tt tenant) {
		tx := tt.create(t, citizen)
		tx.CreatedAt = time.Date(1, 1, 2, 0, 0, 0, 0, time.UTC)
		_, err := tt.poller.Wait(t.Context(), tx)
		require.ErrorIs(t, err, nafath.ErrTimeout)
		assert.Equal(t, 1, tt.Count("status"))
	})
}

func TestConfigurationIsRefused(t *testing.T) {
	fake := nafathtest.NewServer(nafathtest.Config{})
	defer fake.Close()
	good := fake.ClientConfig()
	for field, change := range map[string]func(*nafath.Config){
		"BaseURL":                func(c *nafath.Config) { c.BaseURL = "" },
		"BaseURL must be https":  func(c *nafath.Config) { c.BaseURL = "http://api.example.com" },
		"Auth":                   func(c *nafath.Config) { c.Auth = nil },
		"Auth is required":       func(c *nafath.Config) { c.Auth = (*auth.Cache)(nil) },
		"Auth is":                func(c *nafath.Config) { c.Auth = auth.SourceFunc(nil) },
		"Paths.Request":          func(c *nafath.Config) { c.Paths.Request = "request" },
		"Paths.Status":           func(c *nafath.Config) { c.Paths.Status = "/../status" },
		"Paths.Details":          func(c *nafath.Config) { c.Paths.Details = "/details" },
		"NationalID.Prefixes":    func(c *nafath.Config) { c.NationalID.Prefixes = "1x" },
		"HTTP.Retry.MaxAttempts": func(c *nafath.Config) { c.HTTP.Retry.MaxAttempts = -1 },
		"HTTP.MaxResponseBytes":  func(c *nafath.Config) { c.HTTP.MaxResponseBytes = -1 },
	} {
		cfg := good
		change(&cfg)
		_, err := nafath.New(cfg)
		require.ErrorIs(t, err, kyckit.ErrInvalid, field)
		assert.Contains(t, err.Error(), field)
	}
}

func TestPathsAndPrefixes(t *testing.T) {
	s := kyctest.NewServer(kyctest.Options{})
	defer s.Close()
	s.Handle("POST /gw/start", "start", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte(`{"result":{"transId":"a b","random":"1"}}`))
	})
	s.Handle("GET /gw/person/{id}/all", "person", func(w http.ResponseWriter, r *http.Request) {
		_ = json.NewEncoder(w).Encode(map[string]string{"transId": r.PathValue("id"), "idNumber": citizen})
	})
	fake := nafathtest.NewServer(nafathtest.Config{})
	defer fake.Close()
	cfg := fake.ClientConfig()
	cfg.BaseURL, cfg.Paths = s.URL+"/gw/", nafath.Paths{Request: "/start", Details: "/person/{transId}/all"}
	client, err := nafath.New(cfg)
	require.NoError(t, err)
	tx, err := client.Request(t.Context(), citizen)
	require.NoError(t, err)
	d, err := client.Details(t.Context(), tx.TransID)
	require.NoError(t, err)
	assert.Equal(t, "a b", d.TransID)
}
