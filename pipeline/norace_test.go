//go:build !race

package pipeline_test

const scale = 1
