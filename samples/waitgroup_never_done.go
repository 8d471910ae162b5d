// A worker that fails forgets to say that it is done: who waits for all of them never goes on.
//
// Build with hold.go and variant_leaky.go or variant_fixed.go.
package main

import "sync"

var group, collected sync.WaitGroup

func work(number int) {
	if number == 2 && !fixed {
		return // failed, without a word
	}
	group.Done()
}

func collect() {
	defer collected.Done()
	group.Wait() // parks here
}

func start() {
	group.Add(4)
	collected.Add(1)
	for i := 0; i < 4; i++ {
		go work(i)
	}
	go collect() // spawned here
	if fixed {
		collected.Wait()
	}
}

func main() {
	start()
	ready()
	hold()
}
