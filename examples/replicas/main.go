// Replicas runs several processes of one tenant that share its limits, its token and
// its webhooks on Redis, against a fake provider in this process. It kills the
// busiest, restarts Redis, and ends by itself with what the provider counted:
//
//	go run ./examples/replicas                           starts redis-server if it is installed
//	go run ./examples/replicas -redis localhost:6379     or redis://…, or in the environment as REDIS
//	go run ./examples/replicas -processes 8 -for 3m
//
// The README beside it says what to look at.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"time"

	"github.com/kyckit/kyckit/nafath"
)

// limits are the tenant's, a minute: some times the documented ones, so that two minutes
// show something.
var limits = nafath.Limits{Requests: 90, StatusChecks: 360, Details: 180}

func main() {
	if setup := os.Getenv(replicaEnv); setup != "" {
		if err := replica(setup, os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, "replica:", err)
			os.Exit(1)
		}
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "replicas:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("replicas", flag.ContinueOnError)
	flags.SetOutput(out)
	redis := flags.String("redis", os.Getenv("REDIS"), "host:port or redis://… of a Redis; empty starts redis-server")
	processes := flags.Int("processes", 4, "how many processes, 2 to 16")
	length := flags.Duration("for", 100*time.Second, "how long people come, 20s or more; the end is some seconds later")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *processes < 2 || *processes > 16 || *length < 20*time.Second {
		return errors.New("-processes must be 2 to 16, and -for 20s or more")
	}
	server, err := openRedis(ctx, *redis)
	if err != nil {
		return err
	}
	defer server.stop()
	f, err := newFleet(ctx, server.addr, *processes, out)
	if err != nil {
		return err
	}
	defer f.close()

	people, stop := context.WithTimeout(ctx, *length)
	defer stop()
	go f.let(people)
	go f.watch(ctx)
	pause(ctx, *length/4)
	f.kill()
	pause(ctx, *length/4)
	if server.own() {
		f.say("Redis is killed")
		server.stop()
		pause(ctx, 6*time.Second)
		f.say("Redis is started again, empty")
		if err := server.start(ctx); err != nil {
			return err
		}
	} else {
		f.say("this Redis is not ours to restart: do it now, to see what happens")
	}
	<-people.Done()
	if err := f.finish(ctx); err != nil {
		return err
	}
	return f.summary()
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}
