package wechat

import "strings"

// Advice is what an operator does about the error, in one line, by the table
// of errcodes; it says so where the table has no row.
func (e *Error) Advice() string {
	if e.Code == 0 {
		return "it is not WeChat who says so: mend what the error names, for example secret_file or secret_env"
	}
	kind := Data
	if strings.HasSuffix(e.Op, "token") {
		kind = Login
	}
	if row, ok := Lookup(kind, e.Code); ok && row.Action != "" {
		return row.Action
	}
	return "look the code up in WeChat's documents, with the request id"
}
