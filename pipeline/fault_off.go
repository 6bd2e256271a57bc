//go:build !faults

package pipeline

// fault is where the fault suite may end the process: see fault_on.go. In every
// other build it is nothing, and costs nothing.
func fault(string) {}

// poison is the same, for the events of a group.
func poison([]*item) {}
