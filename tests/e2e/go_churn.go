// go_churn spawns, blocks, wakes and ends goroutines as fast as it can, and grows and shrinks their stacks. It
// checks its own results all the time, and says so when stdin ends: "ok N", N rounds. Status 70: one was wrong.
//
// Whoever reads its stacks meanwhile knows a wrong one: a goroutine begins in main.worker, which main.spawn
// created; descendN is called by descendM with M = N-1 (modulo 8) or, for 0, by main.worker too; what blocks is
// called by a descend or by the worker, and each way to block has a function of its own.
package main

import (
	"fmt"
	"io"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

const workers = 256

type exchange struct {
	ping, pong chan int
	never      chan int
	mutex      sync.Mutex
	cond       *sync.Cond
	turn       int
	reading    sync.RWMutex
	both       sync.WaitGroup
}

var (
	stopping int32
	rounds   int64
	sink     [workers]*[]byte
)

//go:noinline
func blockSend(x *exchange, value int) int { x.ping <- value; return value }

//go:noinline
func blockReceive(x *exchange, value int) int { return <-x.ping }

//go:noinline
func blockSelect(x *exchange, value int) int {
	select {
	case x.pong <- value:
		return value
	case got := <-x.pong:
		return got
	case <-x.never:
		return -1
	}
}

//go:noinline
func blockMutex(x *exchange, value int) int {
	x.mutex.Lock()
	x.turn++
	runtime.Gosched()
	x.mutex.Unlock()
	return value
}

//go:noinline
func blockCond(x *exchange, value int) int {
	x.mutex.Lock()
	mine := x.turn
	x.turn++
	if mine%2 == 0 {
		for x.turn == mine+1 {
			x.cond.Wait()
		}
	} else {
		x.cond.Broadcast()
	}
	x.mutex.Unlock()
	return value
}

//go:noinline
func blockRead(x *exchange, value int) int {
	x.reading.RLock()
	runtime.Gosched()
	x.reading.RUnlock()
	return value
}

//go:noinline
func blockWrite(x *exchange, value int) int {
	x.reading.Lock()
	x.reading.Unlock()
	return value
}

//go:noinline
func blockSleep(x *exchange, value int) int { time.Sleep(50 * time.Microsecond); return value }

//go:noinline
func blockGroup(x *exchange, value int) int {
	var group sync.WaitGroup
	group.Add(1)
	go finish(&group)
	group.Wait()
	return value
}

func finish(group *sync.WaitGroup) { group.Done() }

// A frame of half a KiB, so that the stack grows on the way down and is copied.
func room(depth int) (ret [64]int) {
	ret[depth%64] = depth
	return
}

//go:noinline
func descend0(x *exchange, depth int, block func(*exchange, int) int) int {
	kept := room(depth)
	if depth == 0 {
		return block(x, 7) + kept[0]
	}
	return descend1(x, depth-1, block) + kept[depth%64] - depth
}

//go:noinline
func descend1(x *exchange, depth int, block func(*exchange, int) int) int {
	kept := room(depth)
	if depth == 0 {
		return block(x, 7) + kept[0]
	}
	return descend2(x, depth-1, block) + kept[depth%64] - depth
}

//go:noinline
func descend2(x *exchange, depth int, block func(*exchange, int) int) int {
	kept := room(depth)
	if depth == 0 {
		return block(x, 7) + kept[0]
	}
	return descend3(x, depth-1, block) + kept[depth%64] - depth
}

//go:noinline
func descend3(x *exchange, depth int, block func(*exchange, int) int) int {
	kept := room(depth)
	if depth == 0 {
		return block(x, 7) + kept[0]
	}
	return descend4(x, depth-1, block) + kept[depth%64] - depth
}

//go:noinline
func descend4(x *exchange, depth int, block func(*exchange, int) int) int {
	kept := room(depth)
	if depth == 0 {
		return block(x, 7) + kept[0]
	}
	return descend5(x, depth-1, block) + kept[depth%64] - depth
}

//go:noinline
func descend5(x *exchange, depth int, block func(*exchange, int) int) int {
	kept := room(depth)
	if depth == 0 {
		return block(x, 7) + kept[0]
	}
	return descend6(x, depth-1, block) + kept[depth%64] - depth
}

//go:noinline
func descend6(x *exchange, depth int, block func(*exchange, int) int) int {
	kept := room(depth)
	if depth == 0 {
		return block(x, 7) + kept[0]
	}
	return descend7(x, depth-1, block) + kept[depth%64] - depth
}

//go:noinline
func descend7(x *exchange, depth int, block func(*exchange, int) int) int {
	kept := room(depth)
	if depth == 0 {
		return block(x, 7) + kept[0]
	}
	return descend0(x, depth-1, block) + kept[depth%64] - depth
}

func fail(format string, words ...interface{}) {
	fmt.Fprintf(os.Stderr, "go_churn: "+format+"\n", words...)
	os.Exit(70)
}

// In pairs: both sides of each exchange go the same ways, the one up where the other goes down.
var ways = []func(*exchange, int) int{blockSend, blockSelect, blockMutex, blockSleep, blockCond, blockRead, blockGroup,
	blockSelect, blockWrite}

func worker(x *exchange, number, seed, left int) {
	defer x.both.Done()
	for i, block := range ways {
		if i == 0 && number%2 == 1 {
			block = blockReceive
		}
		depth := (seed + i*13) % 70
		if got := descend0(x, depth, block); got != 7 {
			fail("worker %d: %d at depth %d of way %d", number, got, depth, i)
		}
	}
	if seed%16 == 0 {
		garbage := make([]byte, 64<<10)
		sink[number] = &garbage
	}
	atomic.AddInt64(&rounds, 1)
	if left > 0 && seed%3 != 0 {
		// The same goroutine once more, for some, so that stacks of all sizes are there.
		own := newExchange()
		spawn(own, number^1, seed+1, 0)
		worker(own, number, seed+1, 0)
		own.both.Wait()
	}
}

func newExchange() *exchange {
	x := &exchange{ping: make(chan int), pong: make(chan int), never: make(chan int)}
	x.cond = sync.NewCond(&x.mutex)
	x.both.Add(2)
	return x
}

//go:noinline
func spawn(x *exchange, number, seed, left int) {
	go worker(x, number, seed, left)
}

func churn(pair int, ended *sync.WaitGroup) {
	defer ended.Done()
	for seed := pair; atomic.LoadInt32(&stopping) == 0; seed++ {
		x := newExchange()
		spawn(x, 2*pair, seed, 1)
		spawn(x, 2*pair+1, seed, 1)
		x.both.Wait()
	}
}

func main() {
	var ended sync.WaitGroup
	ended.Add(workers / 2)
	for i := 0; i < workers/2; i++ {
		go churn(i, &ended)
	}
	fmt.Println("ready")
	io.Copy(io.Discard, os.Stdin)
	atomic.StoreInt32(&stopping, 1)
	ended.Wait()
	fmt.Printf("ok %d\n", atomic.LoadInt64(&rounds))
}
