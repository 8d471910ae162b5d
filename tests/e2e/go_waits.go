// go_waits parks one goroutine in every way that a program of Go's own compiler can, and says of each what
// its runtime says of it. The lines where they park and are spawned are marked for test_go.c.
//
// Each goroutine is a line of JSON: name, id, state as runtime.Stack words it, address of what it waits on.
// "ready" follows when all of them are parked. Then each line of stdin is a command:
// stacks: prints the text of pprof's goroutine profile (debug=2), then "end of stacks".
// gc: collects the garbage, then "collected". At the end of stdin it ends.
//
// Build with go_waits_more.go, which has what needs longer words, go_waits_timers.go, and those of go_waits_cgo.go (C),
// go_waits_iter.go (Go 1.23) and go_waits_synctest.go with its bubble (1.24) whose needs are met.
package main

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"runtime"
	"runtime/debug"
	"runtime/pprof"
	"strings"
	"sync"
	"syscall"
	"time"
)

var (
	none     chan int
	empty    = make(chan int)
	full     = make(chan string, 3)
	buffered = make(chan int64, 5)
	sending  = make(chan int)
	other    = make(chan int)
	ranged   = make(chan int)
	inSelect = make(chan [3]int)
	lone     = make(chan int)
	mutex    sync.Mutex
	reading  sync.RWMutex
	writing  sync.RWMutex
	queued   sync.RWMutex
	group    sync.WaitGroup
	cond     = sync.NewCond(&sync.Mutex{})
	once     sync.Once
	ticker   = time.NewTicker(time.Hour)
	timer    = time.NewTimer(time.Hour)
	listener net.Listener
	client   net.Conn
	timed    net.Conn
	packets  net.PacketConn
	readEnd  *os.File
	writeEnd *os.File
	rawPipe  [2]int
)

func chanSend()       { here("chanSend"); sending <- 1 }                           // parks in chanSend.
func chanSendFull()   { here("chanSendFull"); full <- "more" }                     // parks in chanSendFull.
func chanReceive()    { here("chanReceive"); <-other }                             // parks in chanReceive.
func chanBuffered()   { here("chanBuffered"); <-buffered }                         // parks in chanBuffered.
func chanSendNil()    { here("chanSendNil"); none <- 1 }                           // parks in chanSendNil.
func chanReceiveNil() { here("chanReceiveNil"); <-none }                           // parks in chanReceiveNil.
func selectNone()     { here("selectNone"); select {} }                            // parks in selectNone.
func mutexLock()      { here("mutexLock"); mutex.Lock() }                          // parks in mutexLock.
func rwmutexRead()    { here("rwmutexRead"); reading.RLock() }                     // parks in rwmutexRead.
func rwmutexWrite()   { here("rwmutexWrite"); writing.Lock() }                     // parks in rwmutexWrite.
func rwmutexQueue()   { here("rwmutexQueue"); queued.Lock() }                      // parks in rwmutexQueue.
func waitGroup()      { here("waitGroup"); group.Wait() }                          // parks in waitGroup.
func onceDo()         { here("onceDo"); once.Do(func() {}) }                       // parks in onceDo.
func sleep()          { here("sleep"); time.Sleep(time.Hour) }                     // parks in sleep.
func timerAfter()     { here("timerAfter"); <-time.After(time.Hour) }              // parks in timerAfter.
func timerReceive()   { here("timerReceive"); <-timer.C }                          // parks in timerReceive.
func tickerReceive()  { here("tickerReceive"); <-ticker.C }                        // parks in tickerReceive.
func accept()         { here("accept"); listener.Accept() }                        // parks in accept.
func netRead()        { here("netRead"); client.Read(make([]byte, 1)) }            // parks in netRead.
func netReadUntil()   { here("netReadUntil"); timed.Read([]byte{1}) }              // parks in netReadUntil.
func packetRead()     { here("packetRead"); packets.ReadFrom([]byte{1}) }          // parks in packetRead.
func pipeRead()       { here("pipeRead"); readEnd.Read([]byte{1}) }                // parks in pipeRead.
func pipeWrite()      { here("pipeWrite"); writeEnd.Write(make([]byte, 1<<20)) }   // parks in pipeWrite.
func syscallRead()    { here("syscallRead"); syscall.Read(rawPipe[0], []byte{1}) } // parks in syscallRead.

