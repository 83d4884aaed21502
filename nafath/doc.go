// Package nafath verifies people in Saudi Arabia through Nafath, the national
// identity service, behind an intermediary that offers three calls and one
// webhook.
//
//	source, err := auth.NewClientCredentials(auth.ClientCredentialsConfig{
//		TokenURL: "https://api.example.sa/oauth/token", ClientID: id, ClientSecret: secret,
//	})
//	client, err := nafath.New(nafath.Config{BaseURL: "https://api.example.sa", Auth: source})
//	poller, err := nafath.NewPoller(nafath.PollerConfig{Client: client})
//	defer poller.Close()
//
//	details, err := poller.Verify(ctx, nationalID, func(tx nafath.Transaction) {
//		show(tx.Random) // to this person alone, who confirms it on the phone
//	})
//	switch {
//	case errors.Is(err, nafath.ErrRejected), errors.Is(err, nafath.ErrExpired): // offer to try again
//	case errors.Is(err, kyckit.ErrOutcomeUnknown): // the prompt may be on the phone: do not ask again at once
//	}
//
// # Client and Poller
//
// The provider's limits are per tenant and minute: 10 verifications, 60 status
// checks, 30 details. A loop per person at the advised 2 to 3 seconds exceeds
// them as soon as three people verify at once. Use one [Poller] per tenant and
// process: it owns the limits and checks the verification that is most likely
// to have finished. [Client] makes single calls, unpaced.
//
// # What must not be done
//
//   - Do not repeat a request whose outcome is unknown: it prompts a real phone.
//   - Do not hand a Transaction to anybody but the login that began it: whoever
//     sees the code can make the person approve something else.
//   - Do not call anyone verified on StatusCompleted or on a webhook alone:
//     read the details and compare the id, as [Poller.Verify] does.
//
// # Errors, retries, logs
//
// Errors are *kyckit.Error. Status, Details and token calls are retried;
// Request never is. Nothing personal is logged; see kyckit.HTTP.
//
// # Documented and assumed
//
//	documented by the provider              assumed here
//	token call, 3 calls, their fields       success is 2xx and an envelope statusCode that is absent or 2xx
//	five states                             case does not matter; an unknown state is not final
//	limits of 10, 60, 30 a minute           counted over any 60 s
//	HTTP 400, 401, 404, 422, 429            403, 409, 5xx as usual; codes like 400-034-051 in messages
//	details answered bare                   the envelope is accepted too
//	webhook Type, TransId, Status           sent more than once, late, or never
//	2 to 5 minutes to wait                  5 minutes by default
//
// Both base URLs, webhook signatures and certificates are not documented: they
// are configuration.
package nafath
