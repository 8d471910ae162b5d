//go:build go1.23

// Of go_states: what came with Go 1.23.
package main

import "unique"

var handle = unique.Make("leakspy")

func init() {
	askForWeak = func() {
		for {
			unique.Make("leakspy")
		}
	}
}