// Two that read from one connection take turns: the other one, netRead, has to be there first.
func descriptorLock() {
	for !waits("netRead", "IO wait") {
		time.Sleep(time.Millisecond)
	}
	here("descriptorLock")
	client.Read(make([]byte, 1)) // parks in descriptorLock.
}

func waits(name, state string) (found bool) {
	now := states()
	names.Range(func(id, of interface{}) bool {
		found = of == name && strings.HasPrefix(now[id.(int)], state)
		return !found
	})
	return found
}

func condWait() {
	here("condWait")
	cond.L.Lock()
	cond.Wait() // parks in condWait.
}

func chanRange() {
	here("chanRange")
	for range ranged { // parks in chanRange.
	}
}

func selectMany() {
	here("selectMany")
	select { // parks in selectMany.
	case inSelect <- [3]int{}:
	case <-empty:
	case <-none:
	}
}

func selectNil() {
	var texts chan string
	here("selectNil")
	select { // parks in selectNil.
	case texts <- "":
	case <-none:
	}
}

func selectOne() {
	here("selectOne")
	select {
	case <-lone: // parks in selectOne.
	}
}

func selectTimeout() {
	here("selectTimeout")
	select { // parks in selectTimeout.
	case <-empty:
	case <-time.After(time.Hour):
	}
}

// What is known of the goroutines: their names by their ids.
var names sync.Map

// here says of the goroutine that calls it what it is called. Not from within a bubble of synctest.
func here(name string) {
	var text [64]byte
	var id int
	fmt.Sscanf(string(text[:runtime.Stack(text[:], false)]), "goroutine %d ", &id)
	names.Store(id, name)
}

// Addresses of what they wait on.
var objects = map[string]interface{}{
	"chanSend": sending, "chanSendFull": full, "chanReceive": other, "chanBuffered": buffered,
	"chanRange": ranged, "selectOne": lone, "mutexLock": &mutex, "rwmutexRead": &reading,
	"rwmutexWrite": &writing, "rwmutexQueue": &queued, "waitGroup": &group, "condWait": cond,
	"timerReceive": timer.C, "tickerReceive": ticker.C,
}

// How many goroutines have said here(…) in the end: as many as rows were started.
var started int

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "go_waits:", err)
		os.Exit(70)
	}
}

// The other ends: closed, were they garbage.
var peers []interface{}

func connect() net.Conn {
	conn, err := net.Dial("tcp", listener.Addr().String())
	check(err)
	peer, err := listener.Accept()
	check(err)
	peers = append(peers, peer)
	return conn
}

func prepare() {
	var err error
	for len(full) < cap(full) {
		full <- "x"
	}
	mutex.Lock()
	reading.Lock()
	writing.RLock()
	queued.Lock()
	group.Add(1)
	listener, err = net.Listen("tcp", "127.0.0.1:0")
	check(err)
	client = connect()
	timed = connect()
	check(timed.SetReadDeadline(time.Now().Add(time.Hour)))
	packets, err = net.ListenPacket("udp", "127.0.0.1:0")
	check(err)
	var peer *os.File
	readEnd, peer, err = os.Pipe()
	check(err)
	peers = append(peers, peer)
	peer, writeEnd, err = os.Pipe()
	check(err)
	peers = append(peers, peer)
	check(syscall.Pipe(rawPipe[:]))
	begun := make(chan bool)
	go once.Do(func() { // spawns onceFirst.
		here("onceFirst")
		close(begun)
		<-begunForEver // parks in onceFirst.
	})
	<-begun
}

var begunForEver = make(chan int)

// states gives the runtime's words for each goroutine: "chan send", "sleep, locked to thread".
func states() map[int]string {
	ret := map[int]string{}
	for _, stack := range strings.Split(allStacks(), "\n\n") {
		var id int
		fmt.Sscanf(stack, "goroutine %d ", &id)
		head := strings.SplitN(stack, "\n", 2)[0]
		if begin, end := strings.Index(head, "["), strings.LastIndex(head, "]"); begin >= 0 && end > begin {
			ret[id] = head[begin+1 : end]
		}
	}
	return ret
}

