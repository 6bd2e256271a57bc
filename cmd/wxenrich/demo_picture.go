package main

import (
	"fmt"
	"strings"

	"github.com/wxenrich/wxenrich/cmd/wxenrich/internal/term"
	"github.com/wxenrich/wxenrich/events"
)

// picture draws over the picture before. When the window was resized, its
// lines may have been wrapped anew, and everything is drawn from the top.
func (v *demoView) picture(screen term.Screen, t tally, last []events.Record) {
	var b strings.Builder
	switch {
	case v.drawn > 0 && v.width != screen.Width:
		b.WriteString("\x1b[2J\x1b[H" + v.intro())
	case v.drawn > 0:
		fmt.Fprintf(&b, "\x1b[%dA", v.drawn)
	}
	layout := layoutFor(screen.Width)
	var lines []string
	for _, line := range v.counters(t) {
		lines = append(lines, screen.Bold(screen.Fit(line)))
	}
	lines = append(lines, screen.Faint(screen.Row(pictureHeader, layout.widths)))
	for i := range last {
		lines = append(lines, screen.Row(layout.cells(&last[i]), layout.widths))
	}
	for _, line := range lines {
		b.WriteString("\r\x1b[K" + line + "\n")
	}
	v.drawn, v.width = len(lines), screen.Width
	v.print(b.String())
}

// pictureHeader names the picture's columns.
var pictureHeader = []string{"openid", "unionid", "scene", "tags", "remark", "status"}

// A pictureLayout is how wide the columns are, and how much of an id is shown.
type pictureLayout struct {
	widths []int
	id     int // characters of an openid or unionid; 0 is all
}

// layoutFor shortens ids where the remark would not fit.
func layoutFor(width int) pictureLayout {
	const whole = 120
	if width >= whole {
		return pictureLayout{widths: []int{28, 28, 20, 11, 14}}
	}
	return pictureLayout{widths: []int{11, 11, 20, 11, 14}, id: 11}
}

func (l pictureLayout) cells(r *events.Record) []string {
	u := r.User
	return []string{l.short(r.Event.OpenID), l.short(r.UnionID), scene(u), tags(u.TagIDs), u.Remark, string(r.Status)}
}

// short keeps the end of an id: those of one account begin alike.
func (l pictureLayout) short(id string) string {
	if l.id == 0 || len(id) <= l.id {
		return id
	}
	return "…" + id[len(id)-l.id+1:]
}
