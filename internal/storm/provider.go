package storm

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"

	"github.com/kyckit/kyckit"
	"github.com/kyckit/kyckit/kyctest"
	"github.com/kyckit/kyckit/nafath"
	"github.com/kyckit/kyckit/nafath/nafathtest"
	"github.com/kyckit/kyckit/webhook"
	"github.com/kyckit/kyckit/webhook/webhooktest"
)

// newProvider starts the fake and its sender of webhooks, which come to the
// product's one public address.
func (w *world) newProvider() {
	var mu sync.Mutex
	r := rand.New(rand.NewPCG(w.plan.seed, 2))
	chance := func(p float64) bool {
		mu.Lock()
		defer mu.Unlock()
		return r.Float64() < p
	}
	w.public = kyctest.NewServer(kyctest.Options{InMemory: true, Discard: true})
	w.public.Handle("POST /webhook", "webhook", w.receive)
	cfg := nafathtest.Config{Lifetime: w.plan.lifetime, TokenLifetime: w.plan.token, OnPrompt: w.ring}
	cfg.InMemory, cfg.HTTP2 = true, w.plan.http2
	if !w.plan.hooks.off {
		cfg.Webhook = kyctest.Webhook{
			URL: w.public.URL + "/webhook", Client: w.public.Client(), Signer: w.signer(),
			Lose: func(int) bool { return chance(w.plan.hooks.lost) },
			Repeat: func(int) int {
				if chance(w.plan.hooks.doubled) {
					return 2
				}
				return 0
			},
			Late: func(int) time.Duration {
				if chance(w.plan.hooks.late) {
					return 20 * time.Second
				}
				return 0
			},
		}
	}
	w.fake = nafathtest.NewServer(cfg)
}

func (w *world) signer() webhooktest.HMAC {
	return webhooktest.HMAC{Scheme: webhook.StandardWebhooks(), Secrets: []string{w.hookSecret}}
}

// fault makes the provider sick for a while.
func (w *world) fault(p planned) {
	for _, f := range w.faultsOf(p) {
		w.fake.Fail(f.op, 0, f.Fault)
	}
	switch p.kind {
	case "revoke":
		w.fake.RevokeTokens()
		return
	case "request-429":
		w.note("", "somebody else uses the tenant's limits")
		w.fake.Spend(nafathtest.OpRequest, 10)
	}
	if !w.sleep(p.length) {
		return
	}
	// Heal ends every fault; those of others that last longer are set again by
	// nobody, which only makes the world milder.
	w.fake.Heal()
}

type opFault struct {
	op string
	kyctest.Fault
}

func (w *world) faultsOf(p planned) []opFault {
	broken := kyctest.Fault{Status: http.StatusInternalServerError, Body: `{"statusCode":500,"messages":["x"],"result":null}`}
	lost, slow, hangup := kyctest.Fault{LoseAnswer: true}, kyctest.Fault{Delay: p.length / 3}, kyctest.Fault{Hangup: true}
	early := kyctest.Fault{Status: http.StatusServiceUnavailable, Header: http.Header{"Connection": {"close"}}}
	if w.plan.http2 {
		early.Header = nil
	}
	refused := kyctest.Fault{Status: http.StatusOK, Body: `{"statusCode":401,"messages":["Unauthorized"],"result":null}`}
	one := func(op string, f kyctest.Fault) []opFault { return []opFault{{op, f}} }
	all := func(f kyctest.Fault) (faults []opFault) {
		for _, op := range []string{nafathtest.OpRequest, nafathtest.OpStatus, nafathtest.OpDetails} {
			faults = append(faults, opFault{op, f})
		}
		return faults
	}
	switch p.kind {
	case "status-500":
		return one(nafathtest.OpStatus, broken)
	case "status-lost":
		return one(nafathtest.OpStatus, lost)
	case "status-slow":
		return one(nafathtest.OpStatus, slow)
	case "status-hangup":
		return one(nafathtest.OpStatus, hangup)
	case "status-401-once":
		w.fake.Fail(nafathtest.OpStatus, 1, kyctest.Fault{Status: http.StatusUnauthorized})
	case "status-envelope-401":
		w.fake.Fail(nafathtest.OpStatus, 1, refused)
	case "status-503-long":
		return one(nafathtest.OpStatus, kyctest.Fault{Status: http.StatusServiceUnavailable, Header: http.Header{"Retry-After": {"600"}}})
	case "request-500":
		return one(nafathtest.OpRequest, broken)
	case "request-lost":
		return one(nafathtest.OpRequest, lost)
	case "request-slow":
		return one(nafathtest.OpRequest, slow)
	case "request-hangup":
		return one(nafathtest.OpRequest, hangup)
	case "request-early":
		return one(nafathtest.OpRequest, early)
	case "details-500":
		return one(nafathtest.OpDetails, broken)
	case "details-lost":
		return one(nafathtest.OpDetails, lost)
	case "details-slow":
		return one(nafathtest.OpDetails, slow)
	case "details-garbage":
		return one(nafathtest.OpDetails, kyctest.Fault{Status: http.StatusOK, Body: "<html>"})
	case "token-503":
		return one(nafathtest.OpToken, kyctest.Fault{Status: http.StatusServiceUnavailable})
	case "token-slow":
		return one(nafathtest.OpToken, slow)
	case "all-500":
		return all(broken)
	case "all-early":
		return all(early)
	}
	return nil
}

