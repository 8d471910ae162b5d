// libgo_waits parks one goroutine in every way that a program can, prints what each waits on, and
// holds. The lines where they park and are spawned are marked for test_libgo.c.
//
// Build with samples/hold.go.
package main

import (
	"fmt"
	"net"
	"os"
	"os/signal"
	"sync"
	"time"
)

var (
	none     chan int
	empty    = make(chan int)
	full     = make(chan string, 3)
	buffered = make(chan int64, 5)
	first    = make(chan int)
	second   = make(chan int)
	inSelect = make(chan [3]int)
	deepest  = make(chan int)
	deferred = make(chan int)
	recover_ = make(chan int)
	nosplit  = make(chan int)
	mutex    sync.Mutex
	reading  sync.RWMutex
	writing  sync.RWMutex
	group    sync.WaitGroup
	cond     = sync.NewCond(&sync.Mutex{})
	listener net.Listener
	client   net.Conn
	timed    net.Conn
	pipe     *os.File
)

func chanSend()       { first <- 1 }            // parks in chanSend.
func chanSendFull()   { full <- "more" }        // parks in chanSendFull.
func chanReceive()    { <-second }              // parks in chanReceive.
func chanBuffered()   { <-buffered }            // parks in chanBuffered.
func chanSendNil()    { none <- 1 }             // parks in chanSendNil.
func chanReceiveNil() { <-none }                // parks in chanReceiveNil.
func selectNone()     { select {} }             // parks in selectNone.
func mutexLock()      { mutex.Lock() }          // parks in mutexLock.
func rwmutexRead()    { reading.RLock() }       // parks in rwmutexRead.
func rwmutexWrite()   { writing.Lock() }        // parks in rwmutexWrite.
func waitGroup()      { group.Wait() }          // parks in waitGroup.
func sleep()          { time.Sleep(time.Hour) } // parks in sleep.
func accept()         { listener.Accept() }     // parks in accept.

func condWait() {
	cond.L.Lock()
	cond.Wait() // parks in condWait.
}

func selectMany() {
	select { // parks in selectMany.
	case inSelect <- [3]int{}:
	case <-empty:
	case <-none:
	}
}

func selectNil() {
	var other chan string
	select { // parks in selectNil.
	case other <- "":
	case <-none:
	}
}

func netRead() {
	client.Read(make([]byte, 1)) // parks in netRead.
}

func netReadUntil() {
	timed.Read(make([]byte, 1)) // parks in netReadUntil.
}

func pipeRead() {
	pipe.Read(make([]byte, 1)) // parks in pipeRead.
}

// Over many pieces of a split stack.
func recurse(depth int, function func()) int {
	var room [100]int
	room[depth%100] = depth
	if depth == 0 {
		function()
		return 0
	}
	return recurse(depth-1, function) + room[depth%100]
}

func atTheBottom() { deepest <- 1 } // parks in deep.
func deep()        { recurse(2000, atTheBottom) }

func inDefer() {
	defer func() {
		<-deferred // parks in inDefer.
	}()
}

func inRecover() {
	defer func() {
		if recover() != nil {
			<-recover_ // parks in inRecover.
		}
	}()
	panic("on purpose")
}

func connect() net.Conn {
	conn, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		panic(err)
	}
	if _, err = listener.Accept(); err != nil {
		panic(err)
	}
	return conn
}

func object(name string, of interface{}) {
	fmt.Printf("object %s %p\n", name, of)
}

func prepare() {
	var err error
	for len(full) < cap(full) {
		full <- "x"
	}
	mutex.Lock()
	reading.Lock()
	writing.RLock()
	group.Add(1)
	if listener, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		panic(err)
	}
	client = connect()
	timed = connect()
	timed.SetReadDeadline(time.Now().Add(time.Hour))
	if pipe, _, err = os.Pipe(); err != nil {
		panic(err)
	}
}

func main() {
	prepare()
	signal.Notify(make(chan os.Signal, 1), os.Interrupt) // the runtime has a goroutine for it
	go chanSend()       // spawns chanSend.
	go chanSendFull()   // spawns chanSendFull.
	go chanReceive()    // spawns chanReceive.
	go chanBuffered()   // spawns chanBuffered.
	go chanSendNil()    // spawns chanSendNil.
	go chanReceiveNil() // spawns chanReceiveNil.
	go selectNone()     // spawns selectNone.
	go selectMany()     // spawns selectMany.
	go selectNil()      // spawns selectNil.
	go mutexLock()      // spawns mutexLock.
	go rwmutexRead()    // spawns rwmutexRead.
	go rwmutexWrite()   // spawns rwmutexWrite.
	go waitGroup()      // spawns waitGroup.
	go condWait()       // spawns condWait.
	go sleep()          // spawns sleep.
	go accept()         // spawns accept.
	go netRead()        // spawns netRead.
	go netReadUntil()   // spawns netReadUntil.
	go pipeRead()       // spawns pipeRead.
	go deep()           // spawns deep.
	go inDefer()        // spawns inDefer.
	go inRecover()      // spawns inRecover.
	recurse(1000, func() {
		go func() { nosplit <- 1 }() // parks in spawnedDeep. spawns spawnedDeep.
	})
	object("chanSend", first)
	object("chanSendFull", full)
	object("chanReceive", second)
	object("chanBuffered", buffered)
	object("mutexLock", &mutex)
	object("rwmutexRead", &reading)
	object("rwmutexWrite", &writing)
	object("waitGroup", &group)
	object("condWait", cond)
	object("deep", deepest)
	ready()
	hold()
}
