package nafath

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/kyckit/kyckit"
	"github.com/kyckit/kyckit/auth"
	"github.com/kyckit/kyckit/internal/transport"
)

const provider = "nafath"

// Config says how to reach Nafath. BaseURL and Auth are required; both are
// told to you by the provider and have no default.
type Config struct {
	// BaseURL is what the paths are appended to, for example
	// "https://api.example.sa". A path prefix and a trailing slash are fine. It
	// must be https, loopback aside.
	BaseURL string
	// Auth supplies the bearer token; usually auth.NewClientCredentials.
	Auth auth.Source
	// HTTP tunes the calls; the zero value is a good default.
	HTTP kyckit.HTTP
	// Paths overrides the documented paths, for a vendor that moved them.
	Paths Paths
	// NationalID is the rule for ids; the zero value accepts citizens and
	// residents.
	NationalID NationalIDRule
}

// Paths are the endpoints below BaseURL. An empty field means the documented
// path.
type Paths struct {
	// Request starts a verification. Default "/ExtNafath/request".
	Request string
	// Status reads the state of one. Default "/ExtNafath/status".
	Status string
	// Details reads the person. Default "/ExtNafath/details/{transId}"; the
	// place {transId} is required.
	Details string
}

// Client makes the three Nafath calls. It keeps no state between them and does
// not pace itself: use a Poller wherever more than one person may verify at a
// time. A Client is immutable and safe for concurrent use.
type Client struct {
	http  *transport.Client
	paths Paths
	ids   NationalIDRule
	log   *slog.Logger
}

// New validates cfg and returns a Client. The error is a *kyckit.Error of kind
// ErrInvalid that names the field.
func New(cfg Config) (*Client, error) {
	if transport.Missing(cfg.Auth) {
		return nil, transport.ConfigError(provider, "Auth", "is required")
	}
	paths, err := cfg.Paths.validate()
	if err != nil {
		return nil, err
	}
	ids, err := cfg.NationalID.validate()
	if err != nil {
		return nil, err
	}
	c, err := transport.New(transport.Config{
		Provider:  provider,
		BaseURL:   cfg.BaseURL,
		HTTP:      cfg.HTTP,
		Authorize: func(rt http.RoundTripper) http.RoundTripper { return auth.NewTransport(rt, cfg.Auth) },
		Explain:   explain,
		Refused:   refused,
	})
	if err != nil {
		return nil, err
	}
	log := cfg.HTTP.Logger
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &Client{http: c, paths: paths, ids: ids, log: log}, nil
}

func (p Paths) validate() (Paths, error) {
	for _, f := range []struct {
		name  string
		value *string
		def   string
		ids   int
	}{
		{"Paths.Request", &p.Request, "/ExtNafath/request", 0},
		{"Paths.Status", &p.Status, "/ExtNafath/status", 0},
		{"Paths.Details", &p.Details, "/ExtNafath/details/{transId}", 1},
	} {
		*f.value = cmp.Or(*f.value, f.def)
		if err := transport.CheckPath(provider, f.name, *f.value, f.ids); err != nil {
			return p, err
		}
	}
	return p, nil
}

// Request starts a verification: the person's phone shows a prompt. The
// returned Transaction holds the code that this person, and nobody else, must
// be shown.
//
// Request is never repeated by the SDK. An error of kind ErrOutcomeUnknown
// means that the prompt may be on the phone. No call finds that verification
// again: let the person dismiss the prompt, or let it expire, before you ask
// anew. ErrRateLimited (10 a minute per tenant) and the other kinds mean that
// nothing was started. ErrConflict means that this person has an open
// verification already, which they must finish or dismiss in their app.
func (c *Client) Request(ctx context.Context, nationalID string) (Transaction, error) {
	if err := c.check("request"); err != nil {
		return Transaction{}, err
	}
	id, ok := c.ids.normalise(nationalID)
	if !ok {
		return Transaction{}, errNationalID("request")
	}
	return c.request(ctx, id, retried)
}

// tries says who decides about another try of a call that failed.
type tries int

const (
	retried tries = iota // the client, by its retry policy
	once                 // the caller
)

// check reports a Client that New did not make.
func (c *Client) check(op string) error {
	if c == nil || c.http == nil {
		return transport.InputError(provider, op, "the Client was not made by New")
	}
	return nil
}

