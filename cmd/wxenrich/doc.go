// Command wxenrich takes openids in on NATS JetStream and puts enriched
// follower profiles out.
//
// # Layout
//
// main.go turns the process's arguments, streams and signals into one call of
// execute, which tests make as well. One file holds one command. What several
// commands need is in app.go (the shared flags, the log, the configuration),
// connect.go (NATS and WeChat clients from the configuration) and the internal
// packages.
//
// # Exit codes
//
// 0 fine, 1 failed, 2 wrong usage or configuration, 3 nothing to do or not
// found, 4 an audit has found the law broken, 130 interrupted before the end; what
// goes on until it is interrupted, as tail and status --watch do, ends so with 0. A
// command says so with an exitError; any other error is 1. Errors are printed
// once, on standard error, with a hint where we know what to do.
package main
