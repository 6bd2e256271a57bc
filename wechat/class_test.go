package wechat

import "testing"

func TestClasses(t *testing.T) {
	t.Parallel()
	for _, c := range Classes() {
		if again, ok := ParseClass(c.String()); again != c || !ok || c.Reaction() == "" {
			t.Errorf("%d: named %q, which is %v, %v; reaction %q", c, c, again, ok, c.Reaction())
		}
	}
	if c, ok := ParseClass(""); ok {
		t.Errorf("the empty name is %v", c)
	}
	if odd := Class(200); odd.String() != "class(200)" || odd.Reaction() != "" {
		t.Errorf("%q, %q", odd, odd.Reaction())
	}
}

// TestLookupStatus names each status once more: a change of class has to be meant.
func TestLookupStatus(t *testing.T) {
	t.Parallel()
	for status, want := range map[int]Class{
		0: Transient, 100: Transient, 200: Transient, 204: Transient, 302: Transient, 307: Transient,
		400: Unknown, 401: Unknown, 403: Unknown, 404: Unknown, 407: Unknown, 408: Transient, 412: Unknown, 413: Unknown,
		429: MinuteLimit, 499: Unknown, 500: Transient, 502: Transient, 561: Transient, 599: Transient, 999: Transient,
	} {
		row := LookupStatus(status)
		if row.Class != want || row.Meaning == "" || row.Action == "" || status < row.From || status > row.To {
			t.Errorf("%d: %+v, want %v", status, row, want)
		}
	}
	for status := 1; status < 100; status++ {
		if row := LookupStatus(status); row.Meaning != "" {
			t.Errorf("%d: %+v: no such status", status, row)
		}
	}
}

func TestAdvice(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		err  Error
		want string
	}{
		"code":              {Error{Op: "user/info", Class: Permission, Code: 48001}, "verify the account, or check what kind of token is used"},
		"code of a token":   {Error{Op: "stable_token", Class: Operator, Code: 40001}, actSecret},
		"address":           {Error{Op: "stable_token", Class: Address, Code: 40164}, "add the address in the message to the IP whitelist"},
		"code nobody knows": {Error{Op: "user/info", Code: 12345}, "look the code up in WeChat's documents, with the request id"},
		"status":            {Error{Op: "user/info", Status: 403}, "check api and any proxy between: a refusal of WeChat's own has an errcode"},
		"no answer":         {Error{Op: "user/info", Class: Transient}, actNetwork},
		"our own":           {Error{Op: "secret", Class: Operator}, "it is not WeChat who says so: mend what the error names, for example secret_file or secret_env"},
	} {
		if got := c.err.Advice(); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}
