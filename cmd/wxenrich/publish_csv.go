package main

import (
	"encoding/csv"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// csvForm reads comma-separated values. A column is a name in the first line,
// which is no openid then, or a number from 1, and there is no such line.
func csvForm(comma, column string) rowForm {
	return func(source io.Reader, yield func(row) bool) error {
		index := -1
		if n, err := strconv.Atoi(column); err == nil && n > 0 {
			index = n - 1
		}
		var wrong error
		c := csvRows{comma: comma, row: func(number int, cells []string, fault string) bool {
			if index < 0 {
				if index, wrong = columnOf(column, cells, fault); wrong != nil {
					return false
				}
				return true
			}
			x := row{number: number, fault: fault}
			if index < len(cells) {
				x.openid = cells[index]
			} else if fault == "" {
				x.fault = fmt.Sprintf("%d columns, want %d", len(cells), index+1)
			}
			return yield(x)
		}}
		if err := eachLine(source, c.add); err != nil {
			return err
		}
		c.end()
		return wrong
	}
}

// columnOf is which column the first line names so.
func columnOf(name string, cells []string, fault string) (int, error) {
	if fault != "" {
		return -1, usage("the first line: %s", fault)
	}
	index := -1
	for i, cell := range cells {
		if strings.EqualFold(strings.TrimSpace(cell), name) {
			index = i
		}
	}
	if index < 0 {
		return index, usage("the first line has no column %q: %s", name, strings.Join(cells, ", ")).
			hint("--column names another, or counts from 1: --column 2")
	}
	return index, nil
}

// mostLines is how many lines a row may have: a quoted cell may hold line breaks.
const mostLines = 100

// csvRows puts lines together to rows. A quote that is not closed would swallow
// what comes behind it, so the line where it opens is a fault, and reading goes on
// with the next.
type csvRows struct {
	comma string
	row   func(number int, cells []string, fault string) bool // false: no more

	held   []string // lines of a row with an open cell
	first  int      // the number of the first of them
	opened int      // which of them the cell begins in
	over   bool     // row has said so
}

// add takes a line; false ends it.
func (c *csvRows) add(number int, text string) bool {
	goingOn := len(c.held) > 0
	if !goingOn {
		if text == "" {
			return true
		}
		c.first = number
	}
	c.held = append(c.held, text)
	opens, open, whole := quotes(text, c.comma, goingOn)
	if opens || !goingOn {
		c.opened = len(c.held) - 1
	}
	switch {
	case !whole || open && len(c.held) == mostLines:
		c.giveUp()
	case !open:
		c.emit()
	}
	return !c.over
}

// end is when there are no more lines.
func (c *csvRows) end() {
	for len(c.held) > 0 && !c.over {
		c.giveUp()
	}
}

// emit hands on a row that is whole.
func (c *csvRows) emit() {
	text := strings.Join(c.held, "\n")
	c.held = c.held[:0]
	if !strings.Contains(text, `"`) {
		c.over = !c.row(c.first, strings.Split(text, c.comma), "")
		return
	}
	in := csv.NewReader(strings.NewReader(text))
	in.Comma, in.FieldsPerRecord, in.LazyQuotes = []rune(c.comma)[0], -1, true
	cells, err := in.Read()
	fault := ""
	if err != nil {
		fault = err.Error()
	}
	c.over = !c.row(c.first, cells, fault)
}

// giveUp takes the open cell for a mistake, and the lines behind it for rows.
func (c *csvRows) giveUp() {
	number, again := c.first+c.opened, c.held[c.opened+1:]
	c.held = nil
	c.over = !c.row(number, nil, "a quote opens here and is not closed")
	for i, text := range again {
		if c.over || !c.add(number+1+i, text) {
			return
		}
	}
}

// quotes looks for the quoted cells of a line that begins within one, or not:
// whether one opens in it that stays open, whether one is open at its end, and
// whether that from before ends where a cell can. Within a line a quote may stand
// in a cell as it is, as nicknames have them.
func quotes(line, comma string, inside bool) (opens, open, whole bool) {
	before := inside
	for {
		if !inside {
			if !strings.HasPrefix(line, `"`) {
				_, rest, more := strings.Cut(line, comma)
				if !more {
					return false, false, true
				}
				line = rest
				continue
			}
			line, inside = line[1:], true
		}
		_, rest, closes := strings.Cut(line, `"`)
		switch {
		case !closes:
			return !before, true, true
		case rest == "":
			return false, false, true
		case rest[0] == '"':
			rest = rest[1:]
		case strings.HasPrefix(rest, comma):
			rest, inside, before = rest[len(comma):], false, false
		case before:
			return false, true, false
		}
		line = rest
	}
}
