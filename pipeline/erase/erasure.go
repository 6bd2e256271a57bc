package erase

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/wxenrich/wxenrich/events"
)

// Settle is how long the last publish may take that began before its process
// had heard of a tombstone: so long after the first look there is a second one.
const Settle = 30 * time.Second

// An Erasure is how people of one account are erased.
type Erasure struct {
	Ledger *Ledger
	JS     jetstream.JetStream
	Scope

	Notices events.StreamSpec // the stream of the notices to consumers, made if it is missing
	Manage  events.Manage
	Subject string        // of a notice
	Settle  time.Duration // between the two looks

	// Clean, if it is not nil, removes the people from where there are no messages
	// about one person each; in a dry run it only looks. On an error the orders stay.
	Clean func(ctx context.Context, erased func(openid string, at time.Time) bool, dryRun bool) ([]Swept, error)
	// Progress, if it is not nil, is told now and then how much of a stream is read.
	Progress func(stream string, done, total uint64)
	// Waiting, if it is not nil, is called before the wait between the two looks.
	Waiting func()
}

// Report is what came of an erasure.
type Report struct {
	AppID   string   `json:"appid"`
	People  int      `json:"people"`           // erased
	Spared  int      `json:"spared,omitempty"` // had unsubscribed, and follow again: they stay
	Swept   []Swept  `json:"swept"`            // by stream and kind
	Notices int      `json:"notices"`          // stored for consumers
	Notes   []string `json:"notes,omitempty"`  // what could not be reached
}

// person is somebody who is looked for.
type person struct {
	Standing
	spared bool // follows again, and stays
}

type people map[string]*person

// wanted says whom a message is about that is to go.
func (p people) wanted(x *message) *person {
	who := p[x.openid]
	for i := 0; who == nil && i < len(x.maybe); i++ {
		who = p[x.maybe[i]]
	}
	switch {
	case who == nil:
	case x.at.After(who.UpTo):
		who.spared = who.spared || x.follows && who.Why == events.ErasedByUnsubscribe
		return nil
	default:
		who.UnionID = cmp.Or(x.unionid, who.UnionID)
	}
	return who
}

// erased is the same for what is no message.
func (p people) erased(openid string, at time.Time) bool {
	who := p[openid]
	return who != nil && !who.spared && !at.After(who.UpTo)
}

// Find only says what would be removed. Nothing is written down.
func (e *Erasure) Find(ctx context.Context, orders []Order) (Report, error) {
	who := make(people)
	for _, o := range orders {
		who[o.OpenID] = &person{Standing: Standing{Order: o}}
	}
	r := Report{AppID: e.AppID}
	all, err := e.search(ctx, e.JS, e.Progress, who.wanted)
	for at, hits := range all {
		s := Swept{Stream: at.stream, Kind: at.kind}
		for _, h := range hits {
			if !h.who.spared {
				s.Found++
			}
		}
		r.add(s)
	}
	r.count(who)
	if err == nil {
		err = e.clean(ctx, &r, who.erased, true)
	}
	return r, err
}

// clean has Clean do its part, and reports it.
func (e *Erasure) clean(ctx context.Context, r *Report, erased func(openid string, at time.Time) bool, dryRun bool) error {
	if e.Clean == nil {
		return nil
	}
	swept, err := e.Clean(ctx, erased, dryRun)
	for _, s := range swept {
		r.add(s)
	}
	return err
}

// OpenIDs says whom of the account records name with a unionid.
func (e *Erasure) OpenIDs(ctx context.Context, unionid string) ([]string, error) {
	var found []string
	_, err := e.search(ctx, e.JS, e.Progress, func(x *message) *person {
		if x.unionid == unionid && !slices.Contains(found, x.openid) {
			found = append(found, x.openid)
		}
		return nil
	})
	return found, err
}

// Run does orders to their end; see the package's comment. On an error what is
// not done is left in the ledger.
func (e *Erasure) Run(ctx context.Context, orders []Standing) (Report, error) {
	r := Report{AppID: e.AppID}
	if err := e.Ready(ctx); err != nil {
		return r, err
	}
	who := make(people)
	for _, o := range orders {
		who[o.OpenID] = &person{Standing: o}
		if o.Why == events.ErasedByRequest { // others may follow again
			if err := e.bury(ctx, &o.Order); err != nil {
				return r, err
			}
		}
	}
	all, err := e.search(ctx, e.JS, e.Progress, who.wanted)
	if err != nil {
		return r, err
	}
	for _, p := range who {
		if p.Why == events.ErasedByUnsubscribe && !p.spared {
			if err := e.bury(ctx, &p.Order); err != nil {
				return r, err
			}
		}
	}
	r.count(who)
	if err := e.sweep(ctx, all, &r); err != nil {
		return r, err
	}
	if r.Notices, err = e.tell(ctx, who); err != nil {
		return r, err
	}
	if r.People > 0 && e.Settle > 0 {
		if e.Waiting != nil {
			e.Waiting()
		}
		if !sleep(ctx, e.Settle) {
			return r, context.Cause(ctx)
		}
		spared := make(map[*person]bool)
		for _, p := range who {
			spared[p] = p.spared // to whoever follows meanwhile it is too late
		}
		if all, err = e.search(ctx, e.JS, e.Progress, who.wanted); err != nil {
			return r, err
		}
		for p, was := range spared {
			p.spared = was
		}
		if err := e.sweep(ctx, all, &r); err != nil {
			return r, err
		}
	}
	if err := e.clean(ctx, &r, who.erased, false); err != nil {
		return r, err
	}
	for _, p := range who {
		if err := e.Ledger.strike(ctx, p.Standing); err != nil {
			return r, err
		}
	}
	return r, nil
}

