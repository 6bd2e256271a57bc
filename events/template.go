package events

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// Vars are the values that a Template's variables stand for.
type Vars struct {
	AppID, OpenID, UnionID, Type, Reason string
}

func (v *Vars) get(name string) string {
	switch name {
	case "appid":
		return v.AppID
	case "openid":
		return v.OpenID
	case "unionid":
		return v.UnionID
	case "type":
		return v.Type
	}
	return v.Reason
}

var varNames = []string{"appid", "openid", "unionid", "type", "reason"}

// Template is a subject, or the name of a stream or consumer, with variables:
// "wx.profiles.{appid}". Whatever the values, its expansion is a subject that
// can be published to. The zero Template expands to nothing.
type Template struct {
	text  string
	parts []part // alternating as they come; nil when text is constant
}

// part is a literal or the name of a variable.
type part struct {
	text     string
	variable bool
}

// ParseTemplate reads a template in which the variables allowed may occur.
func ParseTemplate(s string, allowed ...string) (Template, error) {
	t := Template{text: s}
	for rest := s; rest != ""; {
		literal, after, found := strings.Cut(rest, "{")
		if strings.Contains(literal, "}") {
			return Template{}, templateError(s, "has a } without its {")
		}
		if literal != "" {
			t.parts = append(t.parts, part{text: literal})
		}
		if !found {
			break
		}
		name, after, found := strings.Cut(after, "}")
		if !found {
			return Template{}, templateError(s, "has a { without its }")
		}
		if !slices.Contains(allowed, name) || !slices.Contains(varNames, name) {
			return Template{}, templateError(s, fmt.Sprintf("has unknown variable {%s}: want %s", name, braces(allowed)))
		}
		t.parts = append(t.parts, part{name, true})
		rest = after
	}
	if err := checkSubject(t.Expand(Vars{})); err != nil {
		return Template{}, templateError(s, err.Error())
	}
	if len(t.parts) == 1 && !t.parts[0].variable {
		t.parts = nil
	}
	return t, nil
}

func templateError(s, fault string) error {
	return fmt.Errorf("events: template %q %s", s, fault)
}

func braces(names []string) string {
	if len(names) == 0 {
		return "none"
	}
	return "{" + strings.Join(names, "} or {") + "}"
}

// checkSubject wants a subject that can be published to and that is not the
// server's own. An expansion of blanks stands for all: a value is never empty
// and adds no byte that counts here.
func checkSubject(s string) error {
	switch {
	case s == "":
		return errors.New("is empty")
	case strings.HasPrefix(s, "$"):
		return errors.New("begins with $, which is the server's")
	case !utf8.ValidString(s) || strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r == 0x7f }):
		return errors.New("has white space, control characters or invalid UTF-8")
	case strings.ContainsAny(s, "*>"):
		return errors.New("has a wildcard")
	case slices.Contains(strings.Split(s, "."), ""):
		return errors.New("has an empty token")
	}
	return nil
}

// String is the template as it was written.
func (t Template) String() string { return t.text }

// Has reports whether the template uses a variable.
func (t Template) Has(name string) bool {
	return slices.Contains(t.parts, part{name, true})
}

// Expand puts values in the place of variables: bytes outside [A-Za-z0-9_-]
// become '_', and so does a value that is absent.
func (t Template) Expand(v Vars) string {
	if t.parts == nil {
		return t.text
	}
	return string(t.Append(make([]byte, 0, len(t.text)+48), v))
}

// Append appends the expansion to b.
func (t Template) Append(b []byte, v Vars) []byte {
	if t.parts == nil {
		return append(b, t.text...)
	}
	for _, p := range t.parts {
		if p.variable {
			b = appendToken(b, v.get(p.text))
		} else {
			b = append(b, p.text...)
		}
	}
	return b
}

func appendToken(b []byte, value string) []byte {
	if value == "" {
		return append(b, '_')
	}
	start := len(b)
	b = append(b, value...)
	for i := start; i < len(b); i++ {
		if !tokenByte[b[i]] {
			b[i] = '_'
		}
	}
	return b
}

// StreamSubjects are the subjects of a stream that has to hold every
// expansion: all of the tokens before the first with a variable, then ">". A
// stream of one account's own (streamHasAppID) has the {appid} in its subjects
// filled in, and what lies at and below it belongs to it. A template without
// variables is its own one subject.
func (t Template) StreamSubjects(streamHasAppID bool, appid string) []string {
	if t.parts == nil {
		return []string{t.text}
	}
	tokens := strings.Split(t.text, ".")
	own := 0 // tokens up to the appid, when that is the stream's
	for i, token := range tokens {
		if streamHasAppID && strings.Contains(token, "{appid}") {
			token = strings.ReplaceAll(token, "{appid}", string(appendToken(nil, appid)))
			tokens[i], own = token, i+1
		}
		if strings.Contains(token, "{") {
			return []string{strings.Join(append(tokens[:i:i], ">"), ".")}
		}
	}
	prefix := strings.Join(tokens[:own], ".")
	if own == len(tokens) {
		return []string{prefix, prefix + ".>"}
	}
	return []string{prefix + ".>"}
}
