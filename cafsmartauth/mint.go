package cafsmartauth

import (
	"time"

	"github.com/kyckit/kyckit"
	"github.com/kyckit/kyckit/auth"
	"github.com/kyckit/kyckit/internal/transport"
)

const opMint = "mint"

// Mint returns an access token for one person, to be handed to the app. It is
// built locally: no call is made. personID is a CPF, bare or punctuated; it is
// sent as [Config.CPFForm] says. ttl is from one second to [Config.MaxTTL]; a
// few minutes are enough for one run of the SDK, and nobody can take a token
// back.
//
// Give each person their own token: it cannot be used for anybody else. The
// error is a *kyckit.Error of kind [kyckit.ErrInvalid].
func (c *Client) Mint(personID string, ttl time.Duration) (auth.Token, error) {
	if err := c.made(opMint); err != nil {
		return auth.Token{}, err
	}
	var room cpfRoom
	person, reason := c.person(room[:0], personID)
	if reason != "" {
		return auth.Token{}, transport.InputError(provider, opMint, "personID "+reason)
	}
	t, err := c.minter.Mint(string(person), ttl)
	return t, mintError(err)
}

// MintAllUsersTestToken returns an access token without a personId, which lets
// whoever holds it act as any person. The provider documents it for tests only;
// never hand one to an app in production. Unless Config.AllowAllUsersTestToken is
// set it mints none and fails with [kyckit.ErrInvalid]. ttl and other errors are
// those of Mint.
func (c *Client) MintAllUsersTestToken(ttl time.Duration) (auth.Token, error) {
	if err := c.made(opMint); err != nil {
		return auth.Token{}, err
	}
	if !c.allUsers {
		return auth.Token{}, transport.InputError(provider, opMint, "a token for all users needs Config.AllowAllUsersTestToken")
	}
	t, err := c.minter.MintUnbound(ttl)
	return t, mintError(err)
}

// mintError names this package in an error of the minter. After the CPF was
// checked only the lifetime can be wrong.
func mintError(err error) error {
	if err == nil {
		return nil
	}
	return &kyckit.Error{Provider: provider, Op: opMint, Kind: kyckit.ErrInvalid, Reason: "ttl must be from one second to MaxTTL"}
}

// Minted returns how many tokens were minted for apps so far, for a metric.
func (c *Client) Minted() uint64 {
	if c == nil {
		return 0
	}
	return c.minter.Minted()
}
