//go:build go1.23

// Of go_waits: what came with Go 1.23.
package main

import "iter"

// The iterator stands between two values: its goroutine is parked as a coroutine.
func iterator(yield func(int) bool) {
	here("coroutine")
	if yield(1) { // parks in coroutine.
		yield(2)
	}
}

// Kept, so that it is not stopped.
var next func() (int, bool)

// The iterator itself waits, and who asked it for a value waits for the iterator.
func waitingIterator(yield func(int) bool) {
	here("inCoroutine")
	<-forEver // parks in inCoroutine.
}

func callsIterator() {
	here("callsCoroutine")
	next, _ := iter.Pull(waitingIterator)
	next() // parks in callsCoroutine.
}

// The body of a loop over a function is a function of its own.
func rangeOverFunc() {
	for value := range func(yield func(string) bool) { yield("rangeOverFunc") } {
		here(value)
		<-forEver // parks in rangeOverFunc.
	}
}

func init() {
	more = append(more, func() int {
		next, _ = iter.Pull(iterator)
		next()
		go callsIterator() // spawns callsCoroutine.
		go rangeOverFunc() // spawns rangeOverFunc.
		return 4
	})
}
