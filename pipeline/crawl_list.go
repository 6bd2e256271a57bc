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
// followers. Each leaves a place behind, since others are known by theirs.
func BlankCrawls(ctx context.Context, js jetstream.JetStream, c Crawls, erased func(openid string, at time.Time) bool) error {
	all, err := c.parts(ctx, js, "*")
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	s, err := js.Stream(ctx, c.Stream.Name)
	if err != nil {
		return err
	}
	var faults []error
	for _, subject := range slices.Sorted(maps.Keys(all)) {
		for part, seqs := range all[subject] {
			if part == 0 {
				continue
			}
			if err := blankPart(ctx, js, s, subject, part, seqs, all[subject].whole(), erased); err != nil {
				faults = append(faults, err)
			}
		}
	}
	return errors.Join(faults...)
}

// blankPart replaces one message by one without those who are erased, and then
// overwrites it. The older ones of its number are of somebody who died between.
func blankPart(ctx context.Context, js jetstream.JetStream, s jetstream.Stream, subject string, part int, seqs []uint64, whole bool, erased func(string, time.Time) bool) error {
	latest := seqs[len(seqs)-1]
	m, err := s.GetMsg(ctx, latest)
	if err != nil {
		return fmt.Errorf("list of followers: %w", err)
	}
	openids := strings.Fields(string(m.Data))
	blanked := false
	for i, openid := range openids {
		if erased(openid, listedAt(m)) {
			openids[i], blanked = nobody, true
		}
	}
	stale := seqs[:len(seqs)-1]
	if blanked {
		if !whole {
			return errUnderWay
		}
		id := fmt.Sprintf("%s:%d:%d", subject[strings.LastIndexByte(subject, '.')+1:], latest, part)
		if _, err := js.PublishMsg(ctx, &nats.Msg{
			Subject: subject, Data: []byte(strings.Join(openids, "\n")), Header: nats.Header{
				events.HeaderMsgID: {id}, headerListed: {listedAt(m).Format(time.RFC3339Nano)},
			},
		}, jetstream.WithRetryAttempts(publishAttempts)); err != nil {
			return fmt.Errorf("list of followers: %w", err)
		}
		stale = seqs
	}
	for _, seq := range stale {
		if err := s.SecureDeleteMsg(ctx, seq); err != nil && !errors.Is(err, jetstream.ErrMsgNotFound) {
			return fmt.Errorf("overwrite a list of followers: %w", err)
		}
	}
	return nil
}
