// Package term is what commands print for a person: tables whose columns line
// up with Chinese in them, and progress that moves on a terminal and is a plain
// line every few seconds elsewhere. Where the output is no terminal, or
// NO_COLOR is set, there is no colour.
package term
