package push

import (
	"encoding/base64"
	"strconv"
	"time"

	"github.com/wxenrich/wxenrich/wechat"
)

// SignedForTest is a safe push of any text as Encrypt, rightly signed.
func SignedForTest(token wechat.Secret, now time.Time, encrypted string) (Query, []byte) {
	if _, err := base64.StdEncoding.DecodeString(encrypted); err != nil {
		encrypted = base64.StdEncoding.EncodeToString([]byte(encrypted)) // so that it gets as far as the key
	}
	q := Query{Timestamp: strconv.FormatInt(now.Unix(), 10), Nonce: "n"}
	q.MsgSignature = sign(token, q.Timestamp, q.Nonce, encrypted)
	return q, []byte("<xml><Encrypt>" + encrypted + "</Encrypt></xml>")
}
