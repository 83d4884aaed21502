package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
	"github.com/stripe/stripe-go/v85"

	"github.com/kyckit/kyckit"
	"github.com/kyckit/kyckit/auth"
	"github.com/kyckit/kyckit/nafath"
)

const callURL = "https://api.example.test"

// answering answers every request with one body.
type answering struct{ body []byte }

func (a answering) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body != nil {
		_, _ = io.Copy(io.Discard, r.Body)
		_ = r.Body.Close()
	}
	return &http.Response{
		StatusCode: http.StatusOK, Status: "200 OK", Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header:        http.Header{"Content-Type": {"application/json"}},
		ContentLength: int64(len(a.body)), Body: io.NopCloser(bytes.NewReader(a.body)), Request: r,
	}, nil
}

// call measures a whole call: encode, retry layer, bearer, send, decode. The
// network costs nothing, so what is left is the SDK's own.
func call() ([]group, error) {
	network := waiting()
	ours, err := kyckitCall("kyckit nafath.Status", network, nil)
	if err != nil {
		return nil, err
	}
	ctx := context.Background()
	return []group{{
		name: "call", title: "one JSON call through each SDK, over a transport that answers at once",
		variants: []variant{bareCall(ctx, network), ours, azureCall(ctx, network), stripeCall(ctx)},
	}}, nil
}

// waiting answers as the status endpoint of Nafath does before the person has.
func waiting() answering {
	return answering{[]byte(`{"version":null,"statusCode":200,"messages":["Processed successfully"],"result":{"status":"WAITING"}}`)}
}

func kyckitCall(name string, network http.RoundTripper, trace *kyckit.Trace) (variant, error) {
	client, err := nafath.New(nafath.Config{
		BaseURL: callURL, Auth: auth.Static(kyckit.NewSecret("token")),
		HTTP: kyckit.HTTP{Client: &http.Client{Transport: network}, Trace: trace},
	})
	if err != nil {
		return variant{}, err
	}
	tx := nafath.Transaction{TransID: "trans-1", Random: "07", NationalID: "1000000008"}
	ctx := context.Background()
	return loop(name, func() error {
		s, err := client.Status(ctx, tx)
		if err == nil && s != nafath.StatusWaiting {
			err = fmt.Errorf("unexpected status")
		}
		return err
	}), nil
}

// statusCall is the request of the hand-written and the azcore variant.
type statusCall struct {
	TransID    string `json:"transId"`
	Random     string `json:"random"`
	NationalID string `json:"nationalId"`
}

type statusAnswer struct {
	StatusCode int      `json:"statusCode"`
	Messages   []string `json:"messages"`
	Result     struct {
		Status string `json:"status"`
	} `json:"result"`
}

var statusInput = statusCall{"trans-1", "07", "1000000008"}

// bareCall is the base: net/http and encoding/json, without retries, limits or
// typed errors.
func bareCall(ctx context.Context, network http.RoundTripper) variant {
	client := &http.Client{Transport: network}
	return loop("bare http.Client", func() error {
		body, err := json.Marshal(statusInput)
		if err != nil {
			return err
		}
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, callURL+"/ExtNafath/status", bytes.NewReader(body))
		if err != nil {
			return err
		}
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("Accept", "application/json")
		req.Header.Set("User-Agent", "bench")
		req.Header.Set("Authorization", "Bearer token")
		resp, err := client.Do(req)
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		raw, err := io.ReadAll(resp.Body)
		if err != nil {
			return err
		}
		var out statusAnswer
		return json.Unmarshal(raw, &out)
	})
}

type fixedCredential struct{ token azcore.AccessToken }

func (c fixedCredential) GetToken(context.Context, policy.TokenRequestOptions) (azcore.AccessToken, error) {
	return c.token, nil
}

func azureCall(ctx context.Context, network http.RoundTripper) variant {
	credential := fixedCredential{azcore.AccessToken{Token: "token", ExpiresOn: time.Now().Add(24 * time.Hour)}}
	pipeline := runtime.NewPipeline("bench", "v1", runtime.PipelineOptions{
		PerRetry: []policy.Policy{runtime.NewBearerTokenPolicy(credential, []string{"all"}, nil)},
	}, &policy.ClientOptions{Transport: &http.Client{Transport: network}})
	return loop("azcore pipeline", func() error {
		req, err := runtime.NewRequest(ctx, http.MethodPost, callURL+"/ExtNafath/status")
		if err != nil {
			return err
		}
		if err := runtime.MarshalAsJSON(req, statusInput); err != nil {
			return err
		}
		resp, err := pipeline.Do(req)
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		var out statusAnswer
		return runtime.UnmarshalAsJSON(resp, &out)
	})
}

func stripeCall(ctx context.Context) variant {
	network := answering{[]byte(`{"id":"cus_1","object":"customer","name":"Sample","email":"sample@example.test"}`)}
	client := stripe.NewClient("sk_test_made_up", stripe.WithBackends(stripe.NewBackendsWithConfig(&stripe.BackendConfig{
		HTTPClient:      &http.Client{Transport: network},
		LeveledLogger:   &stripe.LeveledLogger{Level: stripe.LevelNull},
		EnableTelemetry: new(false),
	})))
	return loop("stripe-go", func() error {
		_, err := client.V1Customers.Update(ctx, "cus_1", &stripe.CustomerUpdateParams{
			Name: stripe.String("Sample"), Email: stripe.String("sample@example.test"), Phone: stripe.String("100"),
		})
		return err
	})
}
