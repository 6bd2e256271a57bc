package dead

import (
	"slices"
	"time"

	"github.com/wxenrich/wxenrich/events"
)

// Selection is which letters are meant: those for which all that is stated
// holds. The zero Selection means all. Its JSON form is part of a job.
type Selection struct {
	Seqs    []uint64        `json:"seqs,omitempty"` // in the stream of dead letters
	AppID   string          `json:"appid,omitempty"`
	Reasons []events.Reason `json:"reasons,omitempty"`
	Codes   []int           `json:"codes,omitempty"` // WeChat's errcodes; 0 is a letter without one
	Since   time.Time       `json:"since,omitzero"`  // stored at this time or later
	Until   time.Time       `json:"until,omitzero"`  // stored before this time
}

// All reports whether nothing is left out.
func (s *Selection) All() bool {
	return len(s.Seqs) == 0 && s.AppID == "" && len(s.Reasons) == 0 && len(s.Codes) == 0 && s.Since.IsZero() && s.Until.IsZero()
}

// Has reports whether a letter is meant.
func (s *Selection) Has(l *Letter) bool {
	return (len(s.Seqs) == 0 || slices.Contains(s.Seqs, l.Seq)) &&
		(s.AppID == "" || s.AppID == l.AppID) &&
		(len(s.Reasons) == 0 || slices.Contains(s.Reasons, l.Reason)) &&
		(len(s.Codes) == 0 || slices.Contains(s.Codes, l.Code)) &&
		!l.Stored.Before(s.Since) && (s.Until.IsZero() || l.Stored.Before(s.Until))
}
