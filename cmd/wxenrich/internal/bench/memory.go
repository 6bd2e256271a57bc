package bench

// What the service takes besides what it holds, and for an event in hand besides
// its bytes: the message, what is known of it, its row, its record and headers.
const (
	baseMemory = 52 << 20
	perEvent   = 4 << 10
	perLane    = 100 << 10
	perAccount = 2 << 20 // that is busy: the unionids that it has seen, to know a mixed-up answer by
	rowSize    = 512     // of WeChat's answer
)

// MostMemory is how much resident memory a replica of a case takes at most, by
// the formula of the README: it depends on the configuration and on the size of
// events, and on nothing else. The factor is the garbage collector's, which lets
// half as much again be used before it collects.
func MostMemory(c *Case, recent int64) int64 {
	inHand := int64(c.Service.BatchSize) * int64(c.Service.Concurrency+2) * int64(c.Load.Accounts)
	event := int64(perEvent + 2*(c.Load.Meta+rowSize))
	return baseMemory + int64(c.Load.Accounts+c.Service.Idle)*perLane + (recent+int64(c.Load.Accounts)*perAccount+inHand*event)*3/2
}
