package term

import (
	"fmt"
	"time"
)

// How often progress is shown: on a terminal often enough to look alive,
// elsewhere seldom enough not to fill a log.
const (
	everyTTY   = 100 * time.Millisecond
	everyPlain = 5 * time.Second
)

// Progress shows how a long piece of work goes. Work that ends before the first
// period shows nothing. It is for one goroutine.
type Progress struct {
	screen Screen
	last   time.Time
	shown  bool
}

// NewProgress begins at now.
func NewProgress(s Screen, now time.Time) *Progress { return &Progress{screen: s, last: now} }

// Show prints the line if it is time for one.
func (p *Progress) Show(now time.Time, format string, args ...any) {
	every := everyPlain
	if p.screen.TTY {
		every = everyTTY
	}
	if now.Sub(p.last) < every {
		return
	}
	p.last = now
	line := fmt.Sprintf(format, args...)
	if p.screen.TTY {
		p.shown = true
		fmt.Fprint(p.screen, "\r\x1b[K"+p.screen.Fit(line))
		return
	}
	fmt.Fprintln(p.screen, line)
}

// Done clears the line on a terminal.
func (p *Progress) Done() {
	if p.shown {
		fmt.Fprint(p.screen, "\r\x1b[K")
		p.shown = false
	}
}
