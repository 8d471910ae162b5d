// What tests/bench/goroutines.sh looks at: so many goroutines that wait for ever, each on a channel of its
// own, and pprof served. Prints its address when they all wait.
//
// A thread of its own takes a nap of a millisecond over and over: /stall tells the longest time that
// it overslept since /stall was last asked, in milliseconds, and how much memory the process has.
package main

import (
	"bufio"
	"flag"
	"fmt"
	"net"
	"net/http"
	_ "net/http/pprof"
	"os"
	"runtime"
	"strings"
	"sync/atomic"
	"time"
)

func sum(result chan int, n int) {
	result <- n // parks here
}

func sumConcurrent(n int) {
	go sum(make(chan int), n) // spawned here
}

var longest int64

func nap() {
	const length = time.Millisecond
	runtime.LockOSThread()
	for {
		began := time.Now()
		time.Sleep(length)
		over := int64(time.Since(began) - length)
		for old := atomic.LoadInt64(&longest); over > old; old = atomic.LoadInt64(&longest) {
			if atomic.CompareAndSwapInt64(&longest, old, over) {
				break
			}
		}
	}
}

func resident() string {
	file, err := os.Open("/proc/self/status")
	if err != nil {
		return "?"
	}
	defer file.Close()
	for lines := bufio.NewScanner(file); lines.Scan(); {
		if strings.HasPrefix(lines.Text(), "VmRSS:") {
			return strings.TrimSpace(strings.TrimPrefix(lines.Text(), "VmRSS:"))
		}
	}
	return "?"
}

func stall(w http.ResponseWriter, _ *http.Request) {
	fmt.Fprintf(w, "%.1f %s\n", float64(atomic.SwapInt64(&longest, 0))/1e6, resident())
}

func main() {
	count := flag.Int("n", 10000, "goroutines that wait for ever")
	flag.Parse()
	for i := 0; i < *count; i++ {
		sumConcurrent(i)
	}
	for runtime.NumGoroutine() <= *count {
		time.Sleep(time.Millisecond)
	}
	time.Sleep(200 * time.Millisecond)
	runtime.GC() // from now on it knows how long they wait
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	http.HandleFunc("/stall", stall)
	go nap()
	fmt.Println(listener.Addr())
	fmt.Fprintln(os.Stderr, http.Serve(listener, nil))
}
