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
// # The Poller
//
// It sends no more than the limits allow in any 60 s, by the server's count, and
// spaces calls evenly. Right after a restart it cannot know what its predecessor
// used, so a request may meet a 429 then, and is made again; PollerConfig.Fresh
// says that there was none. Each status check goes to the verification with the
// highest product of the time since it was last seen open and the chance that it
// ended in that time. The chance is learned as people answer, and nobody waits
// longer than max(6 s, 3 x pending x 60 s / limit). After a 429, which means that
// somebody else uses the limits, it pauses and slows down for a while.
//
// A webhook, handed to [Poller.HandleWebhook] or [Poller.Notify], asks for a
// check and is no proof. Forged ones cost next to nothing. While webhooks
// announce nearly every answer, a third of the checks is spent, and who waits
// without one may wait three times as long; when they stop, the full rate is
// back within two minutes.
//
// At 10 verifications a minute, the Poller notices an approval after 4.2 s in the
// mean and 95 % within 10 s; no policy can beat 3.2 s, and a loop for each
// verification takes 48 s and meets 39 429s each. With webhooks that come within
// 2 s the mean is 1.4 s at 20 checks a minute. An open verification takes about
// 0.6 KiB, a check about 40 microseconds of CPU beside the call itself at a
// thousand open ones. The README of the benchmarks has the tables.
//
// # In several processes
//
// Processes that serve one tenant share its limits through PollerConfig.Budget: each
// call goes to the process to which it is worth most, and a process whose store does
// not answer goes on with its static share. PollerConfig.Signals wakes the process that
// waits when a webhook lands on another. Module redisstore has both. Without them
// give each process its part of the limits.
//
// # In a backend with pages
//
// [Poller.Begin] starts a verification that belongs to the Poller and to no HTTP
// request. Its handle tells any number of followers, by [Verification.Updates],
// the place in the queue, the code, each status, and the compared details; they
// cost one details call together. Keep the handle under the session that began.
// A person has one verification at a time: a second Begin is refused before
// anything is sent. Demand a login, limit by login before you begin, and hand the
// login to [Poller.BeginAs], so that none can fill the queue.
//
// Store each transaction when Updates first tells of it, before you show its code
// ([Sealer] encrypts it). After a restart, [Poller.Continue] goes on with it, to
// the compared details; [Poller.Add] only watches. At shutdown, [Poller.Drain]
// prompts nobody any more and serves what is open.
//
// The example "Store" keeps a row for each verification so that a process may die
// at any instruction: the row is begun before Begin, open with the sealed
// transaction before the code is shown, and ended before the outcome is shown.
// Processes hold their rows by leases. What a dead process had open, another
// continues; what it had only begun becomes unknown, which is shown like
// kyckit.ErrOutcomeUnknown: there may be a prompt, nobody has its code, and the
// person decides whether to begin again.
//
// A script needs none of that: [Poller.Verify] runs one verification,
// [Poller.Resume] finishes a stored one.
//
// Verifications that ended are remembered for a late [Poller.Wait]; a final
// status never changes. PollerConfig.OnStatus and OnEnd tell of all transactions,
// PollerConfig.OnNotice and [Poller.Stats] are for metrics.
//
// # What must not be done
//
//   - Do not repeat a request whose outcome is unknown: it prompts a real phone.
//     Let the person dismiss the prompt, or let it expire, first.
//   - Do not hand a Transaction to anybody but the login that began it: whoever
//     sees the code can make the person approve something else.
//   - Do not call anyone verified on StatusCompleted or on a webhook alone:
//     the details must name the person, as [Poller.Verify] and [Poller.Resume]
//     make sure.
//
// # Errors, retries, logs
//
// Errors are *kyckit.Error: of the kinds of package kyckit, of [ErrRejected] and
// its like, or of the context's error. Status, Details and token calls are
// retried; Request never is, but for a 429 and one refused token in the Poller:
// those were not accepted. With HTTP.Logger each try is one debug record, as
// [kyckit.HTTP] says. Nothing personal is logged.
//
// # Documented and assumed
//
//	documented by the provider              assumed here
//	token call, 3 calls, their fields       success is 2xx and an envelope statusCode that is absent or 2xx
//	five states                             case does not matter; an unknown state is not final
//	limits of 10, 60, 30 a minute           counted over any 60 s
//	HTTP 400, 401, 404, 422, 429            403, 409, 5xx as usual; codes like 400-034-051 in messages
//	details answered bare                   the envelope is accepted too
//	nationalId, a string                    ten digits, the first 1 or 2; Luhn off; see NationalIDRule
//	random, a string                        a number is read too
//	webhook Type, TransId, Status           sent more than once, late, or never
//	2 to 5 minutes to wait                  5 minutes by default
//
// Both base URLs, webhook signatures and certificates are not documented: they
// are configuration. The provider's console also offers PUT and PATCH for
// webhooks: set webhook.HandlerConfig.Methods to what was chosen there.
package nafath
