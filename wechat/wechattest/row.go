package wechattest

import "strconv"

// Shape is the form of a row.
type Shape uint8

// The shapes seen over the years.
const (
	Shape2021 Shape = iota // keys present; names, avatars and places blank
	Shape2015              // names, avatars and places as they once were; no scenes
)

// Absence is the form of the row of somebody who does not follow.
type Absence uint8

// The two forms on record.
const (
	Absence2024 Absence = iota // blank strings, zeros and a language
	Absence2020                // subscribe, openid and an empty tagid_list only
)

// scenes is the documented list; it has grown several times.
var scenes = [...]string{
	"ADD_SCENE_SEARCH", "ADD_SCENE_QR_CODE", "ADD_SCENE_PROFILE_CARD", "ADD_SCENE_QR_CODE",
	"ADD_SCENE_ACCOUNT_MIGRATION", "ADD_SCENE_PROFILE_LINK", "ADD_SCENE_PROFILE_ITEM", "ADD_SCENE_PAID",
	"ADD_SCENE_WECHAT_ADVERTISEMENT", "ADD_SCENE_REPRINT", "ADD_SCENE_LIVESTREAM", "ADD_SCENE_CHANNELS",
	"ADD_SCENE_WXA", "ADD_SCENE_QR_CODE", "ADD_SCENE_SEARCH", "ADD_SCENE_OTHERS",
}

var remarks = [...]string{"老客户", "北京 张伟", "VIP 会员 🎉", "华南区代理", "展会认识 🐼", `说 \"再联系\"`, "待回访", "李娜\\/家属"}

var names = [...]string{"小明", "iWithery", "晨曦", "Band", "阿狸 🦊", "海阔天空", "Lily", "老王"}

var places = [...][2]string{{"广州", "广东"}, {"杭州", "浙江"}, {"成都", "四川"}, {"武汉", "湖北"}}

// subject is one person of a batch on the way to becoming a row.
type subject struct {
	openid  string
	number  uint64 // in the account's book
	union   uint64 // whose unionid the row gets: number, but for faults
	follows bool
	blank   bool  // follows, but is answered like somebody who does not
	since   int64 // unix seconds of a follow after the start; 0 keeps the made-up one
	fixed   []byte
}

// appendRow appends the JSON of a person. All of it comes from the number, so
// that nothing has to be remembered.
func (a *Account) appendRow(b []byte, s subject) []byte {
	switch {
	case s.fixed != nil:
		return append(b, s.fixed...)
	case !s.follows || s.blank:
		return a.appendAbsent(b, s.openid)
	}
	h := mix(a.book.seed + s.number)
	name, avatar, sex, place := "", "", uint64(0), [2]string{}
	if a.cfg.Shape == Shape2015 {
		name, sex, place = names[h>>3%uint64(len(names))], h>>5%3, places[h>>7%uint64(len(places))]
		avatar = `http:\/\/wx.qlogo.cn\/mmopen\/` + strconv.FormatUint(h, 36) + `\/0`
	}
	b = append(b, `{"subscribe":1,"openid":"`...)
	b = append(b, s.openid...)
	b = append(b, `","nickname":"`...)
	b = append(b, name...)
	b = append(b, `","sex":`...)
	b = strconv.AppendUint(b, sex, 10)
	b = append(b, `,"language":"zh_CN","city":"`...)
	b = append(b, place[0]...)
	b = append(b, `","province":"`...)
	b = append(b, place[1]...)
	b = append(b, `","country":"`...)
	if place[0] != "" {
		b = append(b, "中国"...)
	}
	b = append(b, `","headimgurl":"`...)
	b = append(b, avatar...)
	b = append(b, `","subscribe_time":`...)
	since := s.since
	if since == 0 {
		since = 1_500_000_000 + int64(h>>9%260_000_000)
	}
	b = strconv.AppendInt(b, since, 10)
	if !a.cfg.Unbound && s.union != nobodysUnion {
		b = append(b, `,"unionid":"`...)
		b = a.book.appendUnionID(b, s.union)
		b = append(b, '"')
	}
	b = append(b, `,"remark":"`...)
	if h>>12%10 == 0 {
		b = append(b, remarks[h>>16%uint64(len(remarks))]...)
	}
	tags := h >> 20 % 4
	b = append(b, `","groupid":`...)
	if tags > 0 {
		b = strconv.AppendUint(b, 100+h>>24%50, 10)
	} else {
		b = append(b, '0')
	}
	if a.cfg.Shape == Shape2015 {
		return append(b, '}')
	}
	b = append(b, `,"tagid_list":[`...)
	for i := range tags {
		if i > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendUint(b, 100+(h>>24+7*i)%50, 10)
	}
	return append(appendScene(b, h, s.number), '}')
}

func appendScene(b []byte, h, number uint64) []byte {
	scene := scenes[h>>32%uint64(len(scenes))]
	b = append(b, `],"subscribe_scene":"`...)
	b = append(b, scene...)
	b = append(b, `","qr_scene":`...)
	code, name := uint64(0), ""
	if scene == "ADD_SCENE_QR_CODE" {
		switch number % 4 {
		case 0:
			code = 4294967295 // a Go int32 cannot hold it, and it occurs
		case 1, 2:
			code = 1 + h>>36%100_000
		default:
			name = "渠道_" + strconv.FormatUint(h>>40%1000, 10)
		}
	}
	b = strconv.AppendUint(b, code, 10)
	b = append(b, `,"qr_scene_str":"`...)
	b = append(b, name...)
	return append(b, '"')
}

func (a *Account) appendAbsent(b []byte, openid string) []byte {
	b = append(b, `{"subscribe":0,"openid":"`...)
	b = append(b, openid...)
	if a.cfg.Absence == Absence2020 {
		return append(b, `","tagid_list":[]}`...)
	}
	return append(b, `","nickname":"","sex":0,"language":"zh_CN","city":"","province":"","country":"","headimgurl":"",`+
		`"remark":"","groupid":0,"tagid_list":[],"subscribe_scene":"","qr_scene":0,"qr_scene_str":""}`...)
}
