package events

import "time"

// SchemaV1 names the shape of Record; within v1 keys are only ever added.
const SchemaV1 = "wxenrich.profile.v1"

// Status says how the person stands to the account.
type Status string

// What a record's status may be.
const (
	Following    Status = "following"
	NotFollowing Status = "not_following" // WeChat answered subscribe:0
	Unsubscribed Status = "unsubscribed"  // from an unsubscribe event, without asking WeChat
)

// What a record's source may be.
const (
	FromBatch  = "batchget"
	FromSingle = "info"
	FromRecent = "recent"
)

// MarkerNoUnionID marks a follower without a unionid on an account whose
// followers have them, also when asked for alone.
const MarkerNoUnionID = "unionid_missing"

// Record is the output: one per input event.
type Record struct {
	Event     Event  // id, appid and openid of the record are the event's
	UnionID   string // empty when WeChat gave none
	Status    Status
	Lang      string    // the language that WeChat was asked for; empty when none was
	FetchedAt time.Time // when the look-up began; of an unsubscribe, when the event was stored
	Source    string    // FromBatch, FromSingle, FromRecent; empty for Unsubscribed
	Replay    string    // id of the replay that made it, else empty
	Marker    string    // MarkerNoUnionID, or empty
	Hop       int       // how many redrives of a dead letter led to it; a header only
	User      User      // WeChat's answer; zero for Unsubscribed
}

// User is a follower as WeChat describes one (api_userinfo and
// api_batchuserinfo, "Return value"), by WeChat's names. Of one who does not
// follow, only Subscribe and OpenID are to be relied on.
//
// Raw is the whole object as it came, unknown fields included: when it is set
// it is what an encoder writes, and the fields are only a reading of it.
type User struct {
	Subscribe      int // 1 following, 0 not
	OpenID         string
	UnionID        string // only of an account bound to an Open Platform account
	Nickname       string // blank since 2021-12-27, as is HeadImgURL
	Sex            int    // 0 since 2021, as City, Province and Country are blank
	Language       string
	City           string
	Province       string
	Country        string
	HeadImgURL     string
	SubscribeTime  int64 // unix seconds of the latest follow
	Remark         string
	GroupID        int64
	TagIDs         []int64 // tagid_list; at most 20
	SubscribeScene string  // "ADD_SCENE_QR_CODE" and others; the set is open
	QRScene        uint32  // 4294967295 occurs
	QRSceneStr     string

	Raw Value
}
