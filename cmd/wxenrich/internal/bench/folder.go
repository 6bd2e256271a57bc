package bench

import (
	"io/fs"
	"os"
	"path/filepath"

	"github.com/gofrs/flock"
)

// What the folder of a run is called, and the file in it that its owner has
// locked: the system unlocks it when the owner ends, however it does.
const (
	folderPattern = "wxenrich-bench-*"
	ownerFile     = "owner.lock"
)

// newFolder makes a folder for the files of a run in temp, and removes there those
// whose owners were killed. It is the caller's until the lock is closed.
func newFolder(temp string) (dir string, lock *flock.Flock, err error) {
	removeAbandoned(temp)
	if dir, err = os.MkdirTemp(temp, folderPattern); err != nil {
		return "", nil, err
	}
	lock = flock.New(filepath.Join(dir, "new.lock")) // nobody may see it unlocked
	if err = lock.Lock(); err == nil {
		err = os.Rename(lock.Path(), filepath.Join(dir, ownerFile))
	}
	return dir, lock, err
}

func removeAbandoned(temp string) {
	marks, _ := fs.Glob(os.DirFS(temp), folderPattern+"/"+ownerFile)
	for _, mark := range marks {
		mark = filepath.Join(temp, filepath.FromSlash(mark))
		lock := flock.New(mark, flock.SetFlag(os.O_RDWR)) // it is not made anew if it has just gone
		if gone, _ := lock.TryLock(); gone {
			_ = os.RemoveAll(filepath.Dir(mark)) // a file of another user stays
			_ = lock.Close()
		}
	}
}
