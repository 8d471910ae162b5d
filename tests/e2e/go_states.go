// go_states brings a goroutine into a state that the runtime itself is in the midst of, and keeps it there, or brings
// it there again and again.
//
// Usage: go_states WHAT. "ready" says that it is on the way there; it ends with its stdin, unless it cannot.
// Which GODEBUG a WHAT needs is in go_reasons.def. Build with go_states_gc.go and go_states_panic.go, and with those of
// go_states_unique.go (Go 1.23) and go_states_cleanup.go (1.24) whose needs are met.
package main

import (
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/debug"
	"runtime/trace"
	"sync/atomic"
	"syscall"
)

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "go_states:", err)
		os.Exit(70)
	}
}

// A pipe that takes no more. Its other end stays open.
func fullPipe() int {
	var pipe [2]int
	check(syscall.Pipe(pipe[:]))
	check(syscall.SetNonblock(pipe[1], true))
	for err := error(nil); err == nil; {
		_, err = syscall.Write(pipe[1], make([]byte, 4096))
	}
	check(syscall.SetNonblock(pipe[1], false))
	return pipe[1]
}

// Ends when stdin ends, in the midst of whatever state.
func endWithStdin() {
	go func() {
		io.Copy(io.Discard, os.Stdin)
		syscall.Kill(os.Getpid(), syscall.SIGKILL)
	}()
}

func dumpHeap() { debug.WriteHeapDump(uintptr(fullPipe())) }

var spinning int32

// Nothing in it can be preempted where GODEBUG=asyncpreemptoff=1 is set.
func spin() {
	atomic.StoreInt32(&spinning, 1)
	for {
	}
}

// Returns when nothing that needs every processor to come by can end any more.
func startSpin() {
	runtime.GOMAXPROCS(4)
	go spin()
	for atomic.LoadInt32(&spinning) == 0 {
	}
}

func stopWorld() {
	startSpin()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
}

func readTrace() {
	check(trace.Start(io.Discard))
	select {}
}

// The tracer begins anew once a second, and asks every processor.
func traceProcs() {
	check(trace.Start(io.Discard))
	startSpin()
	select {}
}

// The runtime's own goroutines, with nothing to do.
func idle() {
	runtime.SetFinalizer(new([10]int), func(*[10]int) {})
	addCleanup()
	runtime.GC()
	select {}
}

// Starts the runtime's goroutine for cleanups, where it has one.
var addCleanup = func() {}

var ways = map[string]func(){
	"assist":        assist,
	"collect":       collectGarbage,
	"collect-check": collectAndCheck,
	"collect-slow":  collectInStretches,
	"deep":          collectDeepStack,
	"heap-dump":     dumpHeap,
	"idle":          idle,
	"panic":         returnInPanic,
	"stop-world":    stopWorld,
	"trace":         readTrace,
	"trace-deep":    traceDeepStack,
	"trace-procs":   traceProcs,
}

func main() {
	if len(os.Args) != 2 || ways[os.Args[1]] == nil {
		fmt.Fprintln(os.Stderr, "usage: go_states WHAT")
		os.Exit(64)
	}
	endWithStdin()
	fmt.Println("ready")
	ways[os.Args[1]]()
}
