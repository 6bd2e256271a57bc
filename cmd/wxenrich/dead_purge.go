package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/spf13/cobra"

	"github.com/wxenrich/wxenrich/cmd/wxenrich/internal/config"
	"github.com/wxenrich/wxenrich/cmd/wxenrich/internal/term"
	"github.com/wxenrich/wxenrich/pipeline/audit"
	"github.com/wxenrich/wxenrich/pipeline/dead"
)

// deadPurgeFlags is what the command line says.
type deadPurgeFlags struct {
	deadFlags
	all, yes, dryRun bool
	json             bool
}

func newDeadPurgeCommand(a *app) *cobra.Command {
	var f deadPurgeFlags
	c := &cobra.Command{
		Use:   "purge [SEQ…]",
		Short: "Remove dead letters for good",
		Long: `Removes dead letters by sequence, account, reason, errcode or age; all of them
need --all. It counts them first, and asks, unless --yes says so; letters that
come in meanwhile stay. What is removed cannot be redriven; "wxenrich dead
export" keeps a copy. The state bucket keeps which events had a letter, so that
"wxenrich audit" does not miss them. Exit code 3 when there are none.`,
		Example: `  wxenrich dead purge 1 --yes
  wxenrich dead purge --reason rejected --until 30d --dry-run
  wxenrich dead purge --appid wx0123456789abcdef --code 40003 --yes --json`,
		RunE: func(c *cobra.Command, args []string) error {
			return f.withDead(c.Context(), a, "dead purge", args, f.run)
		},
	}
	f.register(a, c)
	flags := c.Flags()
	flags.BoolVar(&f.all, "all", false, "remove whatever is there")
	flags.BoolVarP(&f.yes, "yes", "y", false, "do not ask")
	flags.BoolVar(&f.dryRun, "dry-run", false, "only say what would be removed")
	flags.BoolVar(&f.json, "json", false, "print what was removed as JSON")
	return c
}

func (f *deadPurgeFlags) run(ctx context.Context, m *morgue) error {
	switch {
	case m.sel.All() && !f.all:
		return usage("which letters?").hint("name them by sequence, --appid, --reason, --code, --since or --until; --all for all of them")
	case !m.sel.All() && f.all:
		return usage("--all and a choice of letters: want one of them")
	}
	groups := dead.Groups{}
	found := map[string][]uint64{}
	var purged []dead.Purged
	sum, err := m.read(ctx, false, func(p dead.Place, l *dead.Letter) bool {
		groups.Add(l)
		found[p.Stream] = append(found[p.Stream], l.Seq)
		purged = append(purged, dead.NewPurged(p.Stream, l))
		return true
	})
	if err != nil {
		return err
	}
	if sum.Read == 0 {
		return m.none()
	}
	if !f.json {
		if err := printGroups(term.Of(m.app.out, m.app.getenv), groups.List(), time.Now()); err != nil {
			return err
		}
	}
	removed := uint64(0)
	if !f.dryRun {
		if !f.yes {
			if err := m.app.confirm(ctx, fmt.Sprintf("remove %s dead letters for good?", grouped(sum.Read))); err != nil {
				return err
			}
		}
		if err := m.writeReceipts(ctx, purged); err != nil {
			return err
		}
		if removed, err = m.remove(ctx, found, sum.Read); err != nil {
			return fmt.Errorf("after %d were removed: %w", removed, err)
		}
	}
	if f.json {
		return m.app.printJSON(map[string]any{"found": sum.Read, "removed": removed, "groups": groups.List()})
	}
	if f.dryRun {
		_, err = fmt.Fprintf(m.app.out, "would remove %s dead letters\n", grouped(sum.Read))
	} else {
		_, err = fmt.Fprintf(m.app.out, "removed %s dead letters\n", grouped(removed))
	}
	return err
}

// writeReceipts notes in the state bucket what is about to be removed.
func (m *morgue) writeReceipts(ctx context.Context, purged []dead.Purged) error {
	if m.cfg.State.Bucket == "" {
		m.app.say("note: state.bucket is empty: \"wxenrich audit\" will miss these events")
		return nil
	}
	kv, err := m.js.KeyValue(ctx, m.cfg.State.Bucket)
	if errors.Is(err, jetstream.ErrBucketNotFound) {
		m.app.say("note: there is no bucket %s: \"wxenrich audit\" will miss these events", m.cfg.State.Bucket)
		return nil
	}
	if err == nil {
		err = dead.WriteReceipts(ctx, kv, time.Now(), whoAsks(), purged)
	}
	if err != nil {
		return m.nc.Explain(err)
	}
	return nil
}

// purgedLetters reads what was ever noted so.
func purgedLetters(ctx context.Context, js jetstream.JetStream, cfg *config.Config) ([]audit.Purged, error) {
	if cfg.State.Bucket == "" {
		return nil, nil
	}
	kv, err := js.KeyValue(ctx, cfg.State.Bucket)
	if errors.Is(err, jetstream.ErrBucketNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("bucket %s: %w", cfg.State.Bucket, err)
	}
	purged, err := dead.ReadReceipts(ctx, kv)
	if err != nil {
		return nil, err
	}
	out := make([]audit.Purged, len(purged))
	for i, p := range purged {
		out[i] = audit.Purged(p)
	}
	return out, nil
}

// remove deletes letters; one that is gone already counts as nothing.
func (m *morgue) remove(ctx context.Context, found map[string][]uint64, total uint64) (removed uint64, err error) {
	progress := term.NewProgress(term.Of(m.app.err, m.app.getenv), time.Now())
	defer progress.Done()
	for name, seqs := range found {
		stream, err := m.js.Stream(ctx, name)
		if err != nil {
			return removed, m.nc.Explain(err)
		}
		for _, seq := range seqs {
			err := stream.DeleteMsg(ctx, seq)
			if err != nil && !errors.Is(err, jetstream.ErrMsgNotFound) && !gone(ctx, stream, seq) {
				return removed, m.nc.Explain(err)
			}
			if err == nil {
				removed++
			}
			progress.Show(time.Now(), "%s of %s removed", grouped(removed), grouped(total))
		}
	}
	return removed, nil
}

// gone reports whether a message is not there any more: the server has no
// telling answer for the removal of what is gone.
func gone(ctx context.Context, stream jetstream.Stream, seq uint64) bool {
	_, err := stream.GetMsg(ctx, seq)
	return errors.Is(err, jetstream.ErrMsgNotFound)
}
