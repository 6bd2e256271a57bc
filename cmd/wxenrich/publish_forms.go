package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"path/filepath"
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
		return csvForm(",", column), nil
	case "tsv":
		return csvForm("\t", column), nil
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
