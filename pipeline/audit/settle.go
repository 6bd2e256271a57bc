package audit

// settle counts every event into one term of its lane's balance.
func (r *run) settle() {
	for _, input := range r.inputs {
		b := r.books[input]
		r.settleReplays(input, b)
		if r.scope.Repeats {
			r.settleProducer(input, b)
		}
		for seq, s := range b.slots.all() {
			if b.elsewhere(seq, s) {
				b.others++
			} else if s.known() {
				r.settleOne(input, b, seq, s)
			}
		}
		if !b.forgets {
			r.noteUntold(input, b)
		}
		if b.others > 0 {
			r.note("%d answers are to events that %s does not hold under their time, or to subjects that are not looked at", b.others, input)
		}
	}
	if r.foreign > 0 {
		r.note("%d messages among the answers answer nothing: their Nats-Msg-Id is not ours", r.foreign)
	}
	r.explain()
}

func (r *run) settleOne(input string, b *book, seq uint64, s *slot) {
	lane, sum := &r.lanes[s.lane], &r.report.Lanes[s.lane]
	if sum.In++; sum.FirstSeq == 0 {
		sum.FirstSeq = seq
	}
	sum.LastSeq = seq
	switch {
	case b.erased[seq] && !s.live.answered():
		sum.Erased++
	case s.flags&gone != 0 && seq < b.first && !b.forgets:
		sum.Expired++
	case s.flags&gone != 0 && !b.forgets:
		sum.Deleted++
	case s.live.records > 0:
		sum.Records++
	case s.live.letters > 0:
		sum.DeadLetters++
	case s.flags&purged != 0:
		sum.Purged++
	case s.flags&replayed != 0:
		sum.Replayed++
	case !lane.start.IsZero() && s.stored < lane.start.UnixNano():
		sum.BeforeStart++
	case seq > lane.floor || s.flags&waiting != 0:
		sum.Pending++
	case !lane.horizon.IsZero() && s.stored < lane.horizon.UnixNano():
		sum.Unverifiable++
		lane.unverifiable.add(seq)
		if lane.letters && s.stored >= lane.recorded.UnixNano() {
			lane.letterless++
		}
	default:
		sum.Missing++
		if !lane.restored.IsZero() && s.stored < lane.restored.UnixNano() {
			lane.undone.add(seq)
		}
		r.find(sum.Missing, Finding{Kind: Missing, Stream: input, Seq: seq}, s)
	}
	r.settleExtra(input, seq, s, &s.live, "")
}

// settleReplays counts the answers of replays, for which the event is not
// accountable: nobody but the replay knows what it was asked for.
func (r *run) settleReplays(input string, b *book) {
	for id, cells := range b.replays {
		for seq, c := range cells.all() {
			s := b.slots.of(seq)
			if !c.answered() || b.elsewhere(seq, s) {
				continue
			}
			r.settleExtra(input, seq, s, c, id)
			if !s.live.answered() && s.flags&counted == 0 {
				s.flags |= counted
				continue
			}
			repeats := &r.report.Lanes[s.lane].Repeats
			repeats.Replay++
			if r.scope.Repeats {
				r.find(repeats.Replay, Finding{Kind: Repeated, Culprit: Replay, Replay: id, Stream: input, Seq: seq}, s)
			}
		}
	}
}

// settleExtra counts what one generation has answered too often.
func (r *run) settleExtra(input string, seq uint64, s *slot, c *cell, replay string) {
	n := c.extra(r.scope.Lanes[s.lane].Several)
	if n == 0 {
		return
	}
	sum := &r.report.Lanes[s.lane]
	sum.Doubled += n
	count := &sum.Repeats.Us
	if c.culprit() == Redrive {
		count = &sum.Repeats.Redrive
	}
	*count += n
	r.find(sum.Doubled-n+1, Finding{
		Kind: Doubled, Stream: input, Seq: seq, Culprit: c.culprit(), Replay: replay,
		Records: int(c.records), DeadLetters: int(c.letters),
	}, s)
}
