package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/wxenrich/wxenrich/pipeline/audit"
	"github.com/wxenrich/wxenrich/pipeline/erase"
	"github.com/wxenrich/wxenrich/pipeline/explain"
)

// erasedText says what was erased, or is to be, of what a query is about: where
// there is no event any more that is the whole story.
func erasedText(ctx context.Context, ledger *erase.Ledger, q *explain.Query, there bool) (out []string, err error) {
	var told []string // accounts, which several outputs have more than once
	for i := range q.Lanes {
		l := &q.Lanes[i]
		if slices.Contains(told, l.AppID) {
			continue
		}
		told = append(told, l.AppID)
		if q.Seq != 0 {
			gone, err := wasErased(ctx, ledger, l, q.Seq)
			if err != nil {
				return nil, err
			}
			if gone && !there { // else the sequence has been used again
				out = append(out, fmt.Sprintf("message %d of %s was erased with all about its person: \"wxenrich erase\", or an unsubscribe", q.Seq, l.Stream))
			}
			continue
		}
		if at := ledger.UpTo(l.AppID, q.Text); !at.IsZero() {
			out = append(out, fmt.Sprintf("the person is erased from %s: nothing is kept about events up to %s", l.AppID, at.UTC().Format(time.RFC3339)))
		}
		for _, o := range ledger.Orders(l.AppID) {
			if o.OpenID == q.Text {
				out = append(out, fmt.Sprintf("the person is to be erased from %s at %s (%s)", l.AppID, o.Due.UTC().Format(time.RFC3339), o.Why))
			}
		}
	}
	return out, nil
}

// wasErased reports whether an event of the lane's input was removed so.
func wasErased(ctx context.Context, ledger *erase.Ledger, l *audit.Lane, seq uint64) (bool, error) {
	receipts, err := ledger.Receipts(ctx, l.AppID)
	if err != nil {
		return false, err
	}
	return slices.ContainsFunc(receipts, func(r erase.Receipt) bool {
		return r.Stream == l.Stream && slices.ContainsFunc(r.Removed, func(m erase.Removed) bool { return m.Seq == seq })
	}), nil
}
