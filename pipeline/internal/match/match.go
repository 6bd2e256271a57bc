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
	Doubled      Doubt = "doubled_row"   // one openid has two rows
	Unasked      Doubt = "unasked_row"   // a row for an openid that nobody asked
	UnionIDTwice Doubt = "unionid_twice" // two people with one unionid
	ManyBlanks   Doubt = "many_blanks"   // many rows missing or without a unionid
	Moved        Doubt = "unionid_moved" // somebody's unionid is in another's row
)

// Match returns, for each openid asked, the index of its row, or -1 where it
// has none, and the first doubt found. The openids asked must be distinct.
func Match(asked []string, rows []Row) (found []int, doubt Doubt) {
	const unanswered = -1
	index := make(map[string]int, len(asked))
	unionids := make(map[string]struct{}, len(rows))
	found = make([]int, len(asked))
	for i, openid := range asked {
		index[openid] = i
		found[i] = unanswered
	}
	note := func(d Doubt) {
		if doubt == None {
			doubt = d
		}
	}
	for r, row := range rows {
		i, asked := index[row.OpenID]
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

// maxWitnesses is how many people are worth a call of their own to believe a
// batch; with more in question it is cheaper to ask for all of them again.
const maxWitnesses = 3

// Witnesses returns whom to ask for alone before a batch is believed. When the
// column of unionids moves, one of them falls out at the end: somebody's row
// has none. If that person's row is missing altogether, or is blank as that of
// somebody who left, the move shows nowhere, except that asked for alone they
// have a unionid that is in another's row. So each of them is a witness: those
// without a row, followers without a unionid, and, of those who are said not
// to follow although fresh says that they should, the last.
//
// bound says that the account's followers are known to have unionids. Without
// any there is nothing to move, and nobody to ask.
func Witnesses(found []int, rows []Row, bound bool, fresh func(i int) bool) ([]int, Doubt) {
	var blank []int
	gone := -1
	for i, r := range found {
		switch {
		case r < 0:
			blank = append(blank, i)
		case rows[r].UnionID != "":
			bound = true
		case rows[r].Follows:
			blank = append(blank, i)
		case fresh(i) && (gone < 0 || r > found[gone]):
			gone = i
		}
	}
	if len(found) == 1 {
		gone = -1 // no column, no move: a later batch tells whether they have left
	}
	switch {
	case !bound:
		return nil, None
	case len(blank) > maxWitnesses:
		return nil, ManyBlanks
	case gone >= 0:
		blank = append(blank, gone)
	}
	return blank, None
}
