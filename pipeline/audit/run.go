package audit

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/wxenrich/wxenrich/events"
	"github.com/wxenrich/wxenrich/pipeline/scan"
)

// Run audits. It changes nothing, needs to read the streams and their and the
// durables' info, and may run beside the service: the end of the range is
// fixed when it begins. What the law says is in the Report; an error means that
// it could not be read, and wraps jetstream.ErrStreamNotFound when a stream is
// missing.
func Run(ctx context.Context, js jetstream.JetStream, s Scope) (Report, error) {
	if err := s.validate(); err != nil {
		return Report{}, err
	}
	if s.Show == 0 {
		s.Show = defaultShow
	}
	r := &run{
		js: js, scope: s, begun: time.Now(),
		lanes: make([]lane, len(s.Lanes)), report: Report{Lanes: make([]Balance, len(s.Lanes)), Findings: []Finding{}, Notes: []string{}},
		streams: map[string]jetstream.Stream{}, books: map[string]*book{},
		byAppID: map[[2]string]int{}, explained: map[string]uint64{}, purged: map[string]uint64{}, partly: map[string]bool{}, memories: map[string]memory{},
	}
	for _, step := range []func(context.Context) error{r.open, r.readInputs, r.readAnswers, r.readPending, r.markPurged, r.markErased, r.readDeletions, r.readHorizons, r.markForgotten} {
		if err := step(ctx); err != nil {
			return Report{}, err
		}
	}
	r.settle()
	r.name(ctx)
	return r.report, nil
}

// run is one audit.
type run struct {
	js     jetstream.JetStream
	scope  Scope
	begun  time.Time
	report Report
	lanes  []lane // as Scope.Lanes

	streams   map[string]jetstream.Stream    // all that there are, by name
	inputs    []string                       // their names, each once
	books     map[string]*book               // by input
	byAppID   map[[2]string]int              // lane by input and appid
	earliest  time.Time                      // no event of the range is older; zero when we cannot know
	partly    map[string]bool                // by stream of answers: not all of it was read
	strange   bool                           // among what was read are redrives' answers of other accounts
	explained map[string]uint64              // by dead-letter stream: removals that redrives account for
	purged    map[string]uint64              // the same: by a person, and what redrives had removed before
	removed   map[string]map[uint64]struct{} // by stream: sequences that an erasure accounts for
	memories  map[string]memory              // by stream of answers
	doubts    []string                       // notes that matter only when events lack an answer
	foreign   uint64                         // messages among the answers that answer nothing
}

// lane is what an audit has to know of a lane beyond what it is told.
type lane struct {
	start   time.Time // earlier events were not asked for; zero when all were
	floor   uint64    // no event above it is acknowledged for certain
	life    time.Time // of the durable: a stream that is younger has had a forerunner, with answers
	horizon time.Time // an answer to an earlier event may be forgotten
	why     string    // it may
	taken   bool      // by a person: age has not

	// Where it is only dead letters that are forgotten, and how many is known:
	// an event since recorded has no record.
	letters  bool
	recorded time.Time

	restored     time.Time // when a stream of its answers was restored from a backup; zero if none was
	restoredName string

	unverifiable stretch
	undone       stretch // missing, and from before a stream was restored
	letterless   uint64  // of the unverifiable, what has no record and may have had a dead letter
}

// open notes where everything stands.
func (r *run) open(ctx context.Context) error {
	for i := range r.scope.Lanes {
		l := &r.scope.Lanes[i]
		for _, name := range []string{l.Stream, l.Output, l.Dead} {
			if r.streams[name] != nil {
				continue
			}
			stream, err := r.js.Stream(ctx, name)
			if err != nil {
				return fmt.Errorf("audit: stream %s: %w", name, err)
			}
			r.streams[name] = stream
		}
		if r.books[l.Stream] == nil {
			info := r.streams[l.Stream].CachedInfo()
			b := &book{first: info.State.FirstSeq, end: info.State.LastSeq}
			if info.Config.Mirror == nil && len(info.Config.Sources) == 0 && !restored(info) { // else events may be older than it
				b.born = info.Created
			}
			if b.forgets = info.Config.Retention != jetstream.LimitsPolicy; b.forgets {
				b.first = b.end + 1
			}
			if r.scope.ToSeq != 0 {
				b.end = min(b.end, r.scope.ToSeq)
			}
			r.books[l.Stream] = b
			r.inputs = append(r.inputs, l.Stream)
		}
		if _, taken := r.byAppID[[2]string{l.Stream, l.AppID}]; !taken {
			r.byAppID[[2]string{l.Stream, l.AppID}] = i
		}
		if err := r.openDurable(ctx, i); err != nil {
			return err
		}
	}
	return nil
}

