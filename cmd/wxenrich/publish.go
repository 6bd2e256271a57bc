package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/spf13/cobra"

	"github.com/wxenrich/wxenrich/cmd/wxenrich/internal/config"
	"github.com/wxenrich/wxenrich/cmd/wxenrich/internal/natsconn"
	"github.com/wxenrich/wxenrich/cmd/wxenrich/internal/term"
	"github.com/wxenrich/wxenrich/events"
)

// publishFlags is what the command line says.
type publishFlags struct {
	nats                 *natsconn.Settings
	appid, kind, subject string
	file, from, column   string
	json, msgpack        bool
	dedupe, anyAccount   bool
	goOn                 string
}

func newPublishCommand(a *app) *cobra.Command {
	var p publishFlags
	c := &cobra.Command{
		Use:   "publish [OPENID…]",
		Short: "Put openids into the stream of events",
		Long: `Publishes one event for each openid from the arguments, a file or standard
input, to the account's input subject, and waits until the stream has stored
them all. Lines that are no openid are reported by number, and the exit code is
1; the others are published.

A file has one openid in a line (empty lines and what follows a # are skipped),
or is CSV, TSV or NDJSON by its ending or --from. Then --column says where the
openid is: a name in the first line of a CSV, a number from 1 if it has no such
line, a path of keys in NDJSON. A quote of a CSV that is not closed within 100
lines, or not where a cell can end, makes the line where it opens a bad one, and
no other.

Where accounts are configured, one that is none of them, and that no replica knows,
is refused unless --any-account is given: it may be a typing mistake. Who has no
configuration needs no right but to publish, and is believed.

If it is interrupted, or NATS is gone, it says how many events are stored, and
with which --go-on the same command goes on behind them; what has been published
within the stream's duplicate window is then not stored twice.`,
		Example: `  wxenrich publish --appid wx0123456789abcdef oABCDEFGHIJKLMNOPQRSTUVWXYZ0
  wxenrich publish --file openids.txt --json
  wxenrich publish --file followers.csv --column 1 --type SCAN --msgpack
  cat letters.ndjson | wxenrich publish --from ndjson --column event.openid`,
		RunE: func(c *cobra.Command, args []string) error {
			return publish(c.Context(), a, p, args)
		},
	}
	p.nats = natsFlags(c)
	a.appidFlag(c, &p.appid, "account of the openids (default the only one configured)")
	f := c.Flags()
	f.StringVar(&p.kind, "type", "", "type of the events (default the subject's last word)")
	f.StringVar(&p.subject, "subject", "", "subject to publish to (default from the configuration's input)")
	f.StringVarP(&p.file, "file", "f", "", "file with the openids, - for standard input")
	f.StringVar(&p.from, "from", "", "form of the file: lines, csv, tsv or ndjson (default by its ending, else lines)")
	f.StringVar(&p.column, "column", "", "where the openid is in csv, tsv or ndjson (default openid)")
	f.BoolVar(&p.json, "json", false, "publish {\"openid\":…} rather than the bare openid")
	f.BoolVar(&p.msgpack, "msgpack", false, "publish the same as msgpack")
	f.BoolVar(&p.dedupe, "dedupe", true, "publish an openid that occurs again only once")
	f.BoolVar(&p.anyAccount, "any-account", false, "also to an account that nothing here knows")
	f.StringVar(&p.goOn, "go-on", "", "go on with a run that was cut off, where it has said")
	register(c, "from", "lines", "csv", "tsv", "ndjson")
	register(c, "type", "subscribe", "unsubscribe", "SCAN")
	return c
}

func publish(ctx context.Context, a *app, p publishFlags, args []string) error {
	if p.json && p.msgpack {
		return usage("--json and --msgpack: want one of them")
	}
	cfg, err := a.load(false)
	if err != nil {
		return err
	}
	account, err := oneAccount(cfg, p.appid)
	if err != nil {
		return err
	}
	if !events.ValidAppID(account.AppID) {
		return usage("--appid %q: want 1 to 64 of A-Z a-z 0-9 _ -", account.AppID)
	}
	subject, inBody, err := p.target(account)
	if err != nil {
		return err
	}
	form, err := p.form()
	if err != nil {
		return err
	}
	if len(args) > 0 && (p.from != "" || p.column != "") {
		return usage("--from, --column: they are for a file, not for arguments")
	}
	run, begin, err := p.begin()
	if err != nil {
		return err
	}
	source, closeSource, err := p.source(a, args)
	if err != nil {
		return err
	}
	defer closeSource()
	nc, js, err := a.dialStreams(ctx, p.nats, cfg, "publish")
	if err != nil {
		return err
	}
	defer nc.Close()
	if err := p.checkServed(ctx, a, js, cfg, account); err != nil {
		return nc.Explain(err)
	}
	q, err := newPublishQueue(nc, subject, run)
	if err != nil {
		return err
	}
	stats, err := publishRows(ctx, a, q, rows{source, form, p.dedupe, begin}, p.encoder(inBody, account.Input.Fields))
	if err != nil && q.acked > 0 {
		return cutOff(ctx, q, nc.Explain(err))
	}
	if err != nil {
		in := account.Resolve()
		return missingStream(nc.Explain(err), "no stream stores "+subject, in.Stream, inputSubjects(account))
	}
	return stats.report(a, subject)
}

