// Package wechat is a client for the part of WeChat's Official Account server
// API that turns openids into follower profiles.
//
// # Calls
//
//	[Client.BatchGet]     POST /cgi-bin/user/info/batchget   1 to 100 openids (api_batchuserinfo)
//	[Client.UserInfo]     GET  /cgi-bin/user/info            one openid       (api_userinfo)
//	[Client.Followers]    GET  /cgi-bin/user/get             10,000 a page    (api_getfans)
//	[Client.Quota]        POST /cgi-bin/openapi/quota/get    what is left     (api_getapiquota)
//	[NewStableTokens]     POST /cgi-bin/stable_token         never forced     (api_getstableaccesstoken)
//	[NewClassicTokens]    GET  /cgi-bin/token                one process only (AccessToken)
//
// Every call makes one attempt and says by its error what kind of failure it
// was; when to try again is for the caller to decide. All of them are reads,
// so trying again costs quota and nothing else.
//
// # Errors
//
// A failed call returns an [*Error]. [ClassOf] reads the class of any error;
// the table behind it is open to [Lookup] and [Table]. WeChat answers nearly
// every failure with HTTP 200 and an errcode, and one errcode means different
// things to different endpoints: 40001 of a data call is a token that has been
// replaced, 40001 of a token endpoint is a wrong secret.
//
// # Hosts
//
// One API may answer at several addresses; with [Hosts] a call that gets no
// answer sends the calls after it to the next.
//
// # Rows
//
// The order of a batch's rows, and even that there is a row for each openid, is
// documented nowhere: match by openid. Since 2021 names, avatars and places are
// blank. Rows are read leniently, a field of an unexpected type is left zero,
// and [User.Raw] holds what was sent. Raw control characters inside strings,
// which the live service sends in remarks, are repaired.
//
// # Secrets
//
// WeChat wants the token in the query string, and Go's *url.Error prints whole
// URLs. No error, span or hook of this package carries a token, an app secret
// or a query string, and a value of type [Secret] prints as "[redacted]".
//
// # Concurrency
//
// A [Client] and [Tokens] may be used by any number of goroutines.
//
// # Testing
//
// The sibling package wechattest is a strict, scriptable simulator of these
// endpoints.
package wechat
