package wxapi

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/json"
	"time"

	"github.com/wxenrich/wxenrich/wechat"
)

// sharedToken is what processes of an account tell each other.
type sharedToken struct {
	Token   string    `json:"token,omitempty"`
	Expires time.Time `json:"expires,omitzero"`
	Spent   time.Time `json:"spent,omitzero"` // of the cap on fetches, see wechat.Issue
}

// leastLife is how long a token has to live to be worth taking over: the clocks
// of two machines differ.
const leastLife = time.Minute

// serves reports whether the token is what is wanted.
func (t sharedToken) serves(w wechat.Wanted, now time.Time) bool {
	return t.Token != "" && wechat.Secret(t.Token) != w.Rejected &&
		t.Expires.After(w.Current.Expires) && t.Expires.Sub(now) > leastLife
}

// sealer keeps a token from those who can read the bucket and have no app
// secret. Its key is made of the secret, which all processes of an account have.
type sealer struct {
	aead  cipher.AEAD
	appid string
}

func newSealer(secret wechat.Secret, appid string) (sealer, error) {
	key, err := hkdf.Key(sha256.New, []byte(secret.Reveal()), nil, "wxenrich access token of "+appid, 32)
	if err != nil {
		return sealer{}, err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return sealer{}, err
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	return sealer{aead, appid}, err
}

func (s sealer) seal(t sharedToken) ([]byte, error) {
	plain, err := json.Marshal(t)
	if err != nil {
		return nil, err
	}
	return s.aead.Seal(nil, nil, plain, []byte(s.appid)), nil
}

// open reports false for what another secret has sealed, or nobody.
func (s sealer) open(sealed []byte) (t sharedToken, ok bool) {
	plain, err := s.aead.Open(nil, nil, sealed, []byte(s.appid))
	return t, err == nil && json.Unmarshal(plain, &t) == nil
}
