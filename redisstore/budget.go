package redisstore

import (
	"context"
	_ "embed" // the script
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/kyckit/kyckit/nafath"
)

//go:embed budget.lua
var budgetScript string

// leaveScript ends a replica. KEYS: the budget. ARGV: the replica.
const leaveScript = `
local clock = redis.call('TIME')
redis.call('HDEL', KEYS[1], 'r:' .. ARGV[1])
if redis.call('HEXISTS', KEYS[1], 's') == 1 then
  redis.call('HSET', KEYS[1], 'l:' .. ARGV[1], string.format('%.0f', clock[1] * 1000))
end
return 1`

// holdScript takes a lease unless another has it under any of the keys. KEYS: the
// lease under each key of the Store. ARGV: the owner, the lease in milliseconds, 1 to
// take it away.
const holdScript = `
for i = 1, #KEYS do
  local owner = redis.call('GET', KEYS[i])
  if owner and owner ~= ARGV[1] then
    if ARGV[3] ~= '1' then return 0 end
    redis.call('DEL', KEYS[i])
  end
end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1`

// freeScript gives a lease back. KEYS: as for holdScript. ARGV: the owner.
const freeScript = `
for i = 1, #KEYS do
  if redis.call('GET', KEYS[i]) == ARGV[1] then redis.call('DEL', KEYS[i]) end
end
return 1`

// Budget returns a [nafath.Budget]. It keeps the calls of the last minute in a sorted
// set, what is known of each replica and its last bid in a hash, the last answer to each
// replica, and a lease for each person with an open verification, under a digest. All
// replicas must run against the same server.
func (s *Store) Budget() nafath.Budget { return budget{s} }

type budget struct{ store *Store }

var errAnswer = errors.New("redisstore: an answer that is none of the script's")

// Exchange implements nafath.Budget.
func (b budget) Exchange(ctx context.Context, bid nafath.Bid) (nafath.Grant, error) {
	if err := b.store.made(); err != nil {
		return nafath.Grant{}, err
	}
	keys := []string{b.store.key("budget"), b.store.key("calls"), b.store.key("answer:" + bid.Replica)}
	v, err := b.store.eval(ctx, budgetScript, keys, nil, bidArgs(bid)...)
	if err != nil {
		return nafath.Grant{}, failure("bid", err)
	}
	answer, _ := v.(string)
	grant, err := parseGrant(answer)
	if err != nil {
		return nafath.Grant{}, failure("bid", err)
	}
	return grant, nil
}

// Leave implements nafath.Budget.
func (b budget) Leave(ctx context.Context, replica string) error {
	if err := b.store.made(); err != nil {
		return err
	}
	if _, err := b.store.eval(ctx, leaveScript, []string{b.store.key("budget")}, nil, replica); err != nil {
		return failure("leave", err)
	}
	return nil
}

// Hold implements nafath.Budget.
func (b budget) Hold(ctx context.Context, replica, nationalID string, lease time.Duration, take bool) (bool, error) {
	if err := b.store.made(); err != nil {
		return false, err
	}
	v, err := b.store.eval(ctx, holdScript, b.leases(nationalID), nil, replica, millis(lease), flag(take))
	if err != nil {
		return false, failure("hold", err)
	}
	return v == int64(1), nil
}

// Free implements nafath.Budget.
func (b budget) Free(ctx context.Context, replica, nationalID string) error {
	if err := b.store.made(); err != nil {
		return err
	}
	if _, err := b.store.eval(ctx, freeScript, b.leases(nationalID), nil, replica); err != nil {
		return failure("free", err)
	}
	return nil
}

// leases are the keys of a person's lease, the one under the first key first.
func (b budget) leases(nationalID string) []string {
	keys := b.store.digests("person", nationalID)
	for i, d := range keys {
		keys[i] = b.store.key("person:" + d)
	}
	return keys
}

func flag(set bool) string {
	if set {
		return "1"
	}
	return "0"
}

// bidArgs is a bid as the script reads it.
func bidArgs(bid nafath.Bid) []any {
	args := []any{
		bid.Replica, strconv.FormatUint(bid.Number, 10), bid.Replicas, bid.Known.Epoch, strconv.FormatUint(bid.Known.Count, 10),
		flag(bid.Full), bid.Pending, flag(bid.Hinted), bid.Limits.Requests, bid.Limits.StatusChecks, bid.Limits.Details,
	}
	for _, w := range bid.Wants {
		for _, v := range []float64{w.Score, w.Soon, w.Rest} {
			args = append(args, strconv.FormatFloat(v, 'f', 9, 64))
		}
	}
	var peers strings.Builder
	for name, ago := range bid.Peers {
		peers.WriteString(name + "=" + strconv.FormatInt(ago.Milliseconds(), 10) + ";")
	}
	args = append(args, peers.String(), strconv.FormatUint(bid.Learned.Version, 10), bid.Learned.Text, max(0, bid.Owed.Milliseconds()))
	for _, u := range bid.Uses {
		answered, what := int64(-1), 0
		if u.Answered >= 0 {
			answered = u.Answered.Milliseconds()
		}
		switch {
		case u.Dropped:
			what = 1
		case u.Limited:
			what = 2
		}
		args = append(args, strings.Join([]string{
			strconv.Itoa(int(u.Operation) + 1), strconv.FormatUint(u.ID, 10), strconv.FormatInt(u.Sent.Milliseconds(), 10),
			strconv.FormatInt(answered, 10), strconv.Itoa(what), strconv.FormatInt(u.Pause.Milliseconds(), 10),
		}, ":"))
	}
	return args
}

// parseGrant reads the script's answer.
func parseGrant(answer string) (g nafath.Grant, err error) {
	parts := strings.Split(answer, "|")
	if len(parts) != 11 {
		return g, errAnswer
	}
	number := func(s string) float64 {
		f, perr := strconv.ParseFloat(s, 64)
		if perr != nil || !(f >= 0 && f <= 1e12) { // not NaN either
			err = errAnswer
			return 0
		}
		return f
	}
	g.Mark = nafath.Mark{Epoch: parts[0], Count: uint64(number(parts[1]))}
	for i, fill := range []func(op int, v float64){
		func(op int, v float64) { g.Granted[op] = v == 1 },
		func(op int, v float64) { g.Wait[op] = time.Duration(v * float64(time.Millisecond)) },
		func(op int, v float64) { g.Rate[op] = v },
	} {
		values := strings.Split(parts[2+i], ",")
		if len(values) != nafath.Operations {
			return nafath.Grant{}, errAnswer
		}
		for op, v := range values {
			fill(op, number(v))
		}
	}
	g.Resend, g.Pending = parts[5] == "1", int(number(parts[6]))
	g.Owed = time.Duration(number(parts[7]) * float64(time.Millisecond))
	g.Peers = map[string]time.Duration{}
	for peer := range strings.SplitSeq(parts[8], ";") {
		if name, ago, ok := strings.Cut(peer, "="); ok {
			g.Peers[name] = time.Duration(number(ago) * float64(time.Millisecond))
		}
	}
	g.Learned = nafath.Learned{Version: uint64(number(parts[9])), Text: parts[10]}
	if err != nil {
		return nafath.Grant{}, err
	}
	return g, nil
}
