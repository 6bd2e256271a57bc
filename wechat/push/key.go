package push

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"

	"github.com/wxenrich/wxenrich/wechat"
)

// Key is an EncodingAESKey. It prints as "[redacted]".
type Key struct {
	block  cipher.Block
	vector [aes.BlockSize]byte // the key's first bytes
}

// keyLength is the length of an EncodingAESKey: base64 of 32 bytes without the
// sign of padding at its end.
const keyLength = 43

// ParseKey reads the EncodingAESKey of an account's console. The error does not
// repeat it.
func ParseKey(text wechat.Secret) (Key, error) {
	if len(text) != keyLength {
		return Key{}, fmt.Errorf("push: an EncodingAESKey has %d characters, this has %d", keyLength, len(text))
	}
	raw, err := base64.StdEncoding.DecodeString(text.Reveal() + "=")
	if err != nil {
		return Key{}, errors.New("push: an EncodingAESKey has only A-Z a-z 0-9 + and /")
	}
	block, err := aes.NewCipher(raw)
	if err != nil {
		return Key{}, fmt.Errorf("push: EncodingAESKey: %w", err)
	}
	return Key{block: block, vector: [aes.BlockSize]byte(raw)}, nil
}

// Format prints "[redacted]" whatever the verb.
func (Key) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "[redacted]") }

// LogValue returns "[redacted]".
func (Key) LogValue() slog.Value { return slog.StringValue("[redacted]") }

// A message is padded to whole blocks of 32 bytes, twice AES's own, so that a
// padding of up to 32 is right.
const (
	padTo      = 32
	randomHead = 16
	head       = randomHead + 4 // and the length
)

// seal encrypts a message for an account. random gives 16 bytes.
func (k Key) seal(message []byte, appid string, random io.Reader) (string, error) {
	text := make([]byte, head, head+len(message)+len(appid)+padTo)
	if _, err := io.ReadFull(random, text[:randomHead]); err != nil {
		return "", err
	}
	binary.BigEndian.PutUint32(text[randomHead:], uint32(len(message)))
	text = append(append(text, message...), appid...)
	pad := padTo - len(text)%padTo
	text = append(text, bytes.Repeat([]byte{byte(pad)}, pad)...)
	cipher.NewCBCEncrypter(k.block, k.vector[:]).CryptBlocks(text, text)
	return base64.StdEncoding.EncodeToString(text), nil
}

var errSealed = errors.New("not sealed with this key")

// open decrypts what seal made, and says for which appid.
func (k Key) open(encrypted string) (message []byte, appid string, err error) {
	text, err := base64.StdEncoding.DecodeString(encrypted)
	if err != nil || len(text) == 0 || len(text)%aes.BlockSize != 0 {
		return nil, "", errSealed
	}
	cipher.NewCBCDecrypter(k.block, k.vector[:]).CryptBlocks(text, text)
	pad := int(text[len(text)-1])
	if pad < 1 || pad > padTo || pad > len(text) {
		return nil, "", errSealed
	}
	for _, b := range text[len(text)-pad:] {
		if int(b) != pad {
			return nil, "", errSealed
		}
	}
	text = text[:len(text)-pad]
	if len(text) < head {
		return nil, "", errSealed
	}
	length := binary.BigEndian.Uint32(text[randomHead:])
	text = text[head:]
	if uint64(length) > uint64(len(text)) {
		return nil, "", errSealed
	}
	return text[:length:length], string(text[length:]), nil
}