// readInputs notes every event of the range.
func (r *run) readInputs(ctx context.Context) error {
	var earliest time.Time
	fromStart := false
	for _, input := range r.inputs {
		b := r.books[input]
		if b.forgets {
			fromStart = true
			continue
		}
		laneOf := map[string]int{}
		s := scan.Span{Stream: input, From: r.scope.FromSeq, Since: r.scope.Since, End: b.end}
		for i, l := range r.scope.Lanes {
			if l.Stream != input {
				continue
			}
			for _, subject := range l.Subjects {
				if _, taken := laneOf[subject]; !taken {
					laneOf[subject] = i
					s.Subjects = append(s.Subjects, subject)
				}
			}
		}
		err := r.scan(ctx, s, func(m jetstream.Msg, meta *jetstream.MsgMetadata) bool {
			if !r.scope.Until.IsZero() && !meta.Timestamp.Before(r.scope.Until) {
				return false
			}
			seq, stored := meta.Sequence.Stream, meta.Timestamp.UnixNano()
			if i, ok := laneOf[m.Subject()]; ok && r.scope.has(seq, stored) {
				s := slot{stored: stored, lane: uint16(i), flags: present}
				if w := r.scope.Lanes[i].Waiting; w != nil && w(value(m.Headers(), events.HeaderMsgID)) {
					s.flags |= waiting
				}
				*b.slots.of(seq) = s
				if r.scope.Repeats {
					b.noteProducerIDs(i, seq, m.Headers())
				}
				if earliest.IsZero() || meta.Timestamp.Before(earliest) {
					earliest = meta.Timestamp
				}
			}
			return true
		})
		if err != nil {
			return err
		}
		fromStart = fromStart || r.scope.FromSeq < b.first
	}
	switch {
	case !r.scope.Since.IsZero():
		r.earliest = r.scope.Since
	case !fromStart: // else answers may tell of events that are gone
		r.earliest = earliest
	}
	return nil
}

// readAnswers reads the dead letters, until there are none that we have not
// seen, and then the records.
func (r *run) readAnswers(ctx context.Context) error {
	var dead, output []string
	subjects := map[string][]string{}
	everything := map[string]bool{}
	for _, l := range r.scope.Lanes {
		dead, output = append(dead, l.Dead), append(output, l.Output)
		for stream, subject := range map[string]string{l.Dead: l.DeadSubject, l.Output: l.OutputSubject} {
			everything[stream] = everything[stream] || subject == "" || l.Dead == l.Output
			if !slices.Contains(subjects[stream], subject) {
				subjects[stream] = append(subjects[stream], subject)
			}
		}
	}
	done := map[string]bool{}
	for _, name := range slices.Concat(dead, output) {
		if done[name] {
			continue
		}
		done[name] = true
		s := scan.Span{Stream: name, Subjects: subjects[name]}
		if everything[name] {
			s.Subjects = nil
		}
		if !r.earliest.IsZero() {
			s.Since = r.earliest.Add(-clockSkew)
		}
		r.partly[name] = s.Subjects != nil || !s.Since.IsZero()
		if err := r.readAll(ctx, s, slices.Contains(dead, name)); err != nil {
			return err
		}
	}
	return nil
}

// clockSkew is by how much the clocks of the leaders of two streams may differ.
const clockSkew = 5 * time.Minute

// readAll reads a stream of answers to its end, and once more what has come
// since, if it is to be followed.
func (r *run) readAll(ctx context.Context, s scan.Span, follow bool) error {
	for {
		info, err := r.streams[s.Stream].Info(ctx)
		if err != nil {
			return fmt.Errorf("audit: stream %s: %w", s.Stream, err)
		}
		s.End = info.State.LastSeq
		if s.From > s.End {
			return nil
		}
		if err := r.scan(ctx, s, r.visitAnswer); err != nil || !follow {
			return err
		}
		s.From, s.Since = s.End+1, time.Time{}
	}
}

// scan reads headers.
func (r *run) scan(ctx context.Context, s scan.Span, visit func(jetstream.Msg, *jetstream.MsgMetadata) bool) error {
	if r.scope.Progress != nil {
		s.Progress = func(done, total uint64) { r.scope.Progress(s.Stream, done, total) }
	}
	if err := scan.Read(ctx, r.js, s, visit); err != nil {
		return fmt.Errorf("audit: %w", err)
	}
	return nil
}

func (r *run) visitAnswer(m jetstream.Msg, _ *jetstream.MsgMetadata) bool {
	a, ok := parseAnswer(m.Headers())
	if !ok {
		r.foreign++
		return true
	}
	b := r.books[a.src.Stream]
	if b == nil {
		r.strange = r.strange || a.hop > 0
		return true
	}
	i, ours := r.byAppID[[2]string{a.src.Stream, a.appid}]
	if ours && a.hop > 0 {
		r.explained[r.scope.Lanes[i].Dead] += uint64(a.hop)
	}
	r.strange = r.strange || !ours && a.hop > 0
	stored := a.src.Time.UnixNano()
	if a.src.Seq > b.end || !r.scope.has(a.src.Seq, stored) {
		return true
	}
	s := b.slots.of(a.src.Seq)
	if !s.known() && ours && !a.src.Time.Before(b.born) {
		*s = slot{stored: stored, lane: uint16(i), flags: gone}
	}
	if !s.known() || s.stored != stored {
		if ours {
			b.others++
		}
		return true
	}
	c := &s.live
	if a.replay != "" {
		s.flags |= replayed
		c = b.replay(a.replay).of(a.src.Seq)
	}
	c.add(&a)
	if r.scope.Repeats {
		b.noteEventID(int(s.lane), &a)
	}
	return true
}
