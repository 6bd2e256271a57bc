//go:build unix

package config

import (
	"io/fs"
	"os"
	"syscall"
)

// othersMayRead reports whether a secret's file can be read by more than who
// has to. A group may read what belongs to somebody else: that is how
// Kubernetes hands a secret to a process without rights, as root:group 0440.
func othersMayRead(info fs.FileInfo) bool {
	perm := info.Mode().Perm()
	owner, known := info.Sys().(*syscall.Stat_t)
	ours := !known || int(owner.Uid) == os.Geteuid()
	return perm&0o004 != 0 || perm&0o040 != 0 && ours
}
