package main

import (
	"context"
	"maps"
	"net/http"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
	"golang.org/x/oauth2"

	"github.com/kyckit/kyckit/auth"
)

// instant answers every request at once, so that only the layer above costs.
type instant struct{ resp *http.Response }

func (i instant) RoundTrip(*http.Request) (*http.Response, error) { return i.resp, nil }

func (i instant) Do(*http.Request) (*http.Response, error) { return i.resp, nil }

// copied is the limit: the least that leaves the caller's request alone.
type copied struct {
	base   http.RoundTripper
	header []string
}

func (c copied) RoundTrip(req *http.Request) (*http.Response, error) {
	r := *req
	r.Header = make(http.Header, len(req.Header)+1)
	maps.Copy(r.Header, req.Header)
	r.Header["Authorization"] = c.header
	return c.base.RoundTrip(&r)
}

type azureTokens struct{ expiry time.Time }

func (a azureTokens) GetToken(context.Context, policy.TokenRequestOptions) (azcore.AccessToken, error) {
	return azcore.AccessToken{Token: tokenText, ExpiresOn: a.expiry}, nil
}

// roundTrip measures what attaching a bearer token adds to a request.
func roundTrip(cache *auth.Cache, x oauth2.TokenSource) group {
	base := instant{&http.Response{StatusCode: http.StatusOK, Body: http.NoBody}}
	own := auth.NewTransport(base, cache)
	peer := &oauth2.Transport{Source: x, Base: base}

	azure := runtime.NewPipeline("bench", "v1", runtime.PipelineOptions{
		PerRetry: []policy.Policy{runtime.NewBearerTokenPolicy(azureTokens{time.Now().Add(24 * time.Hour)}, []string{"scope"}, nil)},
	}, &policy.ClientOptions{
		Transport: base, Retry: policy.RetryOptions{MaxRetries: -1}, Telemetry: policy.TelemetryOptions{Disabled: true},
	})

	req, err := http.NewRequestWithContext(context.Background(), http.MethodGet, "https://kyc.example.test/", nil)
	must(err)
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", "bench")
	send := func(name string, rt http.RoundTripper) variant {
		return loop(name, func() error { _, err := rt.RoundTrip(req); return err }) //nolint:bodyclose // http.NoBody
	}
	return group{
		name: "token/roundtrip", title: "a request through the bearer transport, over a transport that answers at once",
		variants: []variant{
			send("limit: shallow copy with one more header", copied{base, []string{"Bearer " + tokenText}}),
			send("kyckit auth.NewTransport", own),
			send("x/oauth2 Transport", peer),
			loop("azcore pipeline with its bearer policy", func() error {
				r, err := runtime.NewRequest(context.Background(), http.MethodGet, "https://kyc.example.test/")
				if err != nil {
					return err
				}
				_, err = azure.Do(r) //nolint:bodyclose // http.NoBody
				return err
			}),
		},
	}
}
