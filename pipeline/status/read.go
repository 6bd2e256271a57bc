package status

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/wxenrich/wxenrich/pipeline"
	"github.com/wxenrich/wxenrich/pipeline/erase"
)

// atOnce is how many accounts are read at the same time.
const atOnce = 16

// Read looks at the lanes; the board and the ledger may be nil. The report's
// accounts are in the order of the lanes. The error is the server's, if it does
// not answer.
func Read(ctx context.Context, js jetstream.JetStream, board *pipeline.Board, ledger *erase.Ledger, lanes []Lane) (Report, error) {
	r := Report{At: time.Now().UTC(), Accounts: make([]Account, len(lanes))}
	rd := reader{board: board, ledger: ledger, now: r.At, streams: make(map[string]jetstream.Stream)}
	for i := range lanes {
		names := []string{lanes[i].Stream}
		for _, p := range append(slices.Clip(lanes[i].Records), lanes[i].Dead) {
			names = append(names, p.Stream)
		}
		for _, name := range names {
			if err := rd.open(ctx, js, name); err != nil {
				return r, err
			}
			note := "there is no stream " + name
			if stream := rd.streams[name]; stream != nil {
				note = full(stream.CachedInfo(), name == lanes[i].Stream)
			}
			if note != "" && !slices.Contains(r.Notes, note) {
				r.Notes = append(r.Notes, note)
			}
		}
	}
	errs := make([]error, len(lanes))
	slots := make(chan struct{}, atOnce)
	var wg sync.WaitGroup
	for i := range lanes {
		slots <- struct{}{}
		wg.Go(func() {
			if r.Accounts[i], errs[i] = rd.account(ctx, &lanes[i]); errs[i] != nil {
				errs[i] = fmt.Errorf("account %s: %w", lanes[i].AppID, errs[i])
			}
			<-slots
		})
	}
	wg.Wait()
	return r, errors.Join(errs...)
}

// reader is what the accounts of one reading share.
type reader struct {
	board   *pipeline.Board
	ledger  *erase.Ledger
	now     time.Time
	streams map[string]jetstream.Stream // by name; nil: there is none
}

func (r *reader) open(ctx context.Context, js jetstream.JetStream, name string) error {
	if _, ok := r.streams[name]; ok {
		return nil
	}
	stream, err := js.Stream(ctx, name)
	if err != nil && !errors.Is(err, jetstream.ErrStreamNotFound) {
		return fmt.Errorf("stream %s: %w", name, err)
	}
	r.streams[name] = stream // nil with an error
	return nil
}

func (r *reader) account(ctx context.Context, l *Lane) (Account, error) {
	a := Account{AppID: l.AppID}
	if q, ok := r.board.Quota(l.Config, r.now); ok {
		f := forecast(r.now, q)
		a.Quota = &f
	}
	if err := r.durable(ctx, l, &a); err != nil {
		return a, err
	}
	for _, h := range r.board.Holds(l.AppID) {
		a.held(&h)
	}
	for _, j := range r.board.Jobs(l.AppID) {
		if !j.Over() {
			a.Jobs = append(a.Jobs, Job{ID: j.ID, Kind: j.Kind, State: j.State, Done: j.Progress.Done, Total: j.Progress.Total, Note: j.Note})
		}
	}
	if orders := r.ledger.Orders(l.AppID); len(orders) > 0 {
		a.Erasures = &Erasures{Waiting: len(orders), Due: orders[0].Due.UTC()}
	}
	if a.Hint == "" {
		a.Hint = hints[a.Phase]
	}
	return a, r.answers(ctx, l, &a)
}

// held notes a hold. One of all replicas is the account's phase, whatever its
// durable seems to do.
func (a *Account) held(h *pipeline.Hold) {
	x := Hold{
		Reason: h.Reason, Code: h.Code, RID: h.RID, Detail: h.Detail, Hint: h.Hint,
		Since: h.Since.UTC(), NextTry: h.Until.UTC(), Probes: h.Probes, By: h.By, Replica: h.Own(),
	}
	a.Holds = append(a.Holds, x)
	if !x.Replica {
		a.Phase, a.Hint = Held, h.Hint
	}
}
