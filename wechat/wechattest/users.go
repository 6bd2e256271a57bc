package wechattest

import (
	"math/rand/v2"

	"github.com/tidwall/gjson"
)

// userInfo serves /cgi-bin/user/info.
func (x *exchange) userInfo() *reply {
	if x.openids[0] == "" {
		return fail(41009)
	}
	if r := x.spend(1); r != nil {
		return r
	}
	if x.refusesLang(x.req.URL.Query().Get("lang")) {
		return fail(40035)
	}
	s, found := x.acc.subject(x.openids[0], x.now)
	if !found {
		if _, o := x.acc.book.find(x.openids[0]); o < nobody || x.acc.cfg.Quirks.Unknown != UnknownAbsent {
			return fail(40003)
		}
		s = subject{openid: x.openids[0]}
	}
	row := x.acc.appendRow(nil, s)
	for _, do := range x.actions {
		if do.BlankRow {
			row = x.acc.appendAbsent(nil, s.openid)
		}
		if do.ControlChars {
			row = dirty(row)
		}
	}
	return ok(row)
}

// batchGet serves /cgi-bin/user/info/batchget.
func (x *exchange) batchGet() *reply {
	if r := x.json(); r != nil {
		return r
	}
	if !gjson.Get(x.body, "user_list").IsArray() {
		return fail(40031)
	}
	quirks := x.acc.cfg.Quirks
	if len(x.openids) == 0 || len(x.openids) > quirks.MaxBatch {
		return fail(40032)
	}
	cost := 1
	if quirks.CostPerOpenID {
		cost = len(x.openids)
	}
	if r := x.spend(cost); r != nil {
		return r
	}
	if quirks.RefuseDashLang {
		for _, lang := range gjson.Get(x.body, "user_list.#.lang").Array() {
			if x.refusesLang(lang.Str) {
				return fail(40035)
			}
		}
	}
	subjects, r := x.subjects()
	if r != nil {
		return r
	}
	if !quirks.KeepOrder {
		x.srv.random(func(rng *rand.Rand) {
			rng.Shuffle(len(subjects), func(i, j int) { subjects[i], subjects[j] = subjects[j], subjects[i] })
		})
	}
	subjects = x.spoil(subjects)
	b := make([]byte, 0, 32+480*len(subjects))
	b = append(b, `{"user_info_list":[`...)
	for i, s := range subjects {
		if i > 0 {
			b = append(b, ',')
		}
		b = x.acc.appendRow(b, s)
	}
	b = append(b, `]}`...)
	for _, do := range x.actions {
		if do.ControlChars {
			b = dirty(b)
		}
	}
	return ok(b)
}

// subjects finds the people of a batch, in the order asked.
func (x *exchange) subjects() ([]subject, *reply) {
	quirks := x.acc.cfg.Quirks
	subjects := make([]subject, 0, len(x.openids))
	var seen map[string]bool
	if quirks.Duplicates != DuplicatesTwice {
		seen = make(map[string]bool, len(x.openids))
	}
	shift := -1
	for _, openid := range x.openids {
		if seen[openid] {
			if quirks.Duplicates == DuplicatesRefused {
				return nil, fail(40003)
			}
			continue
		}
		if seen != nil {
			seen[openid] = true
		}
		s, found := x.acc.subject(openid, x.now)
		if !found {
			_, o := x.acc.book.find(openid)
			if o < nobody || quirks.Unknown == UnknownRefused {
				return nil, fail(40003)
			}
			switch quirks.Unknown {
			case UnknownShiftsUnionID:
				if shift < 0 {
					shift = len(subjects)
				}
				continue
			case UnknownOmitted:
				continue
			}
			s = subject{openid: openid}
		}
		subjects = append(subjects, s)
	}
	if shift >= 0 {
		shiftUnions(subjects, shift)
	}
	return subjects, nil
}

func (x *exchange) refusesLang(lang string) bool {
	return x.acc.cfg.Quirks.RefuseDashLang && len(lang) > 2 && lang[2] == '-'
}

// userGet serves /cgi-bin/user/get: up to 10,000 openids behind a cursor, and
// behind the last one a page without a data key.
func (x *exchange) userGet() *reply {
	const most = 10_000
	from := uint64(0)
	if q := x.req.URL.Query(); q.Has("next_openid") {
		i, o := x.acc.book.find(q.Get("next_openid"))
		if o != person {
			return fail(40003)
		}
		from = i + 1
	}
	if r := x.spend(1); r != nil {
		return r
	}
	numbers, total := x.acc.page(from, most)
	b := append([]byte(nil), `{"total":`...)
	b = appendInt(b, total)
	b = append(b, `,"count":`...)
	b = appendInt(b, len(numbers))
	if len(numbers) == 0 {
		return ok(append(b, `,"next_openid":""}`...))
	}
	b = append(b, `,"data":{"openid":[`...)
	for i, n := range numbers {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, '"')
		b = x.acc.book.appendOpenID(b, n)
		b = append(b, '"')
	}
	b = append(b, `]},"next_openid":"`...)
	b = x.acc.book.appendOpenID(b, numbers[len(numbers)-1])
	return ok(append(b, `"}`...))
}
