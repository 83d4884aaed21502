package redisstore_test

import (
	"context"
	"log"
	"net/http"

	"github.com/redis/go-redis/v9"

	"github.com/kyckit/kyckit"
	"github.com/kyckit/kyckit/auth"
	"github.com/kyckit/kyckit/nafath"
	"github.com/kyckit/kyckit/redisstore"
	"github.com/kyckit/kyckit/webhook"
)

// One Store a tenant, at each of its replicas.
func Example() {
	var key, clientSecret, hookSecret kyckit.Secret // from where the replicas keep their secrets
	login, err := auth.NewClientCredentials(auth.ClientCredentialsConfig{
		TokenURL: "https://kyc.example.com/oauth/token", ClientID: "id", ClientSecret: clientSecret,
	})
	if err != nil {
		log.Print(err)
		return
	}
	store, err := redisstore.New(redisstore.Config{
		Client: redis.NewClient(&redis.Options{Addr: "redis.internal:6379"}),
		Tenant: "nafath",
		Key:    key, // 32 random bytes
	})
	if err != nil {
		log.Print(err)
		return
	}
	if err := store.Check(context.Background()); err != nil {
		log.Print(err) // not reached, too few rights, or a Redis that evicts
	}

	// One login for all replicas.
	client, err := nafath.New(nafath.Config{BaseURL: "https://kyc.example.com", Auth: store.Tokens(login)})
	if err != nil {
		log.Print(err)
		return
	}
	// The tenant's limits and wake-ups, shared by all of them.
	poller, err := nafath.NewPoller(nafath.PollerConfig{
		Client:   client,
		Budget:   store.Budget(),
		Replicas: 9, // at most: eight, and one more while a deployment replaces them
		Signals:  store.Signals(),
	})
	if err != nil {
		log.Print(err)
		return
	}
	// Each delivery is handled once, wherever its copies land.
	sender, err := webhook.NewHMAC(webhook.HMACConfig{Scheme: webhook.StandardWebhooks(), Secrets: []kyckit.Secret{hookSecret}})
	if err != nil {
		log.Print(err)
		return
	}
	handler, err := webhook.NewHandler(webhook.HandlerConfig{Authenticate: sender, Claims: store.Claims(), Handle: poller.HandleWebhook})
	if err != nil {
		log.Print(err)
		return
	}
	http.Handle("/webhooks/nafath", handler)
}