// Again removes whatever the tombstones cover that there are already: a backup
// that was restored may have brought it back. Nobody is told.
func (e *Erasure) Again(ctx context.Context, dryRun bool) (Report, error) {
	r := Report{AppID: e.AppID}
	anybody := new(person)
	all, err := e.search(ctx, e.JS, e.Progress, func(x *message) *person {
		if e.Ledger.Covers(e.AppID, x.openid, x.unionid, x.at) {
			return anybody
		}
		for _, openid := range x.maybe {
			if e.Ledger.Covers(e.AppID, openid, "", x.at) {
				return anybody
			}
		}
		return nil
	})
	if err != nil || dryRun {
		for at, hits := range all {
			r.add(Swept{Stream: at.stream, Kind: at.kind, Found: uint64(len(hits))})
		}
	} else {
		err = e.sweep(ctx, all, &r)
	}
	if err != nil {
		return r, err
	}
	return r, e.clean(ctx, &r, func(openid string, at time.Time) bool { return e.Ledger.Covers(e.AppID, openid, "", at) }, dryRun)
}

// Ready finds the stream of the notices, or makes it if it may. Run begins with
// it: what consumers cannot be told of is not removed.
func (e *Erasure) Ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, tellTimeout)
	defer cancel()
	_, drifts, err := events.EnsureStream(ctx, e.JS, e.Notices, e.Manage)
	if err != nil {
		return fmt.Errorf("notices to consumers: %w", err)
	}
	for _, d := range drifts {
		if d.Fatal {
			return fmt.Errorf("notices to consumers: %s", d)
		}
	}
	return nil
}

func (e *Erasure) bury(ctx context.Context, o *Order) error {
	return e.Ledger.Bury(ctx, o.AppID, o.OpenID, o.UpTo, o.By, o.Why)
}

// ErrLeft is the error of an erasure that a stream has refused.
var ErrLeft = errors.New("not everything could be removed")

// sweep removes what was found.
func (e *Erasure) sweep(ctx context.Context, all finds, r *Report) error {
	swept, err := e.Ledger.remove(ctx, e.AppID, all)
	var faults []error
	for _, s := range swept {
		r.add(s)
		if s.Fault != "" {
			faults = append(faults, errors.New(s.Fault))
		}
	}
	if err == nil && len(faults) > 0 {
		err = fmt.Errorf("%w: %w", ErrLeft, errors.Join(faults...))
	}
	return err
}

// tell stores a notice for each person. Its id is the same each time, so that one
// that is stored already is dropped.
func (e *Erasure) tell(ctx context.Context, who people) (n int, err error) {
	if len(who) == 0 {
		return 0, nil
	}
	ctx, cancel := context.WithTimeout(ctx, tellTimeout)
	defer cancel()
	for _, p := range who {
		if p.spared {
			continue
		}
		notice := events.Erased{AppID: p.AppID, OpenID: p.OpenID, UnionID: p.UnionID, UpTo: p.UpTo, ErasedAt: time.Now(), Cause: p.Why}
		if _, err := e.JS.PublishMsg(ctx, notice.Msg(e.Subject), jetstream.WithRetryAttempts(publishAttempts)); err != nil {
			return n, fmt.Errorf("notice on %s: %w", e.Subject, err)
		}
		n++
	}
	return n, nil
}

// tellTimeout bounds the storing of notices.
const tellTimeout = 10 * time.Minute

// publishAttempts outlasts the election of a leader, at a quarter of a second
// each.
const publishAttempts = 60

// count says how many people it is about.
func (r *Report) count(who people) {
	r.People, r.Spared = 0, 0
	for _, p := range who {
		if p.spared {
			r.Spared++
		} else {
			r.People++
		}
	}
}

// add adds up what came of a look.
func (r *Report) add(s Swept) {
	i, found := slices.BinarySearchFunc(r.Swept, s, func(a, b Swept) int {
		return cmp.Or(cmp.Compare(a.Stream, b.Stream), cmp.Compare(a.Kind, b.Kind))
	})
	if !found {
		r.Swept = slices.Insert(r.Swept, i, s)
		return
	}
	r.Swept[i].Found += s.Found
	r.Swept[i].Removed += s.Removed
	r.Swept[i].Fault = cmp.Or(s.Fault, r.Swept[i].Fault)
}
