package pipeline

import "slices"

// subscribe returns a channel that has something when notes about the account
// have changed, until it is unsubscribed.
func (b *Board) subscribe(appid string) <-chan struct{} {
	if b == nil {
		return nil
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	woken := make(chan struct{}, 1)
	woken <- struct{}{} // there may be something already
	b.lanes[appid] = append(b.lanes[appid], woken)
	return woken
}

func (b *Board) unsubscribe(appid string, woken <-chan struct{}) {
	if b == nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.lanes[appid] = slices.DeleteFunc(b.lanes[appid], func(c chan struct{}) bool { return c == woken })
}

// wake wakes a lane, if it is not awake already.
func wake(lane chan<- struct{}) {
	select {
	case lane <- struct{}{}:
	default:
	}
}
