// Package config is wxenrich's configuration: what can be set, where it comes
// from and whether it makes sense.
//
// # Layers
//
// Defaults, then one YAML file, then environment variables; the later wins.
// Every key is a variable too: input.stream is WXENRICH_INPUT_STREAM, the
// appid of the first account WXENRICH_ACCOUNTS_0_APPID, a list is separated by
// commas. What an account says of input, batch, recent, recheck and retry wins
// for that account over the sections of the same name, whatever their layer,
// because it is the more particular statement.
//
// # One type
//
// The struct tags of [Config] are the only description of a key: its name,
// default, bounds, choices and meaning. The decoder, the environment, the
// checks, "config show" and the table in the README all read them.
//
// # Faults
//
// All faults are reported at once, each with where it was written, the key, what
// is wrong and what is wanted. Secrets never appear: the configuration holds
// names of files and variables, and what might hold a secret by mistake is not
// repeated.
package config
