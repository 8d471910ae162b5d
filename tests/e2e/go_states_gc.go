// Of go_states: the garbage collector at work.
package main

import (
	"io"
	"runtime"
	"runtime/debug"
	"runtime/trace"
	"time"
)

type node struct{ next *node }

var list *node

// It is marked one by one, however many processors there are.
func makeList(nodes int) {
	for i := 0; i < nodes; i++ {
		list = &node{list}
	}
}

func collect() {
	for {
		runtime.GC()
	}
}

var sink [4]*[1024]byte
var large []byte

func allocate(i int) {
	for {
		sink[i] = new([1024]byte)
	}
}

// Who allocates much at once has to mark as much, for as long as it takes.
func allocateLarge() {
	for {
		large = make([]byte, 16<<20)
	}
}

func collectGarbage() {
	makeList(2000000)
	debug.SetGCPercent(20)
	for i := range sink {
		go allocate(i)
	}
	go allocateLarge()
	go collect()
	select {}
}

// Each of its stretches takes some 50 ms, and cannot be preempted (GODEBUG=asyncpreemptoff=1).
func spinInStretches() {
	for {
		for i := 0; i < 100000000; i++ {
		}
		runtime.Gosched()
	}
}

// Asks for what the collector may be about to free.
var askForWeak = func() { select {} }

// Wherever the collector needs every processor to come by, it waits for the end of a stretch.
func collectInStretches() {
	runtime.GOMAXPROCS(4)
	makeList(20000)
	go spinInStretches()
	go askForWeak()
	go collect()
	select {}
}

// A second time, while nothing else runs, the collector marks all there is to check itself (GODEBUG=gccheckmark=1).
func collectAndCheck() {
	makeList(500000)
	collect()
}

// A stack that takes a while to be scanned: a hundred thousand frames and more.
func recurse(depth int, function func()) int {
	var room [20]int
	room[depth%20] = depth
	if depth == 0 {
		function()
		return 0
	}
	return recurse(depth-1, function) + room[depth%20]
}

const deepest = 300000

var counter int

func count() {
	for {
		counter++
	}
}

func parkDeep()  { recurse(deepest, func() { select {} }) }
func countDeep() { recurse(deepest, count) }

// What runs is preempted while its stack is scanned. With one for each processor but the collector's, the second is
// sure to run by the time that the first has been scanned.
func collectDeepStack() {
	runtime.GOMAXPROCS(4)
	for i := 0; i < 3; i++ {
		go countDeep()
	}
	go collect()
	select {}
}

// A goroutine that allocates on one processor does the collector's work itself, with a stack that takes a while.
func assist() {
	runtime.GOMAXPROCS(1)
	recurse(deepest, allocateLarge)
}

// The tracer waits for the collector to be done with a stack.
func traceDeepStack() {
	runtime.GOMAXPROCS(4)
	go parkDeep()
	go collect()
	for {
		check(trace.Start(io.Discard))
		time.Sleep(time.Millisecond)
		trace.Stop()
	}
}
