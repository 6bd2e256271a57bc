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
}

// Doubt is a reason not to believe a batch. The values are metric labels.
type Doubt string

// The doubts.
const (
	None           Doubt = ""
	Doubled        Doubt = "doubled_row"     // one openid has two rows
	Unasked        Doubt = "unasked_row"     // a row for an openid that nobody asked
	UnionIDTwice   Doubt = "unionid_twice"   // two people with one unionid
	UnionIDDiffers Doubt = "unionid_changed" // a known openid has another unionid than before
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
