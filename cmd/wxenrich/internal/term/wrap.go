package term

import (
	"io"
	"strings"
)

// Text prints a text as Wrap breaks it.
func (s Screen) Text(indent, text string) error {
	_, err := io.WriteString(s, strings.Join(s.Wrap(indent, text), "\n")+"\n")
	return err
}

// entryRoom is what a text beside a head needs; below it stands where there is
// less.
const entryRoom = 16

// Entry is a text that begins behind a head and goes on below its own beginning,
// on a terminal only.
func (s Screen) Entry(head, text string) []string {
	if !s.TTY {
		return []string{head + Clean(text)}
	}
	n := width.StringWidth(head)
	if s.Width-n < entryRoom {
		return append([]string{s.Fit(strings.TrimRight(head, " "))}, s.Wrap("    ", text)...)
	}
	lines := s.Wrap(strings.Repeat(" ", n), text)
	lines[0] = head + strings.TrimLeft(lines[0], " ")
	return lines
}

// Wrap breaks text between words so that it fits the screen, on a terminal
// only; a word that is longer is broken too. Every line is indented.
func (s Screen) Wrap(indent, text string) []string {
	text = Clean(text)
	if !s.TTY {
		return []string{indent + text}
	}
	var lines []string
	line := indent
	for word := range strings.FieldsSeq(text) {
		if line != indent && width.StringWidth(line)+1+width.StringWidth(word) > s.Width {
			lines = append(lines, line)
			line = indent
		}
		if line != indent {
			line += " "
		}
		line += word
		for line != indent && width.StringWidth(line) > s.Width { // a word that no line holds
			part := width.Truncate(line, s.Width, "")
			if len(part) <= len(indent) {
				break // nor a character of it
			}
			lines = append(lines, part)
			line = indent + line[len(part):]
		}
	}
	return append(lines, line)
}
