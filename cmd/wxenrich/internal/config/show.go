package config

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"reflect"
	"regexp"
	"slices"
	"strings"
)

// Setting is one key with its effective value and who set it.
type Setting struct {
	Key   string `json:"key"`
	Value string `json:"value"` // never a secret
	Layer string `json:"layer"` // "default", "file" or "env"
	Where string `json:"where,omitempty"`
}

// Settings lists every key in the order of the type. Of an account's own
// input, batch, recent, recheck and retry it lists what the account says.
func (c *Config) Settings() []Setting {
	var out []Setting
	for _, l := range c.shown() {
		o := c.Origin(l.path)
		out = append(out, Setting{l.path, fmt.Sprint(harmless(l.value)), o.Layer, o.Where})
	}
	return out
}

// YAML is the effective configuration as a file that Load reads, each line with
// the origin of its value. Secrets that a value holds against all advice are
// masked, and only they keep the file from being used as it is.
func (c *Config) YAML() string {
	var lines [][2]string // what is set, who set it
	var above []string
	begins := false // an item of a list
	for _, l := range c.shown() {
		parts := strings.Split(l.path, ".")
		for depth, part := range parts {
			if depth < len(above) && above[depth] == part {
				continue
			}
			above = append(above[:depth:depth], part)
			list, _, item := strings.Cut(parts[0], "[")
			switch {
			case item && depth == 0:
				if part == list+"[0]" {
					lines = append(lines, [2]string{list + ":"})
				}
				begins = true
			case depth == len(parts)-1:
				text := indent(depth, item, begins) + part + ": " + yamlValue(harmless(l.value))
				lines = append(lines, [2]string{text, c.Origin(l.path).String()})
				begins = false
			default:
				lines = append(lines, [2]string{indent(depth, item, false) + part + ":"})
			}
		}
	}
	var b strings.Builder
	for _, l := range lines {
		if l[1] == "" {
			b.WriteString(l[0] + "\n")
		} else {
			fmt.Fprintf(&b, "%-48s # %s\n", l[0], l[1])
		}
	}
	return b.String()
}

func indent(depth int, inItem, begins bool) string {
	switch {
	case begins:
		return "  - "
	case inItem:
		return strings.Repeat("  ", depth+1)
	}
	return strings.Repeat("  ", depth)
}

// shown is every key but an account's copies of the general sections.
func (c *Config) shown() []leaf {
	own := map[string]bool{}
	for _, child := range children(reflect.ValueOf(Account{})) {
		if child.tag.Get("override") == "" {
			own[child.key] = true
		}
	}
	var out []leaf
	leaves(reflect.ValueOf(c).Elem(), "", func(l leaf) {
		_, set := c.origins[l.path]
		_, key, _ := strings.Cut(l.path, "].")
		key, _, _ = strings.Cut(key, ".")
		inAccount := strings.HasPrefix(l.path, "accounts[")
		if set || !inAccount || own[key] {
			out = append(out, l)
		}
	})
	return out
}

// harmless is a value without what may be a secret in it.
func harmless(v reflect.Value) any {
	if l, ok := v.Interface().(List); ok {
		out := make(List, len(l))
		for i := range l {
			out[i] = harmless(reflect.ValueOf(l[i])).(string)
		}
		return out
	}
	s, ok := v.Interface().(string)
	if !ok {
		return v.Interface()
	}
	if LooksSecret(s) {
		return "[redacted]"
	}
	if !strings.Contains(s, "://") {
		return s
	}
	urls := strings.Split(s, ",")
	for i, one := range urls {
		u, err := url.Parse(strings.TrimSpace(one))
		if err != nil {
			return "[redacted]"
		}
		if u.User != nil {
			u.User = url.User("redacted")
		}
		if u.RawQuery != "" {
			u.RawQuery = "redacted"
		}
		urls[i] = u.String()
	}
	return strings.Join(urls, ",")
}

var plainYAML = regexp.MustCompile(`^[A-Za-z0-9_./][A-Za-z0-9_./%:+-]*$`)

func yamlValue(value any) string {
	switch v := value.(type) {
	case List:
		if len(v) == 1 {
			return yamlScalar(v[0])
		}
		out := make([]string, len(v))
		for i := range v {
			out[i] = yamlScalar(v[i])
		}
		return "[" + strings.Join(out, ", ") + "]"
	case Map:
		var out []string
		for _, k := range slices.Sorted(maps.Keys(v)) {
			out = append(out, yamlScalar(k)+": "+yamlScalar(v[k]))
		}
		return "{" + strings.Join(out, ", ") + "}"
	}
	return yamlScalar(fmt.Sprint(value))
}

// yamlScalar quotes what YAML would take for something else. A JSON string is a
// YAML string.
func yamlScalar(s string) string {
	if plainYAML.MatchString(s) && !strings.HasSuffix(s, ":") {
		return s
	}
	b, err := json.Marshal(s)
	if err != nil {
		panic(err) // a string always marshals
	}
	return string(b)
}
