package term

import (
	"io"
	"slices"
	"strings"
	"unicode"

	"github.com/mattn/go-runewidth"
)

// width counts columns the same on every machine: a Chinese character is two,
// and characters of ambiguous width one, whatever the locale says.
var width = &runewidth.Condition{StrictEmojiNeutral: true}

const gap = "  "

// shed leaves out columns of a table, the first that is named first, until it
// fits the screen: what is left is whole. Only a terminal is ever too narrow.
func (s Screen) shed(header []string, rows [][]string, names []string) ([]string, [][]string) {
	columns := widths(header, rows)
	total := len(gap) * (len(columns) - 1)
	for _, n := range columns {
		total += n
	}
	left := make([]bool, len(header))
	for _, name := range names {
		if i := slices.Index(header, name); s.TTY && total > s.Width && i >= 0 {
			left[i] = true
			total -= columns[i] + len(gap)
		}
	}
	kept := func(row []string) (out []string) {
		for i, cell := range row {
			if !left[i] {
				out = append(out, cell)
			}
		}
		return out
	}
	out := make([][]string, len(rows))
	for i, row := range rows {
		out[i] = kept(row)
	}
	return kept(header), out
}

// widths are of the widest cells.
func widths(header []string, rows [][]string) []int {
	columns := make([]int, len(header))
	for _, row := range append([][]string{header}, rows...) {
		for i, cell := range row {
			columns[i] = max(columns[i], width.StringWidth(Clean(cell)))
		}
	}
	return columns
}

// Table prints rows below a header, in columns as wide as their widest cell. On
// a terminal that is too narrow it leaves out columns of those in less, the
// first first, and is cut if that is not enough.
func (s Screen) Table(header []string, rows [][]string, less ...string) error {
	header, rows = s.shed(header, rows, less)
	columns := widths(header, rows)
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

// Pairs prints names and values below each other, leaving out empty values. A
// value that is wider than a terminal goes on below itself.
func (s Screen) Pairs(pairs [][2]string) error {
	widest := 0
	for _, p := range pairs {
		if p[1] != "" {
			widest = max(widest, width.StringWidth(p[0]))
		}
	}
	var b strings.Builder
	for _, p := range pairs {
		if p[1] == "" {
			continue
		}
		head := width.FillRight(p[0], widest)
		lines := s.Entry(head+gap, p[1])
		name := strings.TrimRight(head, " ")
		lines[0] = s.Faint(name) + strings.TrimPrefix(lines[0], name)
		b.WriteString(strings.Join(lines, "\n") + "\n")
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
