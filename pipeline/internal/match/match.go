// Package match brings the rows of a batch answer together with what was
// asked, by openid and never by position, and says whether the batch can be
// believed at all.
//
// WeChat documents neither the order of the rows nor that every openid gets
// one, and a batch with an unknown openid in it has been seen to come back
// with its unionid column moved by one row: every openid right, every unionid
// somebody else's. One sign that a batch is not what it should be puts all of
// its rows in doubt.
package match

import "slices"

// Row is what can be checked of one answer.
type Row struct {
	OpenID  string
	UnionID string
	Follows bool
}

// Doubt is a reason not to believe a batch. The values are metric labels.
type Doubt string

// The doubts.
const (
	None         Doubt = ""
	Doubled      Doubt = "doubled_row"     // one openid has two rows
	Unasked      Doubt = "unasked_row"     // a row for an openid that nobody asked
	UnionIDTwice Doubt = "unionid_twice"   // two people with one unionid
	ManyBlanks   Doubt = "many_blanks"     // many rows missing
	Moved        Doubt = "unionid_moved"   // somebody's unionid is in another's row
	Changed      Doubt = "unionid_changed" // somebody had another unionid before
	Sampled      Doubt = "sample_differs"  // user/info says something else of somebody
)

// Match returns, for each openid asked, the index of its row, or -1 where it
// has none, and the first doubt found. The openids asked must be distinct.
func Match(asked []string, rows []Row) (found []int, doubt Doubt) {
	const unanswered = -1
	of := finder{asked: asked}
	unionids := make(map[string]struct{}, len(rows))
	found = make([]int, len(asked))
	for i := range found {
		found[i] = unanswered
	}
	note := func(d Doubt) {
		if doubt == None {
			doubt = d
		}
	}
	for r, row := range rows {
		i, asked := of.find(row.OpenID, r)
		if !asked {
			note(Unasked)
			continue
		}
		if found[i] != unanswered {
			note(Doubled)
			continue
		}
		found[i] = r
		if row.UnionID == "" {
			continue
		}
		if _, twice := unionids[row.UnionID]; twice {
			note(UnionIDTwice)
		}
		unionids[row.UnionID] = struct{}{}
	}
	return found, doubt
}

// finder finds openids among those that were asked.
type finder struct {
	asked []string
	index map[string]int // made when it is needed
}

// find looks at a place first: as a rule rows come in the order of the question.
func (f *finder) find(openid string, first int) (i int, asked bool) {
	if first < len(f.asked) && f.asked[first] == openid {
		return first, true
	}
	if f.index == nil {
		f.index = make(map[string]int, len(f.asked))
		for i, openid := range f.asked {
			f.index[openid] = i
		}
	}
	i, asked = f.index[openid]
	return i, asked
}

// Expect says whether an account's followers have unionids.
type Expect uint8

// What may be expected.
const (
	Perhaps Expect = iota // none has had one yet
	Always                // all have
	Never                 // nobody is missed for having none
)

// MaxWitnesses is how many people are worth a call of their own to believe a
// batch; with more in question it is cheaper to ask for all of them again.
const MaxWitnesses = 3

// Witnesses returns whom to ask for again before a batch is believed. When the
// column of unionids moves, one of them falls out at the end: somebody's row
// has none. If that person's row is missing altogether the move shows nowhere,
// except that asked for alone they have a unionid that is in another's row. So
// each of them is a witness: those without a row, who are missing, and followers
// without a unionid, who are lacking one.
//
// That does not show every move: the last row may be of somebody who does not
// follow and has none to lose, or is blank as if, and where a unionid has
// moved to may be such a row. So if the last row has none, the last
// who has one is to be asked for as well, and the batch is as good as that row:
// check is their index, or -1.
//
// expect says whether followers should have unionids. Without any there is
// nothing to move, and nobody to ask. With Never those without one are not asked
// for, except who has the last row: theirs is what a moved column has lost.
func Witnesses(found []int, rows []Row, expect Expect) (missing, lacking []int, check int, doubt Doubt) {
	bound := expect == Always
	check = -1
	for i, r := range found {
		switch {
		case r < 0:
			missing = append(missing, i)
		case rows[r].UnionID != "":
			bound = true
			if check < 0 || r > found[check] {
				check = i
			}
		case rows[r].Follows && expect != Never:
			lacking = append(lacking, i)
		}
	}
	if last := len(rows) - 1; len(found) == 1 || last < 0 || rows[last].UnionID != "" {
		check = -1
	} else if expect == Never && check >= 0 && rows[last].Follows {
		lacking = []int{slices.Index(found, last)}
	}
	switch {
	case !bound:
		return nil, nil, -1, None
	case len(missing) > MaxWitnesses:
		return nil, nil, -1, ManyBlanks
	}
	return missing, lacking, check, None
}
