package wechat

import (
	"encoding/json"

	"github.com/tidwall/gjson"
)

// MaxBatch is how many openids one batchget may carry (api_batchuserinfo).
const MaxBatch = 100

// Query asks for one person.
type Query struct {
	OpenID string
	Lang   string // "zh_CN", "zh_TW", "en", or empty to leave it out
}

// User is a row of user/info or user/info/batchget.
type User struct {
	Subscribe      int // 1 following, 0 not; then most other fields are absent or blank
	OpenID         string
	UnionID        string // empty unless the account is bound to an Open Platform account and the user follows
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
	TagIDs         []int64
	SubscribeScene string
	QRScene        uint32 // uint32 in the wild: 4294967295 occurs
	QRSceneStr     string

	// Raw is the row as WeChat sent it, repaired where it was not valid JSON:
	// fields that this type does not know are in it. It is to be read only: the
	// strings above are in the same memory.
	Raw json.RawMessage
}

// Blank reports whether the row says nothing of the person, not even whether
// they follow: whoever does not follow has a row with subscribe 0.
func (u *User) Blank() bool {
	return u.Subscribe == 0 && !gjson.GetBytes(u.Raw, "subscribe").Exists()
}

// Page is an answer of user/get.
type Page struct {
	Total   int64    // WeChat's count of followers; it moves, do not stop by it
	OpenIDs []string // at most 10,000; empty at the end
	Next    string   // cursor of the next page: the last openid of this one
}
