// Package quota keeps the account of a day's API calls: what WeChat allows,
// what is spent, what a batch costs, and what is left for whom.
//
// Three things are uncertain. Whether a batch of N openids costs one call or N
// is published nowhere, so it is measured, and N until it is known. WeChat's
// counters are exact to one percent. And others spend from the same quota:
// what WeChat says every hour replaces what was counted.
//
// Replicas share a [Shared]. Each counts what it spends, adds it to the shared
// value from time to time by compare-and-swap, and takes over the result. With
// it goes what the replica is about to spend, a slice of what is left: so long
// as all keep to what they have reserved, they do not go beyond a limit of our
// own together. How long calls take goes with it too: what a price is made by.
//
//	next, d := ledger.Offer(now, shared, false) // store next where shared was
//	ledger.Flushed(now, d, next)                // if that has worked
//	ledger.Apply(now, shared)                   // whenever somebody else has stored one
//
// The one who asks WeChat notes [Ledger.Asked] before and stores what
// [Shared.Reconcile] makes of the answer instead.
//
// The package reads no clock and touches no network.
package quota
