// A function starts a worker, finds that its input is bad and returns early: the worker's result has
// no receiver any more. A channel with room for the one result lets the worker end all the same.
//
// Build with hold.go and variant_leaky.go or variant_fixed.go.
package main

import (
	"runtime"
	"time"
)

func compute(result chan int) {
	result <- 6 * 7 // parks here
}

func process(input string) int {
	room := 0
	if fixed {
		room = 1
	}
	result := make(chan int, room)
	go compute(result) // spawned here
	if input == "" {
		return -1 // nobody receives from result now
	}
	return <-result
}

func main() {
	before := runtime.NumGoroutine()
	process("")
	for fixed && runtime.NumGoroutine() > before {
		time.Sleep(time.Millisecond)
	}
	ready()
	hold()
}
