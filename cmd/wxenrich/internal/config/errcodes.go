package config

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/wxenrich/wxenrich/cmd/wxenrich/internal/suggest"
	"github.com/wxenrich/wxenrich/wechat"
)

// Overrides is the account's errcodes in the client's terms. The error names all
// that are wrong.
func (a *Account) Overrides() (wechat.Overrides, error) {
	if len(a.Errcodes) == 0 {
		return nil, nil
	}
	o := make(wechat.Overrides, len(a.Errcodes))
	named := make(map[wechat.Errcode]string, len(a.Errcodes))
	var faults []string
	for _, key := range slices.Sorted(maps.Keys(a.Errcodes)) {
		code, err := parseErrcode(key)
		if before, twice := named[code]; err == nil && twice {
			err = fmt.Errorf("%s says the same errcode: keep one of them", before)
		} else if err == nil {
			named[code] = key
			o[code], err = parseClass(code.Kind, a.Errcodes[key])
		}
		if err != nil {
			faults = append(faults, key+": "+err.Error())
		}
	}
	if len(faults) > 0 {
		return nil, fmt.Errorf("%s", strings.Join(faults, "; "))
	}
	return o, nil
}

// parseErrcode reads 45009, data/45009 or token/45009.
func parseErrcode(key string) (c wechat.Errcode, err error) {
	number := key
	if kind, rest, ok := strings.Cut(key, "/"); ok {
		if c.Kind, ok = wechat.ParseKind(kind); !ok {
			return c, fmt.Errorf("%q is no kind of endpoint: %s", kind, want(kind, []string{"any", "data", "token"}))
		}
		number = rest
	}
	c.Code, err = strconv.Atoi(number)
	if err != nil || c.Code == 0 {
		return c, fmt.Errorf("%q is not an errcode: want one such as 45009, data/45009 or token/45009", key)
	}
	return c, nil
}

func parseClass(kind wechat.Kind, name string) (wechat.Class, error) {
	class, ok := wechat.ParseClass(name)
	switch {
	case !ok:
		var names []string
		for _, c := range wechat.Classes() {
			names = append(names, c.String())
		}
		return class, fmt.Errorf("%q is no class: %s", name, want(name, names))
	case kind == wechat.Login && class.OfData():
		return class, fmt.Errorf("class %s is for data calls: no token endpoint can mean it", name)
	}
	return class, nil
}

// want suggests the nearest word, or names all.
func want(word string, words []string) string {
	if near := suggest.Nearest(word, words); near != "" {
		return "did you mean " + near + "?"
	}
	return "want one of " + strings.Join(words, ", ")
}
