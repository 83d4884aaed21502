package main

import (
	"context"
	"flag"
	"time"

	"github.com/kyckit/kyckit/cafsmartauth"
)

func attestationCommand() command {
	return command{
		name: "token verify", args: "@file|-", summary: "verify a Smart Auth attestation for one person and policy",
		about:   "The attestation is verified as the SDK verifies it: every claim, and never an access token in its place.",
		example: []string{"kyckit token verify -secret env:CAF_SECRET -person 00011122285 -policy login @attestation"},
		setup: func(p *program, fs *flag.FlagSet) func(context.Context, []string) error {
			ref := fs.String("secret", "", "the client secret "+refUsage)
			person := fs.String("person", "", "the person's `CPF`")
			policy := fs.String("policy", "", "the policy's `id`")
			asJSON := fs.Bool("json", false, "print JSON")
			return func(_ context.Context, args []string) error {
				token, err := p.token(args)
				if err != nil {
					return err
				}
				secret, err := p.secret("secret", *ref)
				if err != nil {
					return err
				}
				client, err := cafsmartauth.New(cafsmartauth.Config{ClientID: "kyckit", ClientSecret: secret, BaseURL: "https://127.0.0.1"})
				if err != nil {
					return usage("-secret: %s", reasonOf(err))
				}
				if *person == "" || *policy == "" {
					return usage("-person and -policy are required")
				}
				a, err := client.VerifyAttestation(token, cafsmartauth.Expected{PersonID: *person, PolicyID: *policy})
				if err != nil {
					return p.refusedAttestation(err, *asJSON)
				}
				if *asJSON {
					p.line(map[string]any{"result": "ok", "attemptId": a.AttemptID, "newContext": a.IsNewContext != nil && *a.IsNewContext, "expires": a.ExpiresAt.UTC().Format(time.RFC3339)})
				} else {
					p.printf("ok: attempt %s, good for another %s\n", visible(a.AttemptID), time.Until(a.ExpiresAt).Round(time.Second))
				}
				return nil
			}
		},
	}
}

// refusedAttestation prints why an attestation is refused.
func (p *program) refusedAttestation(err error, asJSON bool) error {
	reason := reasonOf(err)
	if asJSON {
		p.line(map[string]string{"result": "refused", "reason": reason})
	} else {
		p.printf("%s: %s\n", p.paint(p.stdout, red, "refused"), reason)
	}
	return errFinding
}
