//go:build !unix

package config

import "io/fs"

// othersMayRead cannot be told from a file's mode here.
func othersMayRead(fs.FileInfo) bool { return false }
