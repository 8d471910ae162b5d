// go_states brings a goroutine into a state that the runtime itself is in the midst of, and keeps it there.
//
// Usage: go_states WHAT. "ready" says that it is on the way there; it ends with its stdin, unless it cannot.
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

func stopWorld() {
	runtime.GOMAXPROCS(4)
	go spin()
	for atomic.LoadInt32(&spinning) == 0 {
	}
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
}

func readTrace() {
	check(trace.Start(io.Discard))
	select {}
}

type node struct{ next *node }

var list *node

func collect() {
	for {
		runtime.GC()
	}
}

var sink [4]*[1024]byte

func allocate(i int) {
	for {
		sink[i] = new([1024]byte)
	}
}

// A list is marked one by one, however many processors there are.
func collectGarbage() {
	for i := 0; i < 2000000; i++ {
		list = &node{list}
	}
	debug.SetGCPercent(20)
	for i := range sink {
		go allocate(i)
	}
	go collect()
	select {}
}

func main() {
	ways := map[string]func(){"heap-dump": dumpHeap, "stop-world": stopWorld, "trace": readTrace,
		"collect": collectGarbage}
	if len(os.Args) != 2 || ways[os.Args[1]] == nil {
		fmt.Fprintln(os.Stderr, "usage: go_states heap-dump|stop-world|trace|collect")
		os.Exit(64)
	}
	endWithStdin()
	fmt.Println("ready")
	ways[os.Args[1]]()
}
