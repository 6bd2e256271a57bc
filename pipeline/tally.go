package pipeline

// A tally counts the account's calls: those that were answered, and those that
// failed in a way that names nobody, such as -1.
type tally struct{ answered, failed int }

// How many calls for others show that it is not everybody who fails: to divide
// a group, and to give one person up.
const (
	fewOthers  = 2
	manyOthers = 4
)

// others is how the calls for others have fared since t, if so many failed for
// oneself.
func (p *proof) others(t tally, own int) tally {
	now := p.so()
	return tally{now.answered - t.answered, now.failed - t.failed - own}
}

// well reports whether hardly any call failed, of enough. While a good part of
// everybody's calls fail, that one's own do says nothing about oneself.
func (t tally) well(enough int) bool { return t.answered >= enough && t.answered >= 4*t.failed }

// ill reports the contrary: that too many failed, of enough.
func (t tally) ill(enough int) bool { return t.answered+t.failed >= enough && !t.well(enough) }
