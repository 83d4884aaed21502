package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/kyckit/kyckit/faceki"
	"github.com/kyckit/kyckit/faceki/facekitest"
)

func delivered(status int, err error) error {
	if err == nil && status != http.StatusOK {
		err = fmt.Errorf("the webhook was answered with %d", status)
	}
	return err
}

// finish is a verification that ends at once.
func finish(d faceki.Decision) person {
	return func(ctx context.Context, fake *facekitest.Server, link, url string) error {
		fake.SetDecision(d)
		return delivered(fake.Deliver(ctx, url, fake.Completed(fake.CompleteLink(link))))
	}
}

// review is one that somebody in the portal decides.
func review(ctx context.Context, fake *facekitest.Server, link, url string) error {
	fake.SetDecision(faceki.DecisionReview)
	id := fake.CompleteLink(link)
	if err := delivered(fake.Deliver(ctx, url, fake.Completed(id))); err != nil {
		return err
	}
	fake.ChangeDecision(id, faceki.DecisionApproved, "desk@portal.test")
	return delivered(fake.Deliver(ctx, url, fake.Changed(id)))
}

// forge declines the person, who has learned the address and says otherwise.
func forge(ctx context.Context, fake *facekitest.Server, link, url string) error {
	fake.SetDecision(faceki.DecisionDeclined)
	body, err := json.Marshal(map[string]string{"requestId": fake.CompleteLink(link), "status": "ACCEPTED"})
	if err != nil {
		return err
	}
	return delivered(fake.Deliver(ctx, url, body))
}

// lose is a verification whose webhook never arrives.
func lose(_ context.Context, fake *facekitest.Server, link, _ string) error {
	fake.CompleteLink(link)
	return nil
}
