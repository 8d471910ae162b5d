// go_record does what a recording of a Go program has to tell, one thing at a time.
//
// Usage: go_record THING…
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"runtime/pprof"
	"sort"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
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

// leak parks COUNT goroutines that nothing can reach, and has the collector find that, where Go has the profile.
func leak(args []string) {
	park(args)
	count, _ := strconv.Atoi(args[0])
	profile := pprof.Lookup("goroutineleak")
	for profile != nil && profile.Count() < count {
		profile.WriteTo(io.Discard, 0)
	}
}

//go:noinline
func waitForFirst(timer *time.Timer) { <-timer.C }

//go:noinline
func waitForSecond(timer *time.Timer) { <-timer.C }

// timers has two goroutines wait for a timer each. When a byte comes, the first one is set and the second one stopped.
func timers([]string) {
	first, second := time.NewTimer(time.Hour), time.NewTimer(time.Hour)
	first.Stop()
	go waitForFirst(first)
	go waitForSecond(second)
	fmt.Println("parked")
	hold1()
	first.Reset(time.Hour)
	second.Stop()
}

//go:noinline
func waitForDone(group *sync.WaitGroup) { group.Wait() }

//go:noinline
func takeToRead(lock *sync.RWMutex) { lock.RLock() }

//go:noinline
func takeToWrite(lock *sync.RWMutex) { lock.Lock() }

// locks has goroutines wait for a WaitGroup, and for an RWMutex that is read twice. Whenever a byte comes, Done and
// RUnlock are called once more. Then the one waits for another WaitGroup, and the RWMutex is written to.
func locks([]string) {
	var group, next sync.WaitGroup
	var lock sync.RWMutex
	group.Add(2)
	next.Add(5)
	go func() {
		waitForDone(&group)
		waitForDone(&next)
	}()
	lock.RLock()
	lock.RLock()
	go func() {
		takeToWrite(&lock)
		select {}
	}()
	for lock.TryRLock() { // until it waits
		lock.RUnlock()
		time.Sleep(time.Millisecond)
	}
	go takeToRead(&lock)
	for _, word := range []string{"parked", "changed"} {
		fmt.Println(word)
		hold1()
		group.Done()
		lock.RUnlock()
	}
}

// exec goes on as another program.
func exec(args []string) {
	fmt.Println("executing")
	hold1()
	syscall.Exec(args[0], args, os.Environ())
}

// ofThreads is how often a line stands in the status of the program's threads, and how many threads there are.
func ofThreads(line string) (found, all int) {
	names, _ := filepath.Glob("/proc/self/task/*/status")
	for _, name := range names {
		status, err := os.ReadFile(name)
		if err != nil {
			continue
		}
		all++
		if strings.Contains("\n"+string(status), "\n"+line) {
			found++
		}
	}
	return found, all
}

// drop gives up being root, and waits until every thread has; then it parks COUNT goroutines.
func drop(args []string) {
	for recorders := 0; recorders == 0; time.Sleep(10 * time.Millisecond) {
		recorders, _ = ofThreads("Name:\tleakspy\n")
	}
	fmt.Println(syscall.Setgroups([]int{7, 65534}), syscall.Setgid(65534), syscall.Setuid(65534))
	lines := []string{"Uid:\t65534\t65534\t65534\t65534\n", "Gid:\t65534\t65534\t65534\t65534\n",
		"Groups:\t7 65534 \n", "CapEff:\t0000000000000000\n", "CapPrm:\t0000000000000000\n"}
	for _, line := range lines {
		for found, all := ofThreads(line); found != all; found, all = ofThreads(line) {
			time.Sleep(10 * time.Millisecond)
		}
	}
	fmt.Println("dropped")
	park(args)
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
	// A goroutine counts until it has ended, for a moment after its Done.
	for end := time.Now().Add(time.Minute); runtime.NumGoroutine() > 1 && time.Now().Before(end); {
		time.Sleep(time.Millisecond)
	}
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
		"park": park, "labels": labels, "exec": exec, "same": same, "mutex": mutex, "drop": drop,
		"timers": timers, "leak": leak, "locks": locks,
	}
	things[os.Args[1]](os.Args[2:])
	fmt.Println("ready")
	for hold1() {
	}
}
