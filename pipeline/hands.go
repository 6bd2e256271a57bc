package pipeline

// A lane holds as many people as its calls and the next one ask for. Further
// events of somebody who is in hand take no place in a call, and a backlog may
// bring many in a row: were they counted like people, they would fill the lane's
// hands before its batch is full. They are bounded by themselves.
const (
	// sharers is how many such events may be in hand for each place of a batch.
	sharers = 50
	// sharersBytes is how large all that is in hand may be while it is more than
	// without them.
	sharersBytes = 16 << 20
)

// handsFull reports whether no event may be taken before one is answered.
func (l *loop) handsFull() bool {
	n, people := l.hand.n, l.cfg.inHand()
	if n < people {
		return false
	}
	return n-l.batch.Shared() >= people || n >= l.most || l.hand.bytes >= sharersBytes
}

// holdAtMost takes over what a durable lets a lane have in hand: with all of it
// waiting for a batch to fill, nothing would come that fills it.
func (l *loop) holdAtMost(maxAckPending int) {
	l.most = l.cfg.inHand() + sharers*l.cfg.BatchSize
	if maxAckPending > 0 {
		l.most = max(l.cfg.inHand(), min(l.most, maxAckPending-l.cfg.prefetch()))
	}
}