// request makes the call for an id that was normalised.
func (c *Client) request(ctx context.Context, id string, t tries) (_ Transaction, err error) {
	ctx, end := c.http.Scope(ctx)
	defer end(&err)
	body, err := transport.JSONBody(map[string]string{"nationalId": id})
	if err != nil {
		return Transaction{}, err
	}
	resp, err := c.http.Do(ctx, &transport.Call{
		Op: "request", Method: http.MethodPost, Path: c.paths.Request, Body: body, Once: t == once,
	})
	if err != nil {
		return Transaction{}, unsure(err)
	}
	var result struct {
		TransID text `json:"transId"`
		Random  text `json:"random"`
	}
	if err := decode(resp, &result); err != nil {
		return Transaction{}, err
	}
	if result.TransID == "" || result.Random == "" {
		return Transaction{}, resp.Fail(kyckit.ErrDecode, "transId or random is missing", transport.Explanation{})
	}
	return Transaction{
		TransID: string(result.TransID), Random: string(result.Random), NationalID: id, CreatedAt: time.Now(),
	}, nil
}

// unsure makes sure that a 5xx to a creation leaves the outcome unknown,
// whatever code came along.
func unsure(err error) error {
	var e *kyckit.Error
	if errors.As(err, &e) && e.StatusCode >= http.StatusInternalServerError && !errors.Is(err, kyckit.ErrOutcomeUnknown) && !noToken(e) {
		e.Kind, e.Err = kyckit.ErrOutcomeUnknown, errors.Join(kyckit.ErrUnavailable, e.Kind)
	}
	return err
}

// Status reads the state of a verification once. It is retried on transient
// failures. Limit: 60 a minute per tenant. A status that this SDK does not know
// is returned as it is and is not terminal.
func (c *Client) Status(ctx context.Context, tx Transaction) (Status, error) {
	if err := c.check("status"); err != nil {
		return "", err
	}
	id, ok := c.ids.normalise(tx.NationalID)
	switch {
	case !ok:
		return "", errNationalID("status")
	case tx.TransID == "":
		return "", transport.InputError(provider, "status", "the transaction has no TransID")
	case tx.Random == "":
		return "", transport.InputError(provider, "status", "the transaction has no Random")
	}
	tx.NationalID = id
	return c.status(ctx, tx, retried)
}

// status makes the call for a transaction that was checked and normalised.
func (c *Client) status(ctx context.Context, tx Transaction, t tries) (_ Status, err error) {
	ctx, end := c.http.Scope(ctx)
	defer end(&err)
	body, err := transport.JSONBody(statusRequest{tx.TransID, tx.Random, tx.NationalID})
	if err != nil {
		return "", err
	}
	resp, err := c.http.Do(ctx, &transport.Call{
		Op: "status", Method: http.MethodPost, Path: c.paths.Status, Body: body, Repeatable: true, Once: t == once,
	})
	if err != nil {
		return "", err
	}
	return decodeStatus(resp, tx.TransID)
}

// statusRequest holds the three fields that the endpoint requires.
type statusRequest struct {
	TransID    string `json:"transId"`
	Random     string `json:"random"`
	NationalID string `json:"nationalId"`
}

// Details reads the verified person after StatusCompleted. It is retried on
// transient failures. Limit: 30 a minute per tenant. Details of another
// transaction are ErrDecode and ErrIdentityMismatch. It does not know who was
// asked for: compare IDNumber before you call anyone verified, as Poller.Verify
// does.
//
// A transID opens a person's data: keep it on the server, bound to the login
// that began the verification.
func (c *Client) Details(ctx context.Context, transID string) (*Details, error) {
	if err := c.check("details"); err != nil {
		return nil, err
	}
	return c.details(ctx, transID, retried)
}

func (c *Client) details(ctx context.Context, transID string, t tries) (_ *Details, err error) {
	ctx, end := c.http.Scope(ctx)
	defer end(&err)
	resp, err := c.http.Do(ctx, &transport.Call{
		Op: "details", Method: http.MethodGet, Path: c.paths.Details, Args: []string{transID}, Repeatable: true, Once: t == once,
	})
	if err != nil {
		return nil, err
	}
	var d Details
	if err := decode(resp, &d); err != nil {
		return nil, err
	}
	if d.TransID == "" || d.IDNumber == "" {
		e := resp.Fail(kyckit.ErrDecode, "transId or idNumber is missing", transport.Explanation{})
		e.Err = errNobody
		return nil, e
	}
	if !sameTransID(d.TransID, transID) {
		e := resp.Fail(kyckit.ErrDecode, "the details are those of another transaction", transport.Explanation{})
		e.Err = ErrIdentityMismatch
		return nil, e
	}
	d.Raw = json.RawMessage(bytes.Clone(resp.Body))
	return &d, nil
}
