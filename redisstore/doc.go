// Package redisstore keeps on Redis what several replicas of one tenant share:
// which deliveries were handled, the provider's token, wake-ups, and the budget of
// calls.
//
//	store, err := redisstore.New(redisstore.Config{
//		Client: redis.NewClient(&redis.Options{Addr: "localhost:6379"}),
//		Tenant: "nafath",
//		Key:    kyckit.NewSecret(key), // 32 random bytes, the same at all replicas
//	})
//	tokens := store.Tokens(login)                                 // one login for all
//	handler, err := webhook.NewHandler(webhook.HandlerConfig{Claims: store.Claims()}) // each delivery once
//	poller, err := nafath.NewPoller(nafath.PollerConfig{
//		Client: client, Budget: store.Budget(), Replicas: 4, // one budget of calls
//		Signals: store.Signals(), // wakes the replica that waits
//	})
//
// It is a module of its own, so that the SDK itself does not depend on go-redis.
// Redis 7 and Valkey work unchanged, alone, as a cluster, or as a Ring.
//
// # What the store holds
//
// No personal data: ids and the keys of deliveries are digests under Config.Key,
// tokens are encrypted with it. Every key begins with the prefix and the tenant,
// and has a time to live. All keys of a tenant are on one node of a cluster.
//
//	prefix:{tenant}:claim:…         one a delivery, for as long as the handler keeps it
//	prefix:{tenant}:token           the token, for as long as it lives
//	prefix:{tenant}:token:lease     who logs in, 5 s; or a refusal, 60 s at most
//	prefix:{tenant}:token:refusals  how many in a row, 3 minutes
//	prefix:{tenant}:signals         a channel
//	prefix:{tenant}:budget          bids, replicas, counts of how long people take to act, an hour
//	prefix:{tenant}:calls           the calls of the last minute and a half, an hour
//	prefix:{tenant}:answer:…        the last answer to each replica, a minute
//	prefix:{tenant}:person:…        one a person with an open verification, for as long as that may last
//
// # When the store fails
//
// No call outlasts its context, whatever the timeouts of the client are. A claim
// fails, so that the sender tries again; the replica logs in alone; a signal is
// lost, which costs a polling delay; the poller goes on with its static share. Each script can run twice without harm, since
// the client repeats one whose answer was lost. [Store.Check] tells at start-up
// whether the store is reached, whether the rights suffice, and whether its
// eviction policy loses nothing.
//
// # Errors
//
// Errors are *kyckit.Error with Provider "redisstore", Op "claim", "commit",
// "release", "publish", "token", "bid", "leave", "hold", "free", "check" or "config". Code is the word that Redis begins
// an error with, such as OOM or NOPERM; no other text of it is kept.
//
//	kyckit.ErrInvalid      a wrong configuration, or an eviction policy that loses keys
//	kyckit.ErrForbidden    the user lacks rights
//	kyckit.ErrUnavailable  the store fails or does not answer in time
package redisstore
