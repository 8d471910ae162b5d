// A goroutine parks itself in an empty select, to keep the program alive, in a program that needs no
// such thing.
//
// Build with hold.go and variant_leaky.go or variant_fixed.go.
package main

import "sync"

var stopped = make(chan bool)
var done sync.WaitGroup

func keepAlive() {
	defer done.Done()
	if fixed {
		<-stopped
		return
	}
	select {} // parks here
}

func start() {
	done.Add(1)
	go keepAlive() // spawned here
	close(stopped)
	if fixed {
		done.Wait()
	}
}

func main() {
	start()
	ready()
	hold()
}
