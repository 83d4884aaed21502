// Quickstart runs one whole Nafath verification, as the person sees it.
//
// Without settings it starts a fake provider in this process and a phone that
// answers by itself:
//
//	go run ./examples/quickstart              the person approves
//	go run ./examples/quickstart -reject      the person declines
//	go run ./examples/quickstart -expire      nobody answers
//
// With -base-url and -token-url it talks to a real provider; the credentials
// come from QUICKSTART_CLIENT_ID and QUICKSTART_CLIENT_SECRET, so that they
// stand in no process list:
//
//	go run ./examples/quickstart -base-url https://… -token-url https://…/oauth/token -national-id …
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/kyckit/kyckit"
	"github.com/kyckit/kyckit/auth"
	"github.com/kyckit/kyckit/nafath"
	"github.com/kyckit/kyckit/nafath/nafathtest"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Getenv, os.Stdout)
	stop()
	switch {
	case err == nil, errors.Is(err, flag.ErrHelp):
	case errors.Is(err, context.Canceled):
		fmt.Println("\nStopped. The prompt may still be on the phone until it expires.")
		os.Exit(130)
	default:
		fmt.Fprintln(os.Stderr, "quickstart:", err)
		os.Exit(1)
	}
}

// options are what the command line says.
type options struct {
	baseURL, tokenURL, nationalID string
	reject, expire                bool
	after                         time.Duration
}

func run(ctx context.Context, args []string, getenv func(string) string, out io.Writer) error {
	var o options
	flags := flag.NewFlagSet("quickstart", flag.ContinueOnError)
	flags.SetOutput(out)
	flags.StringVar(&o.baseURL, "base-url", "", "a real provider's base URL; empty starts the fake")
	flags.StringVar(&o.tokenURL, "token-url", "", "a real provider's token URL")
	flags.StringVar(&o.nationalID, "national-id", "1000000008", "whom to verify")
	flags.BoolVar(&o.reject, "reject", false, "the fake person declines")
	flags.BoolVar(&o.expire, "expire", false, "the fake person does not answer")
	flags.DurationVar(&o.after, "after", 4*time.Second, "how long the fake person takes")
	if err := flags.Parse(args); err != nil {
		return err
	}

	cfg, phone, closeProvider, err := provider(o, getenv)
	if err != nil {
		return err
	}
	defer closeProvider()
	client, err := nafath.New(cfg)
	if err != nil {
		return err
	}
	screen := &screen{out: out, live: terminal(out)}
	poller, err := nafath.NewPoller(nafath.PollerConfig{Client: client})
	if err != nil {
		return err
	}
	defer poller.Close()

	screen.line("Asking Nafath to verify %s …", mask(o.nationalID))
	verification, err := poller.Begin(o.nationalID)
	if err != nil {
		return err
	}
	follow(ctx, verification, screen, phone)
	details, err := verification.Wait(ctx)
	screen.done()
	switch {
	case err == nil:
		screen.line("Verified.")
		screen.line("  name         %s", mask(details.EnglishName()))
		screen.line("  id           %s", mask(details.IDNumber))
		screen.line("  born         %s", mask(details.DateOfBirthG))
		if details.UserType != nil {
			screen.line("  type         %s", *details.UserType)
		}
		return nil
	case errors.Is(err, nafath.ErrRejected):
		screen.line("Not verified: the person declined.")
		return nil
	case errors.Is(err, nafath.ErrExpired), errors.Is(err, nafath.ErrTimeout):
		screen.line("Not verified: nobody answered in time.")
		return nil
	case errors.Is(err, kyckit.ErrOutcomeUnknown):
		screen.line("The prompt may be on the phone. Let it expire before you try again.")
		return err
	default:
		return err
	}
}

// follow shows every stage until the end of the verification or of ctx.
func follow(ctx context.Context, v *nafath.Verification, screen *screen, phone func(nafath.Transaction)) {
	shown := false
	for u := range v.Updates(ctx) {
		switch {
		case u.Stage == nafath.StageQueued && u.Place > 0:
			screen.status(fmt.Sprintf("number %d in the queue, about %s", u.Place, u.ETA.Round(time.Second)))
		case u.Stage == nafath.StageOpen && !shown: // a backend stores the transaction first
			shown = true
			screen.code(u.Transaction.Random)
			screen.status(words(nafath.StatusWaiting))
			phone(u.Transaction)
		case u.Stage == nafath.StageOpen:
			screen.status(words(u.Status))
		}
	}
}

