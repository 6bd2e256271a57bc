package erase

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
)

// hash stands for a person. It is of one ledger only, since it is salted.
type hash [16]byte

// saltSize is longer than anything that anybody could try out.
const saltSize = 32

// hashOf is the hash of an openid within an account; of a unionid the account
// is empty.
func hashOf(salt []byte, appid, id string) (h hash) {
	room := [256]byte{}
	b := append(room[:0], salt...) // of one length, so that no two inputs are one
	b = append(b, appid...)
	b = append(b, 0) // in no appid
	b = append(b, id...)
	sum := sha256.Sum256(b)
	copy(h[:], sum[:])
	return h
}

func (h hash) String() string { return hex.EncodeToString(h[:]) }

func parseHash(s string) (h hash, ok bool) {
	n, err := hex.Decode(h[:], []byte(s))
	return h, err == nil && n == len(h)
}

// The kinds of keys.
const (
	keySalt     = "salt"
	kindStone   = "stone"
	kindUnion   = "union"
	kindOrder   = "order"
	kindLease   = "lease"
	kindReceipt = "receipt"
)

// hashIn is the hash at the end of a key.
func hashIn(key string) (hash, bool) {
	return parseHash(key[strings.LastIndexByte(key, '.')+1:])
}

// accountIn is the appid in a key; empty for a unionid's.
func accountIn(key string) string {
	parts := strings.Split(key, ".")
	if parts[0] == kindUnion || len(parts) < 2 {
		return ""
	}
	return parts[1]
}
