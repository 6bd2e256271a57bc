// Package wxapi makes a WeChat client of an account's configuration: the
// client, and a token from wherever the account says.
//
// Nothing here fails because one account's secret is missing: the first call
// does, with an error of class Operator, and a later one succeeds when the
// secret is there. So one account's trouble stays that account's.
package wxapi