func allStacks() string {
	for bytes := 1 << 20; ; bytes *= 2 {
		text := make([]byte, bytes)
		if n := runtime.Stack(text, true); n < bytes {
			return string(text[:n])
		}
	}
}

// Who stays in a system call. Others come through one on their way: a write that does not fit the pipe.
var inSystemCall = map[string]bool{"syscallRead": true, "cgoCall": true}

// Where one may be for a moment on the way to anywhere.
var passing = []string{"run", "syscall", "preempted", "GC ", "garbage collection", "wait for GC cycle"}

func onTheWay(name, state string) bool {
	for _, prefix := range passing {
		if strings.HasPrefix(state, prefix) {
			return prefix != "syscall" || !inSystemCall[name]
		}
	}
	return state == ""
}

// settled: everyone has said its name, and nobody is on the way.
func settled(states map[int]string) bool {
	ok, count := true, 0
	names.Range(func(id, name interface{}) bool {
		ok = ok && !onTheWay(name.(string), states[id.(int)])
		count++
		return ok
	})
	return ok && count == started
}

// complain says which goroutines have not parked in time.
func complain(states map[int]string) {
	count := 0
	names.Range(func(id, name interface{}) bool {
		fmt.Fprintf(os.Stderr, "go_waits: %v, goroutine %d: %s\n", name, id, states[id.(int)])
		count++
		return true
	})
	fmt.Fprintf(os.Stderr, "go_waits: %d goroutines did not all park, %d have begun\n", started, count)
	os.Exit(70)
}

func tell() {
	now := states()
	// Who waits for "ready" gives up after a minute; what did not park is said before.
	for end := time.Now().Add(50 * time.Second); !settled(now); now = states() {
		if time.Now().After(end) {
			complain(now)
		}
		time.Sleep(5 * time.Millisecond)
	}
	names.Range(func(id, name interface{}) bool {
		address := ""
		if object, ok := objects[name.(string)]; ok {
			address = fmt.Sprintf("%p", object)
		}
		fmt.Printf("{\"name\": %q, \"id\": %d, \"state\": %q, \"address\": %q}\n", name, id, now[id.(int)], address)
		return true
	})
	fmt.Println("ready")
}

func obey() {
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		switch in.Text() {
		case "stacks":
			check(pprof.Lookup("goroutine").WriteTo(os.Stdout, 2))
			fmt.Println("end of stacks")
		case "gc":
			runtime.GC()
			debug.FreeOSMemory()
			fmt.Println("collected")
		}
	}
}

// Those of the other files, started by theirs.
var more []func() int

func main() {
	prepare()
	go chanSend()       // spawns chanSend.
	go chanSendFull()   // spawns chanSendFull.
	go chanReceive()    // spawns chanReceive.
	go chanBuffered()   // spawns chanBuffered.
	go chanRange()      // spawns chanRange.
	go chanSendNil()    // spawns chanSendNil.
	go chanReceiveNil() // spawns chanReceiveNil.
	go selectNone()     // spawns selectNone.
	go selectMany()     // spawns selectMany.
	go selectNil()      // spawns selectNil.
	go selectOne()      // spawns selectOne.
	go selectTimeout()  // spawns selectTimeout.
	go mutexLock()      // spawns mutexLock.
	go rwmutexRead()    // spawns rwmutexRead.
	go rwmutexWrite()   // spawns rwmutexWrite.
	go rwmutexQueue()   // spawns rwmutexQueue.
	go waitGroup()      // spawns waitGroup.
	go condWait()       // spawns condWait.
	go onceDo()         // spawns onceDo.
	go sleep()          // spawns sleep.
	go timerAfter()     // spawns timerAfter.
	go timerReceive()   // spawns timerReceive.
	go tickerReceive()  // spawns tickerReceive.
	go accept()         // spawns accept.
	go netRead()        // spawns netRead.
	go descriptorLock() // spawns descriptorLock.
	go netReadUntil()   // spawns netReadUntil.
	go packetRead()     // spawns packetRead.
	go pipeRead()       // spawns pipeRead.
	go pipeWrite()      // spawns pipeWrite.
	go syscallRead()    // spawns syscallRead.
	started = 32
	for _, start := range more {
		started += start()
	}
	tell()
	obey()
}
