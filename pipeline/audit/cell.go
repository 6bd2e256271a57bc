package audit

// cell is what was seen of the answers to one event in one generation. The
// order in which they are seen makes no difference.
type cell struct {
	records, letters     uint8 // up to 255
	recordHop, letterHop uint8 // the highest
	older                bool  // there are letters of different hops
}

func (c *cell) add(a *answer) {
	hop := uint8(min(a.hop, 255))
	if !a.dead {
		c.records = saturated(c.records)
		c.recordHop = max(c.recordHop, hop)
		return
	}
	c.older = c.older || c.letters > 0 && hop != c.letterHop
	c.letters = saturated(c.letters)
	c.letterHop = max(c.letterHop, hop)
}

func saturated(n uint8) uint8 { return min(n, 254) + 1 }

func (c *cell) answered() bool { return c.records > 0 || c.letters > 0 }

// superseded reports whether a dead letter lies beside its redrive's answer: a
// redrive removes the letter only when its answer is stored, so one of them
// may be seen.
func (c *cell) superseded() bool {
	if c.records > 0 {
		return c.letters > 0 && c.letterHop < c.recordHop
	}
	return c.older
}

// lies is how many of the letters that the hops of its answers stand for lie there
// still, where one is superseded.
func (c *cell) lies() uint64 { return uint64(c.letterHop) + uint64(min(1, c.records)) }

// extra is how many answers there are beyond the one. Beside a record a dead
// letter is none if it may be for another output.
func (c *cell) extra(several bool) uint64 {
	n := int(c.records) + int(c.letters) - 1
	if c.superseded() {
		n--
	}
	if several && c.records > 0 {
		n = int(c.records) - 1
	}
	return uint64(max(n, 0))
}

func (c *cell) culprit() Culprit {
	if c.recordHop > 0 || c.letterHop > 0 {
		return Redrive
	}
	return Us
}
