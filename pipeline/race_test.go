//go:build race

package pipeline_test

// scale divides the size of the big tests: under the race detector they take
// many times longer, and find their races just as well when they are small.
const scale = 20