// words says a status as a person would.
func words(s nafath.Status) string {
	switch s {
	case nafath.StatusWaiting:
		return "waiting for the person"
	case nafath.StatusCompleted:
		return "approved, reading the details"
	case nafath.StatusRejected:
		return "declined"
	default:
		return "ended"
	}
}

// provider returns a real provider's configuration, or a fake's with a phone
// that answers by itself.
func provider(o options, getenv func(string) string) (cfg nafath.Config, phone func(nafath.Transaction), closeIt func(), err error) {
	if (o.baseURL == "") != (o.tokenURL == "") {
		return cfg, nil, nil, errors.New("a real provider needs both -base-url and -token-url")
	}
	if o.baseURL != "" {
		source, err := auth.NewClientCredentials(auth.ClientCredentialsConfig{
			TokenURL:     o.tokenURL,
			ClientID:     getenv("QUICKSTART_CLIENT_ID"),
			ClientSecret: kyckit.NewSecret(getenv("QUICKSTART_CLIENT_SECRET")),
		})
		return nafath.Config{BaseURL: o.baseURL, Auth: source}, func(nafath.Transaction) {}, func() {}, err
	}
	fake := nafathtest.NewServer(nafathtest.Config{})
	phone = func(tx nafath.Transaction) {
		time.AfterFunc(o.after, func() {
			// An error here means the verification ended first.
			switch {
			case o.reject:
				_ = fake.Reject(tx.TransID)
			case o.expire:
				_ = fake.Expire(tx.TransID)
			default:
				_ = fake.Approve(tx.TransID, tx.Random)
			}
		})
	}
	return fake.ClientConfig(), phone, fake.Close, nil
}

// screen shows the code and how it stands: on a terminal by a line that is
// rewritten as the time passes, elsewhere by one line a change.
type screen struct {
	out  io.Writer
	live bool
	mu   sync.Mutex
	stop chan struct{}
	text string
	idle sync.WaitGroup
}

func (s *screen) line(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	fmt.Fprintf(s.out, format+"\n", args...)
}

func (s *screen) code(code string) {
	bar := strings.Repeat("─", len(code)+10)
	s.line("\n  Open the Nafath app and confirm this number:\n\n  ┌%s┐\n  │     %s     │\n  └%s┘\n", bar, code, bar)
}

// terminal reports whether out is one.
func terminal(out io.Writer) bool {
	file, ok := out.(*os.File)
	if !ok {
		return false
	}
	info, err := file.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// status tells how it stands, and starts the live line if need be.
func (s *screen) status(text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	changed := text != s.text
	s.text = text
	if !s.live && changed {
		fmt.Fprintf(s.out, "  %s\n", text)
	}
	if !s.live || s.stop != nil {
		return
	}
	stop := make(chan struct{})
	s.stop = stop
	began := time.Now()
	s.idle.Go(func() {
		tick := time.NewTicker(250 * time.Millisecond)
		defer tick.Stop()
		for {
			s.mu.Lock()
			fmt.Fprintf(s.out, "\r  %-30s %3.0f s ", s.text, time.Since(began).Seconds())
			s.mu.Unlock()
			select {
			case <-tick.C:
			case <-stop:
				return
			}
		}
	})
}

// done ends the live line.
func (s *screen) done() {
	s.mu.Lock()
	stop := s.stop
	s.mu.Unlock()
	if stop != nil {
		close(stop)
		s.idle.Wait()
		s.line("")
	}
	s.line("")
}

// mask keeps the first and last letter or digit of each word.
func mask(text string) string {
	words := strings.Fields(text)
	for i, w := range words {
		if r := []rune(w); len(r) > 2 {
			words[i] = string(r[0]) + strings.Repeat("*", len(r)-2) + string(r[len(r)-1])
		} else {
			words[i] = strings.Repeat("*", len(r))
		}
	}
	return strings.Join(words, " ")
}
