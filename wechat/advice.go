package wechat

import "strings"

// Advice is what an operator does about the error, in one line, by the table
// of errcodes; it says so where the table has no row.
func (e *Error) Advice() string {
	kind := Data
	if strings.HasSuffix(e.Op, "token") {
		kind = Login
	}
	if row, ok := Lookup(kind, e.Code); ok && row.Action != "" {
		return row.Action
	}
	return "look the code up in WeChat's documents, with the request id"
}