// checkServed refuses an account that is neither configured nor known to a replica:
// nobody would ever look its events up. Whoever has no configuration, or may not read
// what the replicas have left, is believed: for a producer it would be a request that
// is denied, and a wait.
func (p publishFlags) checkServed(ctx context.Context, a *app, js jetstream.JetStream, cfg *config.Config, account *config.Account) error {
	if _, configured := cfg.ByAppID(account.AppID); configured || p.anyAccount || cfg.State.Bucket == "" || len(cfg.Accounts) == 0 {
		return nil
	}
	board, err := openBoard(ctx, js, cfg, slog.New(slog.DiscardHandler))
	if err != nil && !errors.Is(err, jetstream.ErrBucketNotFound) {
		a.say("note: whether account %s is served cannot be told: %v", account.AppID, err)
		return nil
	}
	defer board.Close()
	err = checkServed(ctx, js, board, cfg, account)
	if unknown, ok := errors.AsType[*exitError](err); ok {
		return unknown.hint("--any-account publishes all the same")
	}
	return err
}

// begin is the run to go on with, and the first of its lines; neither if it is to
// be a new one.
func (p publishFlags) begin() (run string, line int, err error) {
	if p.goOn == "" {
		return "", 0, nil
	}
	run, number, _ := strings.Cut(p.goOn, "-")
	if line, err = strconv.Atoi(number); err != nil || line < 1 || run == "" {
		return "", 0, usage("--go-on %q: want what a run that was cut off has said", p.goOn)
	}
	return run, line, nil
}

// cutOff says how far a run came that does not come to its end.
func cutOff(ctx context.Context, q *publishQueue, err error) error {
	e := failed("not all events could be stored: %w", err)
	if ctx.Err() != nil {
		q.settle(ctx)
		e = failed("interrupted")
		e.code = exitInterrupted
	}
	text := fmt.Sprintf("%d events are stored", q.acked)
	if n := len(q.pending); n > 0 {
		text += fmt.Sprintf(", and of %d more nobody knows", n)
	}
	return e.hint("%s; to go on behind them: the same command with --go-on %s", text, q.unsure())
}

// target is the subject, and the type when the body has to state it.
func (p publishFlags) target(account *config.Account) (subject, inBody string, err error) {
	subjects := account.Resolve().Subjects
	subject = subjects[0]
	if p.subject != "" {
		subject = p.subject
	} else if p.kind != "" {
		for _, s := range subjects {
			if strings.HasSuffix(s, "."+p.kind) {
				return s, "", nil
			}
		}
	}
	if p.kind == "" || strings.HasSuffix(subject, "."+p.kind) {
		return subject, "", nil
	}
	if !p.json && !p.msgpack {
		return "", "", usage("%s does not end in %s, and a bare openid cannot say its type", subject, p.kind).
			hint("add --json or --msgpack, or name a subject with --subject")
	}
	return subject, p.kind, nil
}

// source is where the openids come from.
func (p publishFlags) source(a *app, args []string) (io.Reader, func(), error) {
	nothingToClose := func() {}
	switch {
	case len(args) > 0 && p.file != "":
		return nil, nil, usage("openids both as arguments and from --file: want one of them")
	case len(args) > 0:
		return strings.NewReader(strings.Join(args, "\n")), nothingToClose, nil
	case p.file != "" && p.file != "-":
		f, err := os.Open(p.file)
		if err != nil {
			return nil, nil, usage("%w", err)
		}
		return f, func() { f.Close() }, nil
	case a.inTTY && p.file == "":
		return nil, nil, usage("no openids: want them as arguments, from --file, or on standard input")
	}
	return a.in, nothingToClose, nil
}

// publishStats is what became of the lines.
type publishStats struct{ published, repeated, bad int }

func publishRows(ctx context.Context, a *app, q *publishQueue, in rows, encode func(string) ([]byte, string)) (publishStats, error) {
	var s publishStats
	progress := term.NewProgress(term.Of(a.err, a.getenv), time.Now())
	defer progress.Done()
	for x, err := range in.all(ctx) {
		switch {
		case err != nil:
			q.settle(ctx)
			return s, err
		case x.repeated:
			s.repeated++
			continue
		case x.fault != "" || !events.ValidOpenID(x.openid):
			if x.fault == "" {
				x.fault = "not an openid: want 20 to 64 of A-Z a-z 0-9 _ -"
			}
			if s.bad++; s.bad <= maxBadLines {
				progress.Done()
				a.say("line %d: %s", x.number, x.fault)
			}
			continue
		}
		data, contentType := encode(x.openid)
		if err := q.publish(ctx, x.number, data, contentType); err != nil {
			return s, err
		}
		s.published++
		progress.Show(time.Now(), "%d published, %d stored", s.published, q.acked)
	}
	return s, q.wait(ctx, 0)
}

// maxBadLines is how many are worth a line each: the wrong column of a big file
// would otherwise print all of it.
const maxBadLines = 20

func (s publishStats) report(a *app, subject string) error {
	if s.published > 0 {
		more := ""
		if s.repeated > 0 {
			more = fmt.Sprintf(", %d repeated openids skipped", s.repeated)
		}
		if _, err := fmt.Fprintf(a.out, "published %d events to %s%s\n", s.published, subject, more); err != nil {
			return err
		}
	}
	switch {
	case s.bad > 0:
		return failed("%d lines are not openids, %d were published", s.bad, s.published)
	case s.published == 0:
		return nothing("nothing to publish")
	}
	return nil
}
