package pipeline

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/wxenrich/wxenrich/events"
	"github.com/wxenrich/wxenrich/pipeline/erase"
	"github.com/wxenrich/wxenrich/pipeline/scan"
)

// Crawls is where an account's lists of followers are kept: to go on with a
// crawl, and to compare a later one with it. A list is the messages of one
// subject, numbered, the last one empty. A part may be replaced by a later
// message of the same number, in which some are left out: see BlankCrawls.
type Crawls struct {
	Stream  events.StreamSpec // made if it is missing
	Subject string            // a list's, without its id at the end
}

// of is the subject of a list.
func (c *Crawls) of(id string) string { return c.Subject + "." + id }

// ensure finds the stream, or makes it if it may.
func (c *Crawls) ensure(ctx context.Context, js jetstream.JetStream, m events.Manage) (jetstream.Stream, error) {
	s, _, err := events.EnsureStream(ctx, js, c.Stream, m)
	if err != nil {
		return nil, fmt.Errorf("stream %s, for the lists of followers: %w", c.Stream.Name, err)
	}
	return s, nil
}

// ErrNoCrawl is the error for a list of followers that is not kept, or not to
// its end.
var ErrNoCrawl = errors.New("there is no whole list of followers of that crawl")

// crawlParts is a list's messages: of each number the sequences, the latest one
// last.
type crawlParts map[int][]uint64

// whole reports whether all of the list is there.
func (p crawlParts) whole() bool { return len(p[0]) > 0 }

// parts finds the messages of lists, by their subjects; that of the end has the
// number 0. Only headers are read.
func (c *Crawls) parts(ctx context.Context, js jetstream.JetStream, id string) (map[string]crawlParts, error) {
	s, err := js.Stream(ctx, c.Stream.Name)
	if err != nil {
		return nil, fmt.Errorf("stream %s: %w", c.Stream.Name, err)
	}
	all := make(map[string]crawlParts)
	var fault error
	err = scan.Read(ctx, js, scan.Span{
		Stream: c.Stream.Name, Subjects: []string{c.of(id)}, End: s.CachedInfo().State.LastSeq,
	}, func(m jetstream.Msg, meta *jetstream.MsgMetadata) bool {
		h := m.Headers()
		n := 0
		if h.Get("Nats-Msg-Size") != "0" {
			if n, fault = c.partOf(h); fault != nil {
				return false
			}
		}
		if all[m.Subject()] == nil {
			all[m.Subject()] = make(crawlParts)
		}
		all[m.Subject()][n] = append(all[m.Subject()][n], meta.Sequence.Stream)
		return true
	})
	return all, errors.Join(err, fault)
}

// partOf is a message's number in its list.
func (c *Crawls) partOf(h nats.Header) (int, error) {
	id := h.Get(events.HeaderMsgID)
	part, err := strconv.Atoi(id[strings.LastIndexByte(id, ':')+1:])
	if err != nil || part < 1 {
		return 0, fmt.Errorf("%s holds a message that is no list: id %q", c.Stream.Name, id)
	}
	return part, nil
}

// read visits the openids of a list with their places in it and when they were
// written down, and returns how many there are.
func (c *Crawls) read(ctx context.Context, js jetstream.JetStream, id string, visit func(n int, openid string, at time.Time)) (int, error) {
	all, err := c.parts(ctx, js, id)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return 0, fmt.Errorf("%w: %w", ErrNoCrawl, err)
	}
	if err != nil {
		return 0, err
	}
	parts := all[c.of(id)]
	if !parts.whole() {
		return 0, ErrNoCrawl
	}
	s, err := js.Stream(ctx, c.Stream.Name)
	if err != nil {
		return 0, err
	}
	n := 0
	for part := 1; part < len(parts); part++ {
		seqs := parts[part]
		if len(seqs) == 0 {
			return n, ErrNoCrawl // its beginning has been dropped for its age
		}
		m, err := s.GetMsg(ctx, seqs[len(seqs)-1])
		if err != nil {
			return n, fmt.Errorf("list of followers: %w", err)
		}
		for openid := range strings.FieldsSeq(string(m.Data)) {
			visit(n, openid, listedAt(m))
			n++
		}
	}
	return n, nil
}

