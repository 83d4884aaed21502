package main

import (
	"context"
	"flag"
	"time"

	"github.com/kyckit/kyckit/auth"
)

func mintCommand() command {
	return command{
		name: "token mint", summary: "make a Smart Auth access token for one person",
		about:   "The token goes to the standard output and is good for its whole life: keep it out of logs.",
		example: []string{"kyckit token mint -issuer my-client-id -secret env:CAF_SECRET -person 00011122285 -ttl 5m"},
		setup: func(p *program, fs *flag.FlagSet) func(context.Context, []string) error {
			issuer := fs.String("issuer", "", "the client `id`, which becomes iss")
			ref := fs.String("secret", "", "the client secret "+refUsage)
			person := fs.String("person", "", "the person's `CPF`, which becomes personId")
			ttl := fs.Duration("ttl", 5*time.Minute, "how long the token lives, at most 24h")
			asJSON := fs.Bool("json", false, "print JSON with the time of its end")
			return func(_ context.Context, args []string) error {
				if err := none(args); err != nil {
					return err
				}
				secret, err := p.secret("secret", *ref)
				if err != nil {
					return err
				}
				minter, err := auth.NewMinter(auth.MinterConfig{Issuer: *issuer, Secret: secret})
				if err != nil {
					return usage("-issuer or -secret: %s", reasonOf(err))
				}
				token, err := minter.Mint(*person, *ttl)
				if err != nil {
					return usage("-person or -ttl: %s", reasonOf(err))
				}
				if *asJSON {
					p.line(map[string]any{"token": token.Access.Reveal(), "expires": token.Expiry.UTC().Format(time.RFC3339)})
				} else {
					p.printf("%s\n", token.Access.Reveal())
				}
				return nil
			}
		},
	}
}
