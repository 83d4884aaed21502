package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"

	"github.com/redis/go-redis/v9"

	"github.com/kyckit/kyckit"
	"github.com/kyckit/kyckit/nafath"
	"github.com/kyckit/kyckit/redisstore"
)

// shared is what several processes share on Redis beside the database: which
// webhooks were handled, the provider's token, and wake-ups for the process that
// follows a verification whose webhook came to another.
type shared struct {
	*redisstore.Store
	client *redis.Client
}

// openShared opens "redis://…" or "host:port". A Redis that does not answer is no
// reason not to start: each process then works alone, and webhooks are tried again.
func openShared(ctx context.Context, log *slog.Logger, where string, k keys) (*shared, error) {
	options := &redis.Options{Addr: where}
	if strings.Contains(where, "://") {
		var err error
		if options, err = redis.ParseURL(where); err != nil {
			return nil, errors.New("-redis: not an address of Redis") // the error may quote the URL and its password
		}
	}
	client := redis.NewClient(options)
	store, err := redisstore.New(redisstore.Config{Client: client, Tenant: "nafathweb", Key: kyckit.NewSecret(string(k.shared))})
	if err == nil {
		err = store.Check(ctx)
		if errors.Is(err, kyckit.ErrUnavailable) {
			log.Error("Redis does not answer: webhooks are refused until it does", slog.Any("err", err))
			err = nil
		}
	}
	if err != nil {
		_ = client.Close()
		return nil, fmt.Errorf("-redis: %w", err)
	}
	return &shared{store, client}, nil
}

func (s *shared) close() error { return s.client.Close() }

// part is one process's share of the tenant's limits where no Redis shares them.
func part(l nafath.Limits, replicas int) nafath.Limits {
	share := func(limit, documented int) int {
		if limit == 0 {
			limit = documented
		}
		return max(1, limit/replicas)
	}
	return nafath.Limits{Requests: share(l.Requests, 10), StatusChecks: share(l.StatusChecks, 60), Details: share(l.Details, 30)}
}
