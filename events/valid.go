package events

import (
	"strings"
	"unicode/utf8"
)

// Lengths that WeChat does not promise but that every known id keeps to.
const (
	minOpenID = 20
	maxOpenID = 64
	maxAppID  = 64
)

// ValidOpenID reports whether s can be an openid: 20 to 64 bytes of
// [A-Za-z0-9_-]. One that cannot would fail the whole batch it is in with
// 40003, so nothing else ever reaches WeChat.
func ValidOpenID(s string) bool {
	return len(s) >= minOpenID && len(s) <= maxOpenID && badByte(s) < 0
}

// ValidAppID reports whether s can be an appid, which also is a subject token:
// 1 to 64 bytes of [A-Za-z0-9_-].
func ValidAppID(s string) bool {
	return len(s) >= 1 && len(s) <= maxAppID && badByte(s) < 0
}

// ValidReplayID reports whether s can name a replay: 1 to 64 bytes of
// [A-Za-z0-9_-] that start with a letter, by which ParseMsgID tells it from
// the numbers before it.
func ValidReplayID(s string) bool {
	return ValidAppID(s) && letter(s[0])
}

// ValidStreamName reports whether a stream can be called s and its messages
// still be identified: nats-server and nats.go forbid white space and
// the bytes . * > / \ and more than 255 bytes; we forbid "dead" and a leading
// "dead:", which in a message id marks a dead letter. Other colons are fine.
func ValidStreamName(s string) bool {
	return s != "" && len(s) <= 255 && utf8.ValidString(s) &&
		!strings.ContainsFunc(s, func(r rune) bool {
			return r <= ' ' || r == 0x7f || strings.ContainsRune(`.*>/\`, r)
		}) && !strings.HasPrefix(s+":", deadPrefix)
}

func letter(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' }

// tokenByte says which bytes an id may have, and so a subject's token.
var tokenByte = func() (t [256]bool) {
	for c := range 256 {
		t[c] = letter(byte(c)) || '0' <= c && c <= '9' || c == '_' || c == '-'
	}
	return t
}()

// badByte is the index of the first byte outside [A-Za-z0-9_-], or -1.
func badByte(s string) int {
	for i := range len(s) {
		if !tokenByte[s[i]] {
			return i
		}
	}
	return -1
}
