// A caller gives its worker 10 ms, the worker takes 500: the caller is gone when the result comes,
// and the worker waits for ever to hand it over.
//
// Build with hold.go and variant_leaky.go or variant_fixed.go.
package main

import (
	"fmt"
	"runtime"
	"time"
)

func slowQuery(result chan int) {
	time.Sleep(500 * time.Millisecond)
	result <- 17 // parks here
}

func queryWithTimeout() string {
	room := 0
	if fixed {
		room = 1
	}
	result := make(chan int, room)
	go slowQuery(result) // spawned here
	select {
	case <-result:
		return "answered in time"
	case <-time.After(10 * time.Millisecond):
		return "timed out"
	}
}

func main() {
	before := runtime.NumGoroutine()
	fmt.Println(queryWithTimeout())
	for fixed && runtime.NumGoroutine() > before {
		time.Sleep(time.Millisecond)
	}
	ready()
	hold()
}
