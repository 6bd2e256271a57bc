// Package wechattest simulates the part of WeChat's Official Account server API
// that package wechat calls, for tests, demos and benchmarks: strict where the
// service is strict, and failing on command in all the ways it fails.
//
// # What it does
//
//	GET  /cgi-bin/token                   each fetch ends the token before it after 5 minutes
//	POST /cgi-bin/stable_token            one token for all, changed 5 minutes before its end
//	GET  /cgi-bin/user/info
//	POST /cgi-bin/user/info/batchget      1 to 100 openids, one bad openid fails the call
//	GET  /cgi-bin/user/get                pages of 10,000, then one without a data key
//	POST /cgi-bin/openapi/quota/get
//	POST /cgi-bin/clear_quota             10 a month
//
// Errors are errcodes with HTTP status 200. Followers are made from their
// number: a million of them need no memory, and [Account.User] says what is
// sent for each. Where nobody outside WeChat knows the answer, [Quirks] has a
// switch. Time is that of package time, so a testing/synctest bubble with
// [Server.Serve] can let days pass.
//
// # Faults
//
// [Server.Inject] takes a [Fault]: which calls, how often, and what happens to
// them. Several may be in force at once.
//
// # Pushes
//
// A [Pusher] sends an account's events to a server address, signed and encrypted
// in any of the three modes, and again as often as WeChat does.
//
// # Controls over HTTP
//
// For other languages and for the shell the same is there as JSON:
//
//	GET    /_sim/stats                              counts by appid
//	GET    /_sim/users?appid=&offset=&limit=        {"total":…,"openids":[…]}; offset is a person's number
//	GET    /_sim/user?appid=&openid=                the row as it would be sent
//	POST   /_sim/fault                              a Fault, for example
//	       {"match":{"endpoint":"user/info/batchget","probability":0.05},"do":{"code":-1}}; returns {"id":…}
//	DELETE /_sim/fault?id=                          removes one, without id all
//	POST   /_sim/kill-tokens?appid=                 rejects every token that is out
//	POST   /_sim/secret                             {"appid":…,"secret":…} sets the app secret
//
// They are not protected: serve them on loopback only.
package wechattest
