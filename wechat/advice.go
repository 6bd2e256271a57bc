package wechat

// Advice is what an operator does about the error, in one line, by the table
// of errcodes; it says so where the table has no row.
func (e *Error) Advice() string {
	if e.Code == 0 {
		return "it is not WeChat who says so: mend what the error names, for example secret_file or secret_env"
	}
	if row, ok := e.Row(); ok && row.Action != "" {
		return row.Action
	}
	return "look the code up in WeChat's documents, with the request id"
}

// Row is what the table of errcodes says of the error.
func (e *Error) Row() (Row, bool) {
	kind := Data
	if e.Op == "token" || e.Op == "stable_token" {
		kind = Login
	}
	return Lookup(kind, e.Code)
}
