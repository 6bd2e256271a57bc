// Package gateway is the server address that WeChat pushes to: it takes
// messages and events of any number of accounts and stores them in JetStream.
//
// # Flow
//
//	WeChat ──POST──► limits ──► signature, key, appid ──► publish ──► ack ──► success
//	                               (wechat/push)             │
//	                                                         └─ no ack in time: 503, and WeChat sends it again
//
// An event goes to the subject Account.Events, a message that a person wrote to
// Account.Messages, both as the XML that WeChat sent, decrypted, with a
// Nats-Msg-Id that WeChat's repeats share: within the stream's duplicate window
// they are one.
//
// # Guarantees
//
// success is said only when the server has confirmed that the push is stored.
// Nothing is stored without a valid signature, whatever was sent.
//
// WeChat waits 5 seconds and sends a push three times. An answer other than
// success makes it send again at once, so what cannot be stored is not refused
// at once: the gateway goes on trying for Config.Timeout. Three tries then last
// some 15 seconds.
//
// # Spool
//
// With Config.Spool a push that cannot be stored in a third of Config.Timeout
// goes to disk, and success is said when it is synced there. While anything is
// in the spool all pushes go through it, so that they stay in their order;
// [Gateway.Run] stores them one after the other, as fast as the server confirms.
// What may have been stored before it went to the spool, and has been there for
// longer than the stream remembers ids, is looked for first: it becomes one
// event. A full spool, or a disk that fails, is as if there were none.
//
// # Several accounts
//
// Each has a path of its own, Config.Path and its appid. At Config.Path itself
// the account is told by the push's ToUserName, an id such as gh_7f083739789a
// that each account then has to be given; where there is only one account it is
// not needed. Whichever way it is found, its token and its appid have to fit.
// [Gateway.SetAccounts] changes them while pushes come.
//
// # Concurrency
//
// A [Gateway] is an http.Handler; Run is called once beside it.
package gateway