// headerListed is when what a replaced message says was written down first.
const headerListed = "Wx-Listed-At"

// listedAt is when the followers in a message were listed.
func listedAt(m *jetstream.RawStreamMsg) time.Time {
	if at, err := time.Parse(time.RFC3339Nano, m.Header.Get(headerListed)); err == nil {
		return at
	}
	return m.Time
}

// errUnderWay is why somebody is still named in a list.
var errUnderWay = errors.New("a list of followers that is being made still names somebody who is erased: it is left out when the list is done")

// BlankCrawls takes people who are erased out of the account's lists of
// followers. Each leaves a place behind, since others are known by theirs. A dry
// run only counts the places.
func BlankCrawls(ctx context.Context, js jetstream.JetStream, c Crawls, erased func(openid string, at time.Time) bool, dryRun bool) (swept erase.Swept, err error) {
	swept = erase.Swept{Stream: c.Stream.Name, Kind: erase.KindPlace}
	all, err := c.parts(ctx, js, "*")
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return swept, nil
	}
	if err != nil {
		return swept, err
	}
	s, err := js.Stream(ctx, c.Stream.Name)
	if err != nil {
		return swept, err
	}
	var faults []error
	for _, subject := range slices.Sorted(maps.Keys(all)) {
		for part, seqs := range all[subject] {
			if part == 0 {
				continue
			}
			p := listPart{js: js, stream: s, subject: subject, number: part, seqs: seqs, whole: all[subject].whole()}
			found, err := p.blank(ctx, erased, dryRun)
			swept.Found += found
			switch {
			case err != nil:
				faults = append(faults, err)
				swept.Fault = err.Error()
			case !dryRun:
				swept.Removed += found
			}
		}
	}
	return swept, errors.Join(faults...)
}

// listPart is the messages of one number of a list.
type listPart struct {
	js      jetstream.JetStream
	stream  jetstream.Stream
	subject string
	number  int
	seqs    []uint64 // the latest one last; the others are of somebody who died between
	whole   bool     // the list is
}

// blank replaces the message by one without those who are erased, and then
// overwrites it. It says in how many places they were.
func (p *listPart) blank(ctx context.Context, erased func(string, time.Time) bool, dryRun bool) (found uint64, err error) {
	latest := p.seqs[len(p.seqs)-1]
	m, err := p.stream.GetMsg(ctx, latest)
	if err != nil {
		return 0, fmt.Errorf("list of followers: %w", err)
	}
	openids := strings.Fields(string(m.Data))
	for i, openid := range openids {
		if erased(openid, listedAt(m)) {
			openids[i] = nobody
			found++
		}
	}
	if dryRun {
		return found, nil
	}
	stale := p.seqs[:len(p.seqs)-1]
	if found > 0 {
		if !p.whole {
			return found, errUnderWay
		}
		id := fmt.Sprintf("%s:%d:%d", p.subject[strings.LastIndexByte(p.subject, '.')+1:], latest, p.number)
		if _, err := p.js.PublishMsg(ctx, &nats.Msg{
			Subject: p.subject, Data: []byte(strings.Join(openids, "\n")), Header: nats.Header{
				events.HeaderMsgID: {id}, headerListed: {listedAt(m).Format(time.RFC3339Nano)},
			},
		}, jetstream.WithRetryAttempts(publishAttempts)); err != nil {
			return found, fmt.Errorf("list of followers: %w", err)
		}
		stale = p.seqs
	}
	for _, seq := range stale {
		if err := p.stream.SecureDeleteMsg(ctx, seq); err != nil && !errors.Is(err, jetstream.ErrMsgNotFound) {
			return found, fmt.Errorf("overwrite a list of followers: %w", err)
		}
	}
	return found, nil
}
