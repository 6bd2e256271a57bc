package explain

import (
	"context"
	"fmt"
)

// removed says of events whose answer is not there why somebody has wanted it so.
func (r *run) removed(ctx context.Context, all []*told) error {
	var purged map[key]bool
	for _, t := range all {
		if t.Standing != Unanswered {
			continue
		}
		if purged == nil && r.Purged != nil {
			letters, err := r.Purged(ctx)
			if err != nil {
				return fmt.Errorf("explain: %w", err)
			}
			purged = make(map[key]bool, len(letters))
			for _, p := range letters {
				purged[key{p.Source.Stream, p.Source.Seq, p.Source.Time.UnixNano()}] = true
			}
		}
		switch {
		case purged[key{t.Stream, t.Seq, t.Stored.UnixNano()}]:
			t.Standing = Purged
		case r.Erased != nil && t.OpenID != "" && r.Erased(t.AppID, t.OpenID, t.Type, t.Stored):
			t.Standing = Erased
		}
	}
	return nil
}
