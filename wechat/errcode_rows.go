package wechat

import "time"

// The actions that several codes share.
const (
	actNone      = "none: tried again by itself"
	actRefresh   = "none: the token is fetched again; if it goes on, another process fetches tokens for this account"
	actReport    = "report it: this program sent a malformed request"
	actSecret    = "compare the app secret with the one in the console"
	actUnrelated = "none: not a code of these endpoints"
	actAuthorise = "have the account's administrator authorise the platform again, with permission set 2 or 100"
)

// rows is from the pages of the endpoints, the common list of errcodes
// (commErrCode) and what users report. WeChat adds codes without notice.
var rows = []Row{
	// Busy.
	{Any, -1, Transient, "system busy", actNone, 0},
	{Any, 268487001, Transient, "system busy", actNone, 0},
	{Any, 268487002, Transient, "system busy", actNone, 0},

	// Token.
	{Data, 40001, StaleToken, "access token invalid or no longer the latest", actRefresh, 0},
	{Data, 40014, StaleToken, "access token malformed or invalid", actRefresh, 0},
	{Data, 42001, StaleToken, "access token expired", actRefresh, 0},
	{Data, 41001, Bug, "access token missing", actReport, 0},
	{Login, 40001, Operator, "app secret wrong", actSecret, 0},
	{Any, 40125, Operator, "app secret wrong", actSecret, 0},
	{Login, 40002, Operator, "grant type refused", "check that api is the address of WeChat's API", 0},
	{Any, 40013, Operator, "appid wrong", "compare the appid with the one in the console", 0},
	{Login, 41002, Operator, "appid missing", "set the account's appid", 0},
	{Login, 41004, Operator, "app secret missing", "set the account's secret", 0},
	{Login, 43002, Operator, "wrong HTTP method", "check that api is the address of WeChat's API and not of a redirect", 0},
	{Any, 40243, Operator, "app secret frozen", "unfreeze the secret in the console", 0},
	{Any, 40164, Address, "the caller's IP is not on the whitelist", "add the address in the message to the IP whitelist", 0},
	{Any, 61004, Address, "the caller's IP is not on the platform's whitelist", "add the address to the platform's IP whitelist", 0},
	{Any, 45035, Address, "the caller's IP is not on the whitelist", "add the address to the IP whitelist", 0},
	{Any, 89501, Operator, "waiting for the administrator's confirmation of this IP", "the administrator confirms the request in WeChat", 10 * time.Minute},
	{Any, 89503, Operator, "calling from this IP needs the administrator's confirmation", "the administrator confirms the request in WeChat", 10 * time.Minute},
	{Any, 89506, Operator, "the administrator has refused this IP twice", "none for 24 hours, then ask the administrator", 24 * time.Hour},
	{Any, 89507, Operator, "the administrator has refused this IP", "none for one hour, then ask the administrator", time.Hour},
	{Any, 50004, Permission, "barred from the interface as a punishment", "read the notices in the console", 0},
	{Any, 61024, Operator, "the account is bound to a platform and needs its component token", "use the platform's token", 0},

	// People.
	{Data, 40003, BadOpenID, "an openid of the request is invalid, or belongs to another account", "none for single openids; if all fail, appid and openids do not belong together", 0},
	{Data, 49003, BadOpenID, "the openid does not belong to this appid", "none for single openids; if all fail, appid and openids do not belong together", 0},
	{Data, 46004, BadOpenID, "the user does not exist", "none: the event becomes a dead letter", 0},
	{Data, 41009, BadOpenID, "an openid is missing", "none for single openids: the event becomes a dead letter; if all fail, report it", 0},
	{Data, 43004, NotFollowing, "the user has to follow first", "none", 0},
	{Data, 50005, NotFollowing, "the user has unfollowed", "none", 0},

	// Limits.
	{Data, 40032, BatchSize, "wrong number of openids in the list", "lower batch.size if the account is on hold for it: half of it is tried first", 0},
	{Any, 45011, MinuteLimit, "called too often this minute", "none: slowed down by itself", 0},
	{Any, 45009, DailyQuota, "daily quota used up", "wait for midnight in Beijing, or clear the quota in the console (10 times a month)", 0},
	{Any, 48006, Operator, "no clearing of quotas left this month", "wait for midnight in Beijing", 0},

	// Permission.
	{Any, 48001, Permission, "no permission for this interface", "verify the account, or check what kind of token is used", 0},
	{Any, 48004, Permission, "interface banned", "read the notices in the console", 0},
	{Any, 50001, Permission, "not authorised for this interface", "check the account's permissions in the console", 0},
	{Any, 50002, Permission, "user or account limited", "read the notices in the console; if others are answered, errcodes: {data/50002: bad_openid} finds the person", 0},
	{Any, 61003, Permission, "the account has not authorised the platform", actAuthorise, 0},
	{Any, 61007, Permission, "the platform lacks the permission set", actAuthorise, 0},
	{Any, 61016, Operator, "component account problem", actAuthorise, 0},
	{Any, 61023, Operator, "refresh token invalid", actAuthorise, 0},

	// Our own mistakes.
	{Any, 40031, Bug, "openid list malformed", actReport, 0},
	{Any, 40033, Bug, "request has characters that are not allowed", actReport, 0},
	{Any, 40035, Bug, "parameter invalid", actReport, 0},
	{Any, 40066, Bug, "URL invalid", "check api, then report it", 0},
	{Any, 40097, Bug, "argument invalid", actReport, 0},
	{Any, 43001, Bug, "needs GET", "check that api is not the address of a redirect, then report it", 0},
	{Data, 43002, Bug, "needs POST", "check that api is not the address of a redirect, then report it", 0},
	{Any, 43003, Bug, "needs HTTPS", "let api begin with https", 0},
	{Any, 44002, Bug, "body empty", actReport, 0},
	{Any, 47001, Bug, "body is not JSON", actReport, 0},

	// Diagnosis: of no consequence for data.
	{Any, 76001, Unknown, "rid malformed", actUnrelated, 0},
	{Any, 76002, Unknown, "rid unknown", actUnrelated, 0},
	{Any, 76003, Unknown, "rid of another account", actUnrelated, 0},
	{Any, 76004, Unknown, "rid older than seven days", actUnrelated, 0},
	{Any, 76021, Unknown, "quota asked for an unknown path", "none: the quota stays unknown", 0},
	{Any, 76022, Unknown, "no right to ask for this path's quota", "none: the quota stays unknown", 0},

	// OAuth: cannot occur with a server's token.
	{Any, 40029, Unknown, "OAuth code invalid", actUnrelated, 0},
	{Any, 40163, Unknown, "OAuth code used before", actUnrelated, 0},
	{Any, 42002, Unknown, "OAuth refresh token expired", actUnrelated, 0},
	{Any, 42003, Unknown, "OAuth code expired", actUnrelated, 0},
	{Any, 42007, Unknown, "the user has changed the password", actUnrelated, 0},
}
