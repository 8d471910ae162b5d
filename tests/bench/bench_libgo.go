// bench_libgo measures one operation of libgo and prints its time in ns.
//
//	bench_libgo pingpong N    N round trips between two goroutines over unbuffered channels
//	bench_libgo spawn N       N goroutines that are started and end at once, in batches of 100
package main

import (
	"fmt"
	"os"
	"strconv"
	"sync"
	"time"
)

func pingpong(n int) {
	ping, pong := make(chan int), make(chan int)
	go func() {
		for i := range ping {
			pong <- i
		}
	}()
	for i := 0; i < n; i++ {
		ping <- i
		<-pong
	}
	close(ping)
}

func spawn(n int) {
	const batch = 100
	var group sync.WaitGroup
	for i := 0; i < n; i += batch {
		group.Add(batch)
		for j := 0; j < batch; j++ {
			go group.Done()
		}
		group.Wait()
	}
}

var modes = map[string]func(int){"pingpong": pingpong, "spawn": spawn}

func main() {
	if len(os.Args) != 3 || modes[os.Args[1]] == nil {
		fmt.Fprintln(os.Stderr, "usage: bench_libgo pingpong|spawn N")
		os.Exit(64)
	}
	n, err := strconv.Atoi(os.Args[2])
	if err != nil || n <= 0 {
		fmt.Fprintln(os.Stderr, "bench_libgo: N is a number above 0")
		os.Exit(64)
	}
	run := modes[os.Args[1]]
	run(n/10 + 1) // caches, stacks and free lists are warm from here on
	start := time.Now()
	run(n)
	fmt.Printf("%.1f\n", float64(time.Since(start).Nanoseconds())/float64(n))
}
