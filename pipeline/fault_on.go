//go:build faults

package pipeline

import (
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// faultPoint and faultLeft are the variable FAULT_AT, "<point>:<n>": the
// process ends without a word when it comes to the point for the nth time.
var (
	faultPoint string
	faultLeft  atomic.Int64
)

func init() {
	point, n, ok := strings.Cut(os.Getenv("FAULT_AT"), ":")
	poisonous, deadly, _ = strings.Cut(os.Getenv("FAULT_POISON"), ":")
	left, err := strconv.ParseInt(n, 10, 64)
	if ok && err == nil {
		faultPoint = point
		faultLeft.Store(left)
	}
}

// fault ends the process if it is to die here. What the caller has sent is
// given the time to leave the buffers: a death before it left would be one
// before it was sent.
func fault(point string) {
	if point != faultPoint || faultLeft.Add(-1) != 0 {
		return
	}
	die()
}

// poisonous and deadly are the variable FAULT_POISON, "<openid>:<panic|kill>":
// the process ends in that way whenever it handles an event of that person.
var poisonous, deadly string

// poison ends the process if one of the group does.
func poison(items []*item) {
	for _, it := range items {
		switch {
		case it.Key.openid != poisonous:
		case deadly == "panic":
			panic("poison")
		default:
			die()
		}
	}
}

// die ends the process as the kernel does.
func die() {
	time.Sleep(50 * time.Millisecond)
	if self, err := os.FindProcess(os.Getpid()); err == nil {
		_ = self.Kill()
	}
	select {}
}
