// go_record does what a recording of a Go program has to tell, one thing at a time.
//
// Usage: go_record THING…
package main

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"runtime/pprof"
	"sort"
	"strconv"
	"strings"
	"sync"
	"syscall"
)

//go:noinline
func parkHere(never chan int) {
	<-never
}

//go:noinline
func spawnHere(never chan int, count int) {
	for i := 0; i < count; i++ {
		go parkHere(never)
	}
}

// park has COUNT goroutines receive from one channel.
func park(args []string) {
	count, _ := strconv.Atoi(args[0])
	spawnHere(make(chan int), count)
}

// labels parks two goroutines with the same labels, one with others, and one without.
func labels([]string) {
	never := make(chan int)
	request := pprof.Labels("request", "42", "user", "somebody")
	for i := 0; i < 2; i++ {
		pprof.Do(context.Background(), request, func(context.Context) { spawnHere(never, 1) })
	}
	pprof.Do(context.Background(), pprof.Labels("empty", ""), func(context.Context) { spawnHere(never, 1) })
	spawnHere(never, 1)
}

// exec goes on as another program.
func exec(args []string) {
	fmt.Println("executing")
	hold1()
	syscall.Exec(args[0], args, os.Environ())
}

// hold1 waits for one byte of stdin. False: it has ended.
func hold1() bool {
	n, _ := os.Stdin.Read(make([]byte, 1))
	return n > 0
}

// same works: goroutines come and go, stacks grow, the collector runs, other programs are started; and says what
// came out, which is the same every time.
func same([]string) {
	var wait sync.WaitGroup
	var mutex sync.Mutex
	results := make([]int, 0)
	for round := 0; round < 30; round++ {
		for i := 0; i < 200; i++ {
			wait.Add(1)
			go func(i int) {
				defer wait.Done()
				got := descend(i%50, make(chan int, 1))
				mutex.Lock()
				results = append(results, got)
				mutex.Unlock()
			}(i)
		}
		if round%10 == 0 {
			runtime.GC()
			debug.FreeOSMemory()
		}
		wait.Wait()
	}
	sort.Ints(results)
	sum := 0
	for i, result := range results {
		sum += i * result
	}
	files, _ := os.ReadDir("/proc/self/fd")
	child, err := os.StartProcess("/bin/echo", []string{"echo", "a child"},
		&os.ProcAttr{Files: []*os.File{nil, os.Stdout, os.Stderr}})
	if err == nil {
		state, _ := child.Wait()
		fmt.Println(state)
	}
	environment := strings.Join(os.Environ(), "\n")
	fmt.Println(len(results), sum, runtime.NumGoroutine(), runtime.GOMAXPROCS(0) > 0, len(files), err,
		strings.Contains(environment, "LEAKSPY_VERBOSE"))
	fmt.Fprintln(os.Stderr, "on stderr")
	os.Exit(3)
}

//go:noinline
func descend(depth int, channel chan int) int {
	var frame [128]int
	frame[depth] = depth
	if depth == 0 {
		go func() { channel <- 1 }()
		return <-channel
	}
	return descend(depth-1, channel) + frame[depth]
}

func main() {
	things := map[string]func([]string){
		"park": park, "labels": labels, "exec": exec, "same": same, "mutex": mutex,
	}
	things[os.Args[1]](os.Args[2:])
	fmt.Println("ready")
	for hold1() {
	}
}
