// Package bench measures the service beside a relay that only moves messages:
// the ceiling that JetStream sets. On a machine that others use too only the
// quotient of the two means anything, so both run in turns, on a server of their
// own each time, and medians are compared.
//
// The NATS server, the simulated WeChat, the service and the relay are processes
// of their own, so that the memory and the processor time of each are its own.
package bench
