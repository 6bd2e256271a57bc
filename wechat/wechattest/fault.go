package wechattest

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Fault makes the service fail. Its JSON form is that of POST /_sim/fault.
type Fault struct {
	Match Match  `json:"match"`
	Times int    `json:"times,omitempty"` // how often it strikes; 0 until it is removed
	Do    Action `json:"do"`
}

// Match chooses the calls; a zero field matches all.
type Match struct {
	Endpoint    string  `json:"endpoint,omitempty"`    // such as "user/info/batchget"
	AppID       string  `json:"appid,omitempty"`       //
	OpenID      string  `json:"openid,omitempty"`      // asked for in this call; row faults then hit its row
	Nth         int     `json:"nth,omitempty"`         // only the nth of the calls that match, from 1
	Probability float64 `json:"probability,omitempty"` // of each call that matches; 0 means always
}

// Action is what a fault does. Fields may be combined; of several faults that
// strike one call all act, the first with a reply of its own decides it.
type Action struct {
	Latency *Latency `json:"latency,omitempty"` // wait, besides the server's own latency
	Hang    bool     `json:"hang,omitempty"`    // never answer
	Reset   bool     `json:"reset,omitempty"`   // end the connection instead of answering

	Code    int    `json:"code,omitempty"`    // answer this errcode
	Message string `json:"message,omitempty"` // its errmsg; default the service's
	Quoted  bool   `json:"quoted,omitempty"`  // errcode as a JSON string
	Status  int    `json:"status,omitempty"`  // answer this HTTP status
	Body    string `json:"body,omitempty"`    // with this body
	HTML    bool   `json:"html,omitempty"`    // answer a proxy's HTML page

	Truncate int      `json:"truncate,omitempty"` // end the connection after so many bytes of the body
	Slow     Duration `json:"slow,omitempty"`     // spread the body over this time

	MissingRow   bool `json:"missing_row,omitempty"`
	DoubledRow   bool `json:"doubled_row,omitempty"`
	UnaskedRow   bool `json:"unasked_row,omitempty"`
	BlankRow     bool `json:"blank_row,omitempty"`     // a follower's row with subscribe 0
	ShiftUnionID bool `json:"shift_unionid,omitempty"` // from a row on each has its neighbour's, the last none
	ControlChars bool `json:"control_chars,omitempty"` // raw control characters in every remark
}

// faultList holds the faults in force.
type faultList struct {
	any  atomic.Bool // false lets calls pass without the lock
	mu   sync.Mutex
	list []*activeFault
	last int // id
}

type activeFault struct {
	Fault
	id      int
	matched int
	struck  int
}

// Inject puts a fault in force and returns what removes it again.
func (s *Server) Inject(f Fault) (remove func()) {
	id := s.faulty.add(f)
	return func() { s.faulty.remove(id) }
}

func (l *faultList) add(f Fault) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.last++
	l.list = append(l.list, &activeFault{Fault: f, id: l.last})
	l.any.Store(true)
	return l.last
}

// remove removes a fault, or all of them for id 0, and says how many it were.
func (l *faultList) remove(id int) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	before := len(l.list)
	l.list = slices.DeleteFunc(l.list, func(f *activeFault) bool { return id == 0 || f.id == id })
	l.any.Store(len(l.list) > 0)
	return before - len(l.list)
}

func (f *activeFault) strikes(x *exchange, appid string, chance func() float64) bool {
	m := f.Match
	if m.Endpoint != "" && m.Endpoint != x.endpoint ||
		m.AppID != "" && m.AppID != appid ||
		m.OpenID != "" && !slices.Contains(x.openids, m.OpenID) ||
		f.Times > 0 && f.struck >= f.Times {
		return false
	}
	f.matched++
	if m.Nth > 0 && f.matched != m.Nth || m.Probability > 0 && chance() >= m.Probability {
		return false
	}
	f.struck++
	return true
}

