package pace

import "time"

// meter counts calls in each of the last sixty seconds.
type meter struct {
	calls  [60]int
	second int64 // the latest, in Unix time
}

func (m *meter) add(now time.Time) {
	m.roll(now)
	m.calls[m.second%60]++
}

// perSecond is the mean rate over a span before now of two seconds to a minute.
func (m *meter) perSecond(now time.Time, span time.Duration) float64 {
	m.roll(now)
	seconds := min(max(2, int64(span/time.Second)), int64(len(m.calls)))
	sum := 0
	for i := range seconds {
		if at := m.second - i; at >= 0 {
			sum += m.calls[at%60]
		}
	}
	running := float64(now.Nanosecond()) / float64(time.Second) // of the latest second
	return float64(sum) / (float64(seconds-1) + running)
}

// roll forgets what is a minute old. A clock that is set back counts on in the
// second that it was in.
func (m *meter) roll(now time.Time) {
	second := now.Unix()
	if second-m.second >= int64(len(m.calls)) {
		*m = meter{second: second}
	}
	for m.second < second {
		m.second++
		m.calls[m.second%60] = 0
	}
}
