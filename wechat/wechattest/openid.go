package wechattest

import (
	"hash/fnv"
	"math/bits"
)

const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

// values is alphabet backwards; 0xff marks what no openid may hold.
var values = func() (v [256]byte) {
	for i := range v {
		v[i] = 0xff
	}
	for i := range len(alphabet) {
		v[alphabet[i]] = byte(i)
	}
	return v
}()

// An openid is "o", the account's tag, the person's number and a checksum of
// both, so that a million followers need no memory and an altered character is
// noticed.
const (
	tagLen, numberLen, checkLen = 6, 6, 15
	openidLen                   = 1 + tagLen + numberLen + checkLen
	maxPeople                   = 1 << (6 * numberLen)
)

// book makes and reads the openids of one account.
type book struct {
	seed uint64
	tag  [tagLen]byte
}

func newBook(appid string) book {
	h := fnv.New64a()
	h.Write([]byte(appid))
	b := book{seed: mix(h.Sum64())}
	appendDigits(b.tag[:0], b.seed, tagLen)
	return b
}

// mix is the finalizer of splitmix64: every bit of x stirs every bit of the result.
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// appendDigits appends the n lowest digits of x to the base 64; n is at most 10.
func appendDigits(b []byte, x uint64, n int) []byte {
	for range n {
		b = append(b, alphabet[x&63])
		x >>= 6
	}
	return b
}

func (b *book) appendOpenID(dst []byte, i uint64) []byte {
	dst = append(dst, 'o')
	dst = append(dst, b.tag[:]...)
	dst = appendDigits(dst, i^b.seed>>8, numberLen)
	h := mix(b.seed ^ i)
	dst = appendDigits(dst, h, 10)
	return appendDigits(dst, mix(h), checkLen-10)
}

func (b *book) appendUnionID(dst []byte, i uint64) []byte {
	h := mix(bits.Reverse64(b.seed) ^ i)
	dst = append(dst, 'o')
	dst = appendDigits(dst, h, 10)
	dst = appendDigits(dst, mix(h), 10)
	return appendDigits(dst, mix(h+1), 7)
}

// owner says whose openid a string is.
type owner uint8

const (
	malformed owner = iota // no openid at all
	foreign                // of another account
	nobody                 // of this account by its form, but of no person
	person
)

// find reads an openid.
func (b *book) find(openid string) (i uint64, o owner) {
	if len(openid) < 20 || len(openid) > 64 {
		return 0, malformed
	}
	for j := range len(openid) {
		if values[openid[j]] == 0xff {
			return 0, malformed
		}
	}
	if len(openid) != openidLen || openid[0] != 'o' || openid[1:1+tagLen] != string(b.tag[:]) {
		return 0, foreign
	}
	for j := numberLen - 1; j >= 0; j-- {
		i = i<<6 | uint64(values[openid[1+tagLen+j]])
	}
	i = (i ^ b.seed>>8) & (maxPeople - 1)
	var buf [openidLen]byte
	if string(b.appendOpenID(buf[:0], i)) != openid {
		return 0, nobody
	}
	return i, person
}
