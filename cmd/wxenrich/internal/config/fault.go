package config

import (
	"strconv"
	"strings"
)

// Origin says who set a value.
type Origin struct {
	Layer string // "default", "file" or "env"
	Where string // "wxenrich.yaml:7", "WXENRICH_BATCH_WINDOW"; empty for a default
}

func (o Origin) String() string {
	if o.Layer == "default" || o.Layer == "" {
		return "default"
	}
	return o.Where
}

func fromFile(file string, line int) Origin {
	return Origin{"file", file + ":" + strconv.Itoa(line)}
}

// Fault is one thing that is wrong with the configuration, or doubtful.
type Fault struct {
	Path    string `json:"key,omitempty"` // "batch.window"; empty when it is no single key's
	Where   string `json:"where,omitempty"`
	Problem string `json:"problem"` // what is wrong and what is wanted, without secrets
}

func (f Fault) Error() string {
	var b strings.Builder
	for _, s := range []string{f.Where, f.Path} {
		if s != "" {
			b.WriteString(s + ": ")
		}
	}
	b.WriteString(f.Problem)
	return b.String()
}

// Faults is everything that is wrong, at least one thing.
type Faults []Fault

func (f Faults) Error() string {
	lines := make([]string, len(f))
	for i := range f {
		lines[i] = f[i].Error()
	}
	return strings.Join(lines, "\n")
}

// Unwrap gives the single faults to errors.As.
func (f Faults) Unwrap() []error {
	out := make([]error, len(f))
	for i := range f {
		out[i] = f[i]
	}
	return out
}
