package pipeline

import (
	"sync"

	"github.com/wxenrich/wxenrich/pipeline/internal/match"
	"github.com/wxenrich/wxenrich/wechat"
)

// A sheet is the memory in which a group's answers are worked out. It serves one
// group after another, from when WeChat has answered until all is stored: those
// whose calls are on their way, which are most, need none.
type sheet struct {
	asked   []string       // the openids
	rows    []match.Row    // what the answer has
	people  []*item        // those whose row is believed
	users   []*wechat.User // the rows of people
	answers []answer       // to all who wait for people
}

var sheets = sync.Pool{New: func() any { return new(sheet) }}

// maxSheet is how many answers the memory that is kept for the next group has
// room for: one may have had thousands, if a person occurs so often.
const maxSheet = 4 * wechat.MaxBatch

// free gives the sheet to whoever needs one next, without anything on it.
func (s *sheet) free() {
	if cap(s.answers) > maxSheet {
		return
	}
	clear(s.asked)
	clear(s.rows)
	clear(s.people)
	clear(s.users)
	clear(s.answers[:cap(s.answers)]) // those for further outputs are behind the others
	*s = sheet{s.asked[:0], s.rows[:0], s.people[:0], s.users[:0], s.answers[:0]}
	sheets.Put(s)
}