// forge sends what an attacker sends: made-up transactions under made-up
// signatures, and old deliveries again.
func (w *world) forge() {
	secret := sha256.Sum256([]byte("not the secret"))
	sender := &webhooktest.Sender{
		URL: w.public.URL + "/webhook", Client: w.public.Client(),
		Signer: webhooktest.HMAC{Scheme: webhook.StandardWebhooks(), Secrets: []string{"whsec_" + hex.EncodeToString(secret[:16])}},
	}
	for i := 0; w.sleep(time.Second / time.Duration(w.plan.hooks.forged)); i++ {
		body := nafathtest.Event(w.anyTransaction(i), nafath.StatusCompleted)
		answer := sender.Send(w.life, webhooktest.Event{ID: "evt_forged", Body: body})
		if answer.Status == http.StatusOK {
			w.breach("", "a forged delivery was accepted")
		}
	}
}

// tell sends events that are signed and untrue: every open transaction is said to
// be completed.
func (w *world) tell() {
	sender := &webhooktest.Sender{URL: w.public.URL + "/webhook", Client: w.public.Client(), Signer: w.signer()}
	for i := 0; w.sleep(3 * time.Second); i++ {
		sender.Send(w.life, webhooktest.Event{ID: fmt.Sprintf("evt_untrue_%d", i), Body: nafathtest.Event(w.anyTransaction(i), nafath.StatusCompleted)})
	}
}

// replay sends an authentic delivery again and again, some of the times when it is
// older than any tolerance.
func (w *world) replay() {
	old := time.Now()
	sender := &webhooktest.Sender{URL: w.public.URL + "/webhook", Client: w.public.Client(), Signer: w.signer(), Now: func() time.Time { return old }}
	event := webhooktest.Event{ID: "evt_replayed", Body: nafathtest.Event("seen-on-the-wire", nafath.StatusCompleted)}
	for w.sleep(40 * time.Second) {
		answer := sender.Send(w.life, event)
		if answer.Status == http.StatusOK && time.Since(old) > 6*time.Minute {
			w.breach("", "a delivery signed %s ago was accepted", time.Since(old))
		}
	}
}

// anyTransaction is a real transaction's id: the attacker has seen one.
func (w *world) anyTransaction(i int) string {
	all := w.fake.Transactions()
	if len(all) == 0 {
		return "none"
	}
	return all[i%len(all)].TransID
}

// strangers are the people of whom the provider answers somebody else's details.
func (w *world) stranger(id, other string) {
	w.fake.SetPerson(id, nafath.Details{IDNumber: other, EnglishFirstName: plantedName})
}

const plantedName = "Plantedfirstname"

func secretOf(text string) kyckit.Secret { return kyckit.NewSecret(text) }
