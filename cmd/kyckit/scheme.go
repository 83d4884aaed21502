package main

import (
	"strings"

	"github.com/kyckit/kyckit/webhook"
)

// schemeNames are what -scheme takes.
const schemeNames = "standard-webhooks, stripe, github, slack or caf-connect"

func schemeOf(name string) (webhook.Scheme, error) {
	for _, s := range []webhook.Scheme{webhook.StandardWebhooks(), webhook.Stripe(), webhook.GitHub(), webhook.Slack(), webhook.CafConnect()} {
		if s.Name == strings.ToLower(name) {
			return s, nil
		}
	}
	return webhook.Scheme{}, usage("-scheme is %s", schemeNames)
}
