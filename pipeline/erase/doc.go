// Package erase removes people from the streams, and keeps them from coming
// back. See pipeline/adr for why it is as it is.
//
// What is known of erasures is in a key-value bucket of its own, the ledger:
//
//	salt                        of all hashes, 32 random bytes
//	stone.<appid>.<hash>        a tombstone: whose events, stored up to when, are answered no more
//	union.<hash>                the same by unionid, for all accounts
//	order.<appid>.<hash>        an erasure that is to be done, or not done to its end; holds the openid
//	lease.<appid>               who erases people of an account now
//	receipt.<appid>.<when>.<n>  which messages were removed, by sequence: for the audit
//
// A tombstone says nothing about a person to whoever does not know the openid
// already. It is checked before every publish; as long as there is none, the
// check is a look at a flag.
//
// # An erasure
//
// An order is written first, and removed last: whoever dies between leaves it to
// the next one. In between, in this order:
//
//  1. The tombstone is written. From now on nobody who has heard of it stores an
//     answer to an event that it covers.
//  2. The streams are read. What is about the person, from events stored up to
//     the cut-off, is written down by its sequence and then overwritten and
//     removed (JetStream's secure delete).
//  3. Consumers are told.
//  4. After a while, in which the last publish that did not know has ended,
//     the streams are read once more.
//
// Every step may be done twice.
package erase
