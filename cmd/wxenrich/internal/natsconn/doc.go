// Package natsconn connects to NATS the way users of the nats CLI expect: the
// same flags, variables and contexts, in the order flags, environment,
// configuration file.
//
// A context named by a flag or by NATS_CONTEXT replaces the configuration
// file's whole nats section; a context named in the configuration file is
// overridden by what else that section says. Credentials are one thing: a user
// from a flag is never mixed with a creds file from the environment.
//
// # Connections
//
// Connections are for ever: they reconnect without a limit, log when they are
// lost and found, and remember the last permission violation, because a request
// that the server refuses only ever times out (see [Conn.Explain]).
package natsconn
