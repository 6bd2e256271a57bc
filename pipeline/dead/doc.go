// Package dead reads the stream of dead letters: which there are, what each
// says, and what to do about it.
package dead
