// parked for gccgo: parks one goroutine in one way. See parked.h.
//
// Build with samples/hold.go.
package main

import (
	"fmt"
	"net"
	"os"
	"runtime"
	"sync"
	"syscall"
	"time"
	"unsafe"
)

type row struct {
	park    func()
	release func() // so that the call does not have to wait; before it
	nudge   func() // wakes the call; again and again until it has returned
}

var (
	passing  bool
	empty    = make(chan int)
	full     = make(chan int, 1)
	none     chan int
	mutex    sync.Mutex
	rwmutex  sync.RWMutex
	group    sync.WaitGroup
	cond     = sync.NewCond(&mutex)
	client   net.Conn
	peer     net.Conn
	returned = make(chan bool, 1)
)

func send_something() {
	select {
	case empty <- 1:
	default:
	}
}

func receive_something() {
	select {
	case <-empty:
	default:
	}
}

func park_in_chan_send()          { empty <- 1 }
func park_in_chan_send_buffered() { full <- 1 }
func park_in_chan_receive()       { <-empty }

// The ways that never end are not taken when passing.
func park_in_chan_send_nil() {
	if !passing {
		none <- 1
	}
}

func park_in_chan_receive_nil() {
	if !passing {
		<-none
	}
}

func park_in_select_none() {
	if !passing {
		select {}
	}
}

func park_in_chan_range() {
	for range empty {
	}
}

func park_in_select_two() {
	select {
	case <-empty:
	case <-none:
	}
}

func park_in_mutex() {
	mutex.Lock()
	mutex.Unlock()
}

func park_in_rwmutex_read() {
	rwmutex.RLock()
	rwmutex.RUnlock()
}

func park_in_rwmutex_write() {
	rwmutex.Lock()
	rwmutex.Unlock()
}

func park_in_waitgroup() { group.Wait() }

func park_in_cond() {
	mutex.Lock()
	cond.Wait()
	mutex.Unlock()
}

func park_in_network() {
	client.Read(make([]byte, 1))
}

func park_in_sleep() {
	if passing {
		time.Sleep(time.Millisecond)
	} else {
		time.Sleep(time.Hour)
	}
}

func connect() {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	client, err = net.Dial("tcp", listener.Addr().String())
	if err != nil {
		panic(err)
	}
	peer, err = listener.Accept()
	if err != nil {
		panic(err)
	}
	listener.Close()
}

var rows = map[string]row{
	"chan_send":          {park_in_chan_send, nil, receive_something},
	"chan_send_buffered": {park_in_chan_send_buffered, func() { <-full }, nil},
	"chan_send_nil":      {park_in_chan_send_nil, nil, nil},
	"chan_receive":       {park_in_chan_receive, nil, send_something},
	"chan_receive_nil":   {park_in_chan_receive_nil, nil, nil},
	"chan_range":         {park_in_chan_range, func() { close(empty) }, nil},
	"select_two":         {park_in_select_two, nil, send_something},
	"select_none":        {park_in_select_none, nil, nil},
	"mutex":              {park_in_mutex, mutex.Unlock, nil},
	"rwmutex_read":       {park_in_rwmutex_read, rwmutex.Unlock, nil},
	"rwmutex_write":      {park_in_rwmutex_write, rwmutex.Unlock, nil},
	"waitgroup":          {park_in_waitgroup, group.Done, nil},
	"cond":               {park_in_cond, mutex.Unlock, cond.Broadcast},
	"network":            {park_in_network, func() { peer.Write([]byte("x")) }, nil},
	"sleep":              {park_in_sleep, nil, nil},
}

func prepare(name string) {
	full <- 1
	rwmutex.Lock()
	group.Add(1)
	if name != "cond" || passing {
		mutex.Lock()
	}
	if name == "network" {
		connect()
	}
}

// run runs on, and never parks: the runtime knows nothing of the sleep.
func run() {
	short := syscall.Timespec{Nsec: 1000000}
	for {
		syscall.RawSyscall(syscall.SYS_NANOSLEEP, uintptr(unsafe.Pointer(&short)), 0, 0)
		runtime.Gosched()
	}
}

func spawn_parked(park func()) {
	go func() {
		park()
		returned <- true
		if passing {
			run()
		}
	}()
}

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: parked_go NAME park|pass")
		os.Exit(64)
	}
	row, known := rows[os.Args[1]]
	if !known {
		os.Exit(64)
	}
	passing = os.Args[2] == "pass"
	prepare(os.Args[1])
	if passing && row.release != nil {
		row.release()
	}
	spawn_parked(row.park)
	for done := false; passing && !done; {
		select {
		case done = <-returned:
		default:
			if row.nudge != nil {
				row.nudge()
			}
			time.Sleep(time.Millisecond)
		}
	}
	fmt.Println("object none")
	ready()
	hold()
}
