package config

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Duration is a time.Duration that is written "100ms", "1m30s" or "30d".
type Duration time.Duration

// Std is the same as the standard library's type.
func (d Duration) Std() time.Duration { return time.Duration(d) }

func (d Duration) String() string {
	const day = 24 * time.Hour
	v := time.Duration(d)
	if v != 0 && v%day == 0 {
		return strconv.FormatInt(int64(v/day), 10) + "d"
	}
	s := v.String() // "10m0s", "2h0m0s": the zeros say nothing
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// UnmarshalText refuses a bare number: 100 may mean anything.
func (d *Duration) UnmarshalText(text []byte) error {
	s := string(text)
	if n, ok := strings.CutSuffix(s, "d"); ok {
		days, err := strconv.ParseInt(n, 10, 32)
		if err == nil && time.Duration(days) <= math.MaxInt64/(24*time.Hour) {
			*d = Duration(time.Duration(days) * 24 * time.Hour)
			return nil
		}
	}
	v, err := time.ParseDuration(s)
	switch {
	case err == nil:
		*d = Duration(v)
		return nil
	case isNumber(s):
		return fmt.Errorf("%q has no unit: want a duration such as 100ms, 30s or 10m", s)
	default:
		return fmt.Errorf("%q is not a duration: want one such as 100ms, 30s, 10m or 30d", s)
	}
}

// Size is a number of bytes, written "16MiB", "64MB" or "1024".
type Size int64

// units is sorted from big to small, for String.
var units = []struct {
	suffix string
	factor float64
}{
	{"TiB", 1 << 40}, {"TB", 1e12}, {"GiB", 1 << 30}, {"GB", 1e9},
	{"MiB", 1 << 20}, {"MB", 1e6}, {"KiB", 1 << 10}, {"KB", 1e3}, {"kB", 1e3}, {"B", 1},
}

func (s Size) String() string {
	for _, u := range units {
		if f := Size(u.factor); f > 1 && s >= f && s%f == 0 {
			return strconv.FormatInt(int64(s/f), 10) + u.suffix
		}
	}
	return strconv.FormatInt(int64(s), 10)
}

// UnmarshalText reads a number with or without a unit.
func (s *Size) UnmarshalText(text []byte) error {
	number, factor := string(text), 1.0
	for _, u := range units {
		if n, ok := strings.CutSuffix(number, u.suffix); ok {
			number, factor = strings.TrimSpace(n), u.factor
			break
		}
	}
	f, err := strconv.ParseFloat(number, 64)
	if err != nil || !(math.Abs(f*factor) < 1<<62) {
		return fmt.Errorf("%q is not a size: want one such as 16MiB or 64MB", text)
	}
	*s = Size(f * factor)
	return nil
}

// Share is a part of a whole, 1 for all of it, written "30%".
type Share float64

func (s Share) String() string {
	return strconv.FormatFloat(math.Round(float64(s)*1e6)/1e4, 'f', -1, 64) + "%"
}

// UnmarshalText refuses a bare number: 1 may be all or a hundredth.
func (s *Share) UnmarshalText(text []byte) error {
	n, ok := strings.CutSuffix(string(text), "%")
	f, err := strconv.ParseFloat(strings.TrimSpace(n), 64)
	if !ok || err != nil || math.IsNaN(f) {
		return fmt.Errorf("%q is not a percentage: want one such as 30%%", text)
	}
	*s = Share(f / 100)
	return nil
}

// Auto is a number above zero, or 0 for "auto".
type Auto int64

func (a Auto) String() string {
	if a == 0 {
		return "auto"
	}
	return strconv.FormatInt(int64(a), 10)
}

// UnmarshalText reads "auto" or a number above zero.
func (a *Auto) UnmarshalText(text []byte) error {
	if string(text) == "auto" {
		*a = 0
		return nil
	}
	n, err := strconv.ParseInt(string(text), 10, 64)
	if err != nil || n <= 0 {
		return fmt.Errorf("%q is neither auto nor a number above 0", text)
	}
	*a = Auto(n)
	return nil
}

// List is a list of words, separated by commas where it is one text.
type List []string

func (l List) String() string { return strings.Join(l, ",") }

// UnmarshalText splits at commas.
func (l *List) UnmarshalText(text []byte) error {
	*l = nil
	for s := range strings.SplitSeq(string(text), ",") {
		if s = strings.TrimSpace(s); s != "" {
			*l = append(*l, s)
		}
	}
	return nil
}

// Map is a small map, written "a=b,c=d" where it is one text.
type Map map[string]string

func (m Map) String() string {
	var b strings.Builder
	for i, k := range slices.Sorted(maps.Keys(m)) {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(k + "=" + m[k])
	}
	return b.String()
}

// UnmarshalText reads a=b pairs.
func (m *Map) UnmarshalText(text []byte) error {
	out := Map{}
	for s := range strings.SplitSeq(string(text), ",") {
		if s = strings.TrimSpace(s); s == "" {
			continue
		}
		k, v, ok := strings.Cut(s, "=")
		if !ok {
			return errors.New("want pairs such as openid=data.openId, separated by commas")
		}
		out[strings.TrimSpace(k)] = strings.TrimSpace(v)
	}
	*m = out
	return nil
}

func isNumber(s string) bool {
	_, err := strconv.ParseFloat(s, 64)
	return err == nil
}
