package quota

import "time"

// beijing has had no daylight saving time since 1991.
var beijing = time.FixedZone("CST", 8*60*60)

// Day names the day in Beijing, "2026-11-22": WeChat counts by it.
func Day(now time.Time) string { return now.In(beijing).Format(time.DateOnly) }

// Midnight is the next moment at which the daily counters begin anew.
func Midnight(now time.Time) time.Time {
	y, m, d := now.In(beijing).Date()
	return time.Date(y, m, d+1, 0, 0, 0, 0, beijing)
}