// faults collects the faults that strike this call, waits as long as it has to
// take, and returns the reply of a fault that has one.
func (x *exchange) faults() *reply {
	s, appid := x.srv, ""
	if x.acc != nil {
		appid = x.acc.cfg.AppID
	}
	if s.faulty.any.Load() {
		s.faulty.mu.Lock()
		for _, f := range s.faulty.list {
			if f.strikes(x, appid, func() (u float64) { s.random(func(r *rand.Rand) { u = r.Float64() }); return u }) {
				x.actions = append(x.actions, f.Do)
				if f.Match.OpenID != "" {
					x.target = f.Match.OpenID
				}
			}
		}
		s.faulty.mu.Unlock()
	}
	var took time.Duration
	if !x.turnedAway {
		took = s.latency.draw(s)
	}
	for _, do := range x.actions {
		if do.Latency != nil {
			took += do.Latency.draw(s)
		}
	}
	if !wait(x.req, took) {
		return &reply{abort: true}
	}
	for _, do := range x.actions {
		if r := do.reply(x); r != nil {
			return r
		}
	}
	return nil
}

func (do *Action) reply(x *exchange) *reply {
	switch {
	case do.Hang:
		<-x.req.Context().Done()
		return &reply{abort: true}
	case do.Reset:
		return &reply{reset: true}
	case do.HTML:
		return &reply{status: do.Status, html: true, body: []byte("<html><head><title>502 Bad Gateway</title></head><body>nginx</body></html>")}
	case do.Code != 0:
		r := fail(do.Code)
		if do.Message != "" {
			r.text = do.Message
		}
		r.status, r.quoted = do.Status, do.Quoted
		return r
	case do.Status != 0 || do.Body != "":
		return &reply{status: do.Status, body: []byte(do.Body)}
	}
	return nil
}

// tail applies what happens to a body on its way.
func (x *exchange) tail(r *reply) *reply {
	for _, do := range x.actions {
		r.cut = max(r.cut, do.Truncate)
		r.lasting += do.Slow.std()
	}
	return r
}

// spoil applies the faults of rows.
func (x *exchange) spoil(subjects []subject) []subject {
	for _, do := range x.actions {
		if len(subjects) == 0 {
			break
		}
		at := slices.IndexFunc(subjects, func(s subject) bool { return s.openid == x.target })
		if at < 0 {
			x.srv.random(func(r *rand.Rand) { at = r.IntN(len(subjects)) })
		}
		if do.BlankRow {
			subjects[at].blank = true
		}
		if do.ShiftUnionID {
			shiftUnions(subjects, at)
		}
		if do.DoubledRow {
			subjects = append(subjects, subjects[at])
		}
		if do.UnaskedRow {
			subjects = append(subjects, x.unasked())
		}
		if do.MissingRow {
			subjects = slices.Delete(subjects, at, at+1)
		}
	}
	return subjects
}

// unasked returns the first person whom the call did not ask for.
func (x *exchange) unasked() subject {
	for i := uint64(0); ; i++ {
		openid := x.acc.OpenID(int(i))
		if !slices.Contains(x.openids, openid) {
			return subject{openid: openid, number: i, union: i, follows: true}
		}
	}
}

// nobodysUnion marks a row that gets no unionid.
const nobodysUnion = ^uint64(0)

// shiftUnions gives the rows from at on the unionid of their neighbour behind.
func shiftUnions(subjects []subject, at int) {
	for i := at; i < len(subjects); i++ {
		subjects[i].union = nobodysUnion
		if i+1 < len(subjects) {
			subjects[i].union = subjects[i+1].number
		}
	}
}

// dirty puts the control characters of real remarks into every remark.
func dirty(body []byte) []byte {
	return bytes.ReplaceAll(body, []byte(`"remark":"`), []byte(strings.Join([]string{`"remark":"`, "\a", "\b", "\x14"}, "")))
}
