// Package push is the protocol of WeChat's message and event push: what WeChat
// sends to the server address that an account's console names, and what it
// wants to hear. It is pure: no network, no clock of its own, no stream.
//
// # Flow
//
//	query, err := push.ParseQuery(r.URL.Query())
//	GET:   echo, err := receiver.Verify(query, now)        answer echo, as it is
//	POST:  envelope, err := push.ParseEnvelope(body)
//	       message, err := receiver.Open(query, envelope, now)
//	       store it under message.ID(), then answer Success
//
// # What WeChat does
//
// It sends XML with a signature in the query: the hex SHA-1 of the sorted and
// joined token, timestamp and nonce. In safe mode the body holds only
// ToUserName and Encrypt, in compatible mode both that and the plain message;
// msg_signature then is made of the token, timestamp, nonce and Encrypt.
// A change of mode in the console counts at once, so a [Receiver] takes all
// three, and trusts of a body with both only what is encrypted.
//
// Encrypt is AES-256-CBC under the EncodingAESKey, padded to 32 bytes: 16
// random bytes, the length as four bytes, big end first, the message, the appid
// (Message encryption and decryption).
//
// Without an answer within 5 seconds WeChat cuts the connection and sends the
// push again, three times in all; any answer but success, or an empty one, also
// makes it send again, and at once (Receiving event pushes).
//
// # What a signature is worth
//
// The signature of a plain push does not cover the body: whoever sees one can
// send another body with it, so of a timestamp and nonce only the first body is
// taken; that of an encrypted push, which has such a signature too, is the first.
// Give the account an EncodingAESKey and safe mode, and refuse the rest
// with Config.EncryptedOnly. Timestamps older than Config.MaxSkew are refused.
// A copy of a push that is younger passes, as WeChat's own repeat has to: both
// have one [Message.ID].
//
// # Errors
//
// A push that is not taken gives a [*Refusal], whose [Reason] is from a closed
// set. No error holds a token, a key or a part of the body.
//
// # Testing
//
// [Pusher] makes pushes in all three modes.
package push
