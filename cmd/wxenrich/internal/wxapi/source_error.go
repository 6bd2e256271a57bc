package wxapi

import (
	"github.com/wxenrich/wxenrich/wechat"
)

// advised is a failure before WeChat is asked, with what to do about it.
// (*wechat.Error).Advice finds it.
type advised struct {
	error
	advice string
	here   bool
}

func (e *advised) Unwrap() error  { return e.error }
func (e *advised) Advice() string { return e.advice }

// Here reports whether it is this machine's: another may be well.
func (e *advised) Here() bool { return e.here }

// operator is a failure that a person has to mend.
func operator(op, advice string, err error) error {
	return &wechat.Error{Op: op, Class: wechat.Operator, Err: &advised{err, advice, false}}
}

// unreadable is the failure to read on this machine what is needed to ask.
func unreadable(op, advice string, err error) error {
	return &wechat.Error{Op: op, Class: wechat.Operator, Err: &advised{err, advice, true}}
}
