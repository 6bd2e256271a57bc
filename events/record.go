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

// Record is the output: one per input event.
type Record struct {
	Event     Event  // id, appid and openid of the record are the event's
	UnionID   string // empty when WeChat gave none
	Status    Status
	Lang      string
	FetchedAt time.Time // when the look-up began; of an unsubscribe, when the event was stored
	Source    string    // FromBatch, FromSingle, FromRecent; empty for Unsubscribed
	Replay    string    // id of the replay that made it, else empty
	Hop       int       // how many redrives of a dead letter led to it; a header only
	User      User      // WeChat's answer; zero for Unsubscribed
}

// User is a follower as WeChat describes one, by WeChat's names.
//
// Raw is the whole object as it came, unknown fields included: when it is set
// it is what an encoder writes, and the fields are only a reading of it.
type User struct {
	Subscribe      int // 1 following, 0 not
	OpenID         string
	UnionID        string
	Nickname       string // blank since 2021-12-27
	Sex            int
	Language       string
	City           string
	Province       string
	Country        string
	HeadImgURL     string
	SubscribeTime  int64 // unix seconds of the latest follow
	Remark         string
	GroupID        int64
	TagIDs         []int64 // tagid_list
	SubscribeScene string
	QRScene        uint32
	QRSceneStr     string

	Raw Value
}
