package wechat

import (
	"fmt"
	"strings"
)

// Avatar returns the address of the user's avatar in one of its sizes: 46, 64,
// 96 or 132 pixels square, or 0 for 640. WeChat keeps the size in the last
// segment of headimgurl. It is "" for the many who have none, which since 2021
// is nearly everybody; an address dies when the user changes the avatar.
func (u User) Avatar(size int) (string, error) {
	switch size {
	case 0, 46, 64, 96, 132:
	default:
		return "", fmt.Errorf("wechat: avatar size %d: want 0, 46, 64, 96 or 132", size)
	}
	if u.HeadImgURL == "" {
		return "", nil
	}
	i := strings.LastIndexByte(u.HeadImgURL, '/')
	if i < 0 {
		return "", fmt.Errorf("wechat: headimgurl has no size segment")
	}
	return fmt.Sprintf("%s/%d", u.HeadImgURL[:i], size), nil
}
