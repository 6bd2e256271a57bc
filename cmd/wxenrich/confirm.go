package main

import (
	"bufio"
	"context"
	"fmt"
	"strings"
)

// confirm asks a person, who must be there.
func (a *app) confirm(ctx context.Context, question string) error {
	if !a.inTTY {
		return usage("nobody can be asked: add --yes")
	}
	fmt.Fprintf(a.err, "%s [y/N] ", question)
	answer := make(chan string, 1)
	go func() {
		line, _ := bufio.NewReader(a.in).ReadString('\n') // no line is no
		answer <- line
	}()
	select {
	case <-ctx.Done():
		fmt.Fprintln(a.err)
		return ctx.Err()
	case line := <-answer:
		if said := strings.ToLower(strings.TrimSpace(line)); said != "y" && said != "yes" {
			return nothing("nothing was done")
		}
		return nil
	}
}
