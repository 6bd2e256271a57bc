package events

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// set takes one named field of a payload, whichever its form. An absent or
// null field was not stated; an unknown name is not ours.
func (d *Decoder) set(e *Event, f Format, name string, it item) *Rejection {
	if it.missing() {
		return nil
	}
	switch name {
	case "openid":
		if it.kind != text {
			return &Rejection{InvalidOpenID, "openid is not a text"}
		}
		// Openids outlive their event, in caches: they must not keep a whole
		// payload in memory.
		return e.setOpenID(strings.Clone(strings.TrimSpace(it.text)))
	case "appid":
		return d.setAppID(e, it)
	case "id":
		return e.setID(it)
	case "time":
		return e.setTime(it)
	case "type":
		e.setType(it)
	case "lang":
		e.setLang(it)
	case "meta":
		e.Meta = it.value(f)
	}
	return nil
}

// setOpenID takes an openid, trimmed of white space. What is wrong with one is
// said without quoting it.
func (e *Event) setOpenID(s string) *Rejection {
	if ValidOpenID(s) {
		e.OpenID = s
		return nil
	}
	detail := fmt.Sprintf("openid of %d bytes: want %d to %d", len(s), minOpenID, maxOpenID)
	if i := badByte(s); i >= 0 {
		detail = fmt.Sprintf("openid has byte 0x%02x at index %d: want A-Z a-z 0-9 _ -", s[i], i)
	}
	return &Rejection{InvalidOpenID, detail}
}

func (d *Decoder) setAppID(e *Event, it item) *Rejection {
	s := strings.TrimSpace(it.string())
	switch {
	case it.kind == text && s == "", s != "" && s == d.AppID:
		return nil
	case d.AppID != "":
		return &Rejection{WrongAccount, "the payload names another account than " + d.AppID}
	case !ValidAppID(s):
		return undecodable("appid: want 1 to 64 of A-Z a-z 0-9 _ -")
	}
	e.AppID = s
	return nil
}

// setID takes an id, a text or an integer. It must be usable as it is: in the
// place of one that is not, any other would undo the producer's idempotence.
func (e *Event) setID(it item) *Rejection {
	var id string
	ok := true
	switch it.kind {
	case text:
		id, ok = cleanID(it.text)
	case integer:
		id = strconv.FormatInt(int64(it.bits), 10)
	case unsigned:
		id = strconv.FormatUint(it.bits, 10)
	default:
		ok = false
	}
	if !ok {
		return undecodable(fmt.Sprintf("id: want an integer, or a text of at most %d bytes without control characters", maxID))
	}
	if id != "" {
		e.ID = id
	}
	return nil
}

// cleanID trims white space and reports whether the rest can go into a header.
func cleanID(s string) (string, bool) {
	s = strings.TrimSpace(s)
	return s, len(s) <= maxID && utf8.ValidString(s) && !hasControl(s)
}

func hasControl(s string) bool {
	return strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r >= 0x7f && r < 0xa0 })
}

func (e *Event) setTime(it item) *Rejection {
	if it.kind == text && strings.TrimSpace(it.text) == "" || it.kind == integer && it.bits == 0 {
		return nil // not stated, as many a producer writes it
	}
	t, ok := it.instant()
	if !ok {
		return undecodable("time: want RFC 3339, or unix seconds or milliseconds, after 1970")
	}
	e.Time = t
	return nil
}

func (e *Event) setType(it item) {
	if s := strings.TrimSpace(it.string()); s != "" && len(s) <= maxType && !hasControl(s) {
		e.Type = s
	}
}

// setLang keeps a language that WeChat knows. Its documents write both zh_CN
// and zh-CN; only the former is known to work everywhere.
func (e *Event) setLang(it item) {
	s := strings.ReplaceAll(strings.TrimSpace(it.string()), "-", "_")
	for _, known := range [...]string{"zh_CN", "zh_TW", "en"} {
		if strings.EqualFold(s, known) {
			e.Lang = known
		}
	}
}
