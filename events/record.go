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
	Event     Event     // the event it answers; its id, appid and openid are the record's too
	UnionID   string    // the person over all accounts of an Open Platform account, if there is one
	Status    Status    // how the person stands to the account
	Lang      string    // the language that WeChat was asked for; none if it was not asked
	FetchedAt time.Time // when the look-up began, to the microsecond; of an unsubscribe, when the event was stored
	Source    string    // "batchget", "info" or "recent" (an earlier look-up's answer); none of an unsubscribe
	Replay    string    // id of the replay that made it, if one did
	Marker    string    // "unionid_missing": a follower without a unionid where others have one
	Hop       int       // how many redrives of a dead letter led to it; a header only
	User      User      // WeChat's answer; none of an unsubscribe
}

// User is a follower as WeChat describes one (api_userinfo and
// api_batchuserinfo, "Return value"), by WeChat's names. Of one who does not
// follow, only Subscribe and OpenID are to be relied on.
//
// Raw is the whole object as it came, unknown fields included: when it is set
// it is what an encoder writes, and the fields are only a reading of it.
type User struct {
	Subscribe      int     // 1 following, 0 not: then nothing else is to be relied on
	OpenID         string  // the person, within the account
	UnionID        string  // only of an account bound to an Open Platform account
	Nickname       string  // blank since 2021-12-27
	Sex            int     // 0 since 2021
	Language       string  // the person's, such as zh_CN
	City           string  // blank since 2021
	Province       string  // blank since 2021
	Country        string  // blank since 2021
	HeadImgURL     string  // blank since 2021-12-27
	SubscribeTime  int64   // unix seconds of the latest follow
	Remark         string  // the account's own note on the person
	GroupID        int64   // the person's group, older than tags
	TagIDs         []int64 // the account's tags on the person; at most 20
	SubscribeScene string  // how the person came, such as ADD_SCENE_QR_CODE; the set is open
	QRScene        uint32  // number of the QR code; 4294967295 occurs
	QRSceneStr     string  // text of the QR code

	Raw Value
}
