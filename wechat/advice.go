package wechat

import "errors"

// Advice is what an operator does about the error, in one line, by the table
// of errcodes; it says so where the table has no row. A cause below the errcodes
// may give its own by a method of this name.
func (e *Error) Advice() string {
	if e.Code == 0 && e.Class != Operator {
		return LookupStatus(e.Status).Action
	}
	if e.Code == 0 {
		if cause, ok := errors.AsType[interface {
			error
			Advice() string
		}](e.Err); ok {
			return cause.Advice()
		}
		return "it is not WeChat who says so: mend what the error names, for example secret_file or secret_env"
	}
	if row, ok := e.Row(); ok && row.Action != "" {
		return row.Action
	}
	return "look the code up in WeChat's documents, with the request id"
}

// Row is what the table of errcodes says of the error; where [Overrides] have
// spoken, it is of their class.
func (e *Error) Row() (Row, bool) {
	kind := Data
	if e.Op == "token" || e.Op == "stable_token" {
		kind = Login
	}
	row, ok := Lookup(kind, e.Code)
	if row.Class == e.Class || e.Code == 0 {
		return row, ok
	}
	if !ok {
		row = Row{Kind: kind, Code: e.Code, Meaning: "not in the table of errcodes"}
	}
	row.Class, row.After = e.Class, 0
	row.Action = "the configuration says so (errcodes); what the code means is in WeChat's documents"
	return row, true
}
