// Package quota keeps the account of a day's API calls: what WeChat allows,
// what is spent, what a batch costs, and what is left for whom.
//
// Three things are uncertain. Whether a batch of N openids costs one call or N
// is published nowhere, so it is measured, and N until it is known. WeChat's
// counters are exact to one percent. And others spend from the same quota:
// what WeChat says every hour replaces what was counted.
//
// Replicas share a [Shared]. Each counts what it spends in a [Delta], adds it
// to the shared value from time to time by compare-and-swap, and takes over
// the result:
//
//	d := ledger.Delta()
//	s := shared.Add(now, d)        // store s where shared was
//	ledger.Flushed(now, d, s)      // if that has worked
//	ledger.Apply(now, shared)      // whenever somebody else has stored one
//
// The one who asks WeChat stores shared.Reconcile(d, limit, reading) instead.
//
// The package reads no clock and touches no network.
package quota
