// Package pipeline answers events: it pulls them from JetStream, asks WeChat
// for the people in them, a hundred at a time, and publishes one record for
// each event.
//
// # Flow
//
//	         ┌─────────── Lane, one for each account ───────────────────────┐
//	durable ─► tap ─► loop ─► batch ─► group ─► attempt ─► match ─► settle ─► output
//	         │  │       ▲                │  └─ narrow, isolate, single       │ dead letters
//	         │  │       └──── outcome ───┘                                   │
//	         └──┴───────────────────────────── ack ◄─────────────────────────┘
//
// One goroutine, the loop, owns a lane: what it has in hand, its open batch,
// its hold. It starts a goroutine for each group of up to 100 openids, which
// looks them up, publishes what has an answer, acks it, and comes back with
// an outcome: what is done, what has to be asked again and how. A second
// goroutine, the tap, reads from the server and waits when the loop has enough
// to do; so a slow WeChat stops the pulling, and nothing else has to.
//
// The parts that decide something are data: package internal/batch gathers by
// openid, internal/split finds a refused openid, internal/match checks an
// answer, internal/pace says when a batch closes and how often to call,
// internal/quota what is left of the day, internal/strike which event was in
// hand when processes died. They read no clock and touch no
// network.
//
// # Guarantees
//
// An input is acked only when the server has confirmed that its record or its
// dead letter is stored. Whatever dies before that, the input is delivered
// again, and its answer carries the same message id: within the output
// stream's duplicate window the server stores it once.
//
// An account that cannot answer (its secret wrong, its quota spent) goes on
// hold: its events stay in their stream, and no other account notices.
//
// An openid is taken for refused only when WeChat refuses it alone and answers
// somebody else of the same account after that.
//
// # Bulk work
//
// Replays, backfills and redrives are jobs, package job: written down in the
// state bucket, and done by one of the running replicas on a lane of the same
// kind, with a range that ends and a durable of its own, below live traffic and
// inside Config.BulkShare. See pipeline/adr/0009.
//
// # Stop
//
// When its context ends, a lane pulls no more; the open batch goes into a free
// slot or back; calls in flight finish and are settled; no retry, split or
// second question begins. After Config.Grace what is in flight is cut short.
// Everything unanswered is handed back at once, and Run returns.
//
// # Testing
//
// The tests run against a real NATS server in the process and the WeChat
// simulator, package wechat/wechattest.
package pipeline
