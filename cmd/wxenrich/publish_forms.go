package main

import (
	"bufio"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/tidwall/gjson"
)

// maxLine is how long a line may be, in bytes.
const maxLine = 1 << 20

// defaultColumn is where an openid is unless --column says otherwise.
const defaultColumn = "openid"

// form is how the input is to be read: as --from says, else by the name of the
// file.
func (p publishFlags) form() (rowForm, error) {
	from := p.from
	if from == "" {
		switch strings.ToLower(filepath.Ext(p.file)) {
		case ".csv", ".tsv":
			from = strings.ToLower(filepath.Ext(p.file))[1:]
		case ".ndjson", ".jsonl":
			from = "ndjson"
		default:
			from = "lines"
		}
	}
	column := p.column
	if column == "" {
		column = defaultColumn
	}
	switch from {
	case "csv":
		return csvForm(',', column), nil
	case "tsv":
		return csvForm('\t', column), nil
	case "ndjson":
		return ndjsonForm(column), nil
	case "lines":
		if p.column != "" {
			return nil, usage("--column %q: lines have none", p.column).hint("add --from csv, --from tsv or --from ndjson")
		}
		return lineForm, nil
	}
	return nil, usage("--from %q: want lines, csv, tsv or ndjson", from)
}

// eachLine hands the lines to do, without a byte order mark.
func eachLine(source io.Reader, do func(number int, text string) bool) error {
	in := bufio.NewScanner(source)
	in.Buffer(nil, maxLine)
	for number := 1; in.Scan(); number++ {
		text := in.Text()
		if number == 1 {
			text = strings.TrimPrefix(text, byteOrderMark)
		}
		if !do(number, text) {
			return nil
		}
	}
	if errors.Is(in.Err(), bufio.ErrTooLong) {
		return errors.New("a line is longer than 1 MiB: want one openid in a line")
	}
	return in.Err()
}

const byteOrderMark = "\ufeff"

// lineForm reads an openid in a line; empty lines and what follows a # are
// skipped.
func lineForm(source io.Reader, yield func(row) bool) error {
	return eachLine(source, func(number int, text string) bool {
		text, _, _ = strings.Cut(text, "#")
		if text = strings.TrimSpace(text); text == "" {
			return true
		}
		return yield(row{number: number, openid: text})
	})
}

// ndjsonForm reads a JSON object in a line, the openid by a path of keys with
// dots between them.
func ndjsonForm(path string) rowForm {
	return func(source io.Reader, yield func(row) bool) error {
		return eachLine(source, func(number int, text string) bool {
			if strings.TrimSpace(text) == "" {
				return true
			}
			x := row{number: number}
			if !gjson.Valid(text) {
				x.fault = "not JSON"
			} else if v := gjson.Get(text, path); v.Type == gjson.String {
				x.openid = v.Str
			} else {
				x.fault = fmt.Sprintf("no text at %q", path)
			}
			return yield(x)
		})
	}
}

// csvForm reads comma-separated values. A column is a name in the first line,
// which is no openid then, or a number from 1, and there is no such line.
func csvForm(comma rune, column string) rowForm {
	return func(source io.Reader, yield func(row) bool) error {
		in := csv.NewReader(source)
		in.Comma, in.FieldsPerRecord, in.LazyQuotes, in.ReuseRecord = comma, -1, true, true
		index := -1
		if n, err := strconv.Atoi(column); err == nil && n > 0 {
			index = n - 1
		}
		for first := true; ; first = false {
			cells, err := in.Read()
			switch fault, ok := errors.AsType[*csv.ParseError](err); {
			case ok:
				if !yield(row{number: fault.StartLine, fault: fault.Err.Error()}) {
					return nil
				}
				continue
			case errors.Is(err, io.EOF):
				return nil
			case err != nil:
				return err
			}
			if first {
				cells[0] = strings.TrimPrefix(cells[0], byteOrderMark)
			}
			if index < 0 {
				for i, name := range cells {
					if strings.EqualFold(strings.TrimSpace(name), column) {
						index = i
					}
				}
				if index < 0 {
					return usage("the first line has no column %q: %s", column, strings.Join(cells, ", ")).
						hint("--column names another, or counts from 1: --column 2")
				}
				continue
			}
			number, _ := in.FieldPos(0)
			x := row{number: number}
			if index < len(cells) {
				x.openid = strings.Clone(cells[index])
			} else {
				x.fault = fmt.Sprintf("%d columns, want %d", len(cells), index+1)
			}
			if !yield(x) {
				return nil
			}
		}
	}
}
