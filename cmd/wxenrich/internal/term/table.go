package term

import (
	"io"
	"strings"
	"unicode"

	"github.com/mattn/go-runewidth"
)

// width counts columns the same on every machine: a Chinese character is two,
// and characters of ambiguous width one, whatever the locale says.
var width = &runewidth.Condition{StrictEmojiNeutral: true}

const gap = "  "

// Table prints rows below a header, in columns as wide as their widest cell. It
// is cut at the screen's width on a terminal and never elsewhere.
func (s Screen) Table(header []string, rows [][]string) error {
	columns := make([]int, len(header))
	for _, row := range append([][]string{header}, rows...) {
		for i, cell := range row {
			columns[i] = max(columns[i], width.StringWidth(Clean(cell)))
		}
	}
	var b strings.Builder
	b.WriteString(s.Bold(s.Row(header, columns)) + "\n")
	for _, row := range rows {
		b.WriteString(s.Row(row, columns) + "\n")
	}
	_, err := io.WriteString(s, b.String())
	return err
}

// Row is one line of a table whose further rows are not known yet: a cell that
// is wider than its column pushes the rest aside.
func (s Screen) Row(cells []string, columns []int) string {
	var b strings.Builder
	for i, cell := range cells {
		if i > 0 {
			b.WriteString(gap)
		}
		cell = Clean(cell)
		if i < len(columns) {
			cell = width.FillRight(cell, columns[i])
		}
		b.WriteString(cell)
	}
	return s.Fit(strings.TrimRight(b.String(), " "))
}

// Pairs prints names and values below each other, leaving out empty values.
func (s Screen) Pairs(pairs [][2]string) error {
	widest := 0
	for _, p := range pairs {
		if p[1] != "" {
			widest = max(widest, width.StringWidth(p[0]))
		}
	}
	var b strings.Builder
	for _, p := range pairs {
		if p[1] != "" {
			b.WriteString(s.Faint(width.FillRight(p[0], widest)) + gap + Clean(p[1]) + "\n")
		}
	}
	_, err := io.WriteString(s, b.String())
	return err
}

// Fit cuts a line at the screen's width, on a terminal only.
func (s Screen) Fit(line string) string {
	if !s.TTY {
		return line
	}
	return width.Truncate(line, s.Width, "…")
}

// Clean makes text from outside harmless on a terminal: control characters,
// which a remark may well hold, become a visible mark.
func Clean(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) {
			return '\ufffd'
		}
		return r
	}, text)
}
