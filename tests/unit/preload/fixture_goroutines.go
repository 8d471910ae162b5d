// One goroutine for each way to be parked, each in a function of its own, which tells of itself what
// it is parked on: a line "FUNCTION OP OBJECT", or "FUNCTION case CHANNEL send|receive". Then "ready".
// An argument is how many contexts are made from one: few of them make a small seed for the fuzzer.
package main

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"runtime"
	"runtime/debug"
	"runtime/pprof"
	"strconv"
	"sync"
	"syscall"
	"time"
	"unsafe"
)

type locks struct {
	head  [3]byte
	mutex sync.Mutex
	rw    sync.RWMutex
	held  sync.RWMutex
	group sync.WaitGroup
	cond  *sync.Cond
}

var (
	all   = &locks{cond: sync.NewCond(&sync.Mutex{})}
	never = make(chan int)
	depth = 0
)

func told(function, op string, object interface{}) { fmt.Printf("%s %s %v\n", function, op, object) }

func address(of unsafe.Pointer) string { return fmt.Sprintf("%#x", uintptr(of)) }

func channel(c chan int) string { return fmt.Sprintf("%p", c) }

//go:noinline
func sendTo(c chan int) { c <- 1 }

//go:noinline
func receiveFrom(c chan int) { <-c }

//go:noinline
func sendNil(c chan int) { c <- 1 }

//go:noinline
func receiveNil(c chan int) { <-c }

func selectNothing() { select {} }

//go:noinline
func selectNil(a, b chan int) {
	select {
	case <-a:
	case b <- 1:
	}
}

//go:noinline
func selectSome(a, b, c chan int) {
	select {
	case a <- 1:
	case <-b:
	case c <- 2:
	case <-c:
	}
}

//go:noinline
func selectTimeout(a chan int) {
	select {
	case <-a:
	case <-time.After(time.Hour):
	}
}

// Of contexts: what they wait for is in the names.
//
//go:noinline
func contextTimeout(done <-chan struct{}) { <-done }

//go:noinline
func contextChild(done <-chan struct{}) { <-done }

//go:noinline
func contextGrandchild(done <-chan struct{}) { <-done }

//go:noinline
func contextOfMany(done <-chan struct{}) { <-done }

//go:noinline
func contextSelect(done <-chan struct{}, c chan int) {
	select {
	case <-done:
	case <-c:
	}
}

//go:noinline
func contextCancel(done <-chan struct{}) { <-done }

//go:noinline
func contextDetached(done <-chan struct{}) { <-done }

//go:noinline
func besideContexts(done <-chan struct{}) { <-done }

//go:noinline
func calledByTimer(done <-chan struct{}) { <-done }

// A context that does not end with the one that it was made from.
type detached struct{ context.Context }

func (detached) Deadline() (deadline time.Time, ok bool) { return }
func (detached) Done() <-chan struct{}                   { return nil }

func goContexts() {
	go_ := func(name string, wait func(<-chan struct{}), done <-chan struct{}) {
		told(name, "chan_receive", fmt.Sprintf("%p", done))
		go wait(done)
	}
	root, cancelRoot := context.WithCancel(context.Background())
	timed, cancelTimed := context.WithTimeout(root, time.Hour)
	child, cancelChild := context.WithCancel(timed)
	grandchild, cancelGrandchild := context.WithTimeout(context.WithValue(child, &depth, 1), 2*time.Hour)
	kept = append(kept, cancelRoot, cancelTimed, cancelChild, cancelGrandchild)
	go_("contextTimeout", contextTimeout, timed.Done())
	go_("contextChild", contextChild, child.Done())
	go_("contextGrandchild", contextGrandchild, grandchild.Done())
	told("contextSelect", "select", "0x0")
	go contextSelect(child.Done(), make(chan int))

	// More than there are in a bucket, in a group, in a table; and some that are gone.
	crowded, cancelCrowded := context.WithDeadline(root, time.Now().Add(time.Hour))
	kept = append(kept, cancelCrowded)
	var one context.Context
	many := 1500
	if len(os.Args) > 1 {
		many, _ = strconv.Atoi(os.Args[1])
	}
	for i := 0; i < many; i++ {
		some, cancel := context.WithCancel(crowded)
		if i%3 == 0 {
			cancel()
			continue
		}
		if one == nil && i >= many/2 {
			one = some
		}
		kept = append(kept, cancel)
	}
	go_("contextOfMany", contextOfMany, one.Done())

	apart, cancelApart := context.WithCancel(detached{timed})
	kept = append(kept, cancelApart)
	go_("contextCancel", contextCancel, root.Done())
	go_("contextDetached", contextDetached, apart.Done())
	beside, called := make(chan struct{}), make(chan struct{})
	go_("besideContexts", besideContexts, beside)
	time.AfterFunc(time.Hour, func() { close(called) })
	go_("calledByTimer", calledByTimer, called)
}

var kept []context.CancelFunc

func receiveStoppedTimer(timer *time.Timer) { <-timer.C }

func lockMutex()      { all.mutex.Lock() }
func lockRead()       { all.rw.RLock() }
func lockWrite()      { all.held.Lock() }
func lockWriteAfter() { all.rw.Lock() }
func waitGroup()      { all.group.Wait() }

func waitCond() {
	all.cond.L.Lock()
	all.cond.Wait()
}

func sleepLong() { time.Sleep(time.Hour) }

func receiveAfter() { <-time.After(time.Hour) }

func acceptLong(l net.Listener) { l.Accept() }

func acceptDeadline(l *net.TCPListener) {
	l.SetDeadline(time.Now().Add(time.Hour))
	l.Accept()
}

func readPipe(f *os.File) { f.Read(make([]byte, 1)) }

func writePipe(f *os.File) { f.Write(make([]byte, 1<<20)) }

func readCall(fd int) { syscall.Read(fd, make([]byte, 1)) }

func lockThread() {
	runtime.LockOSThread()
	<-never
}

//go:noinline
func recurse(n int, c chan int) {
	if n > 0 {
		recurse(n-1, c)
		depth++
		return
	}
	<-c
}

// Its own frame is too far down to be seen.
func deepStack(c chan int) { recurse(1000, c) }

//go:noinline
func recurseWide(n int, c chan int) byte {
	var wide [2000]byte
	wide[n%2000] = 1
	if n > 0 {
		return recurseWide(n-1, c) + wide[(n*7)%2000]
	}
	<-c
	return wide[3]
}

func wideStack(c chan int) { recurseWide(50, c) }

func labelled() { <-never }

func child() { <-never }

//go:noinline
func startChild() { go child() }

func callInlined() { startChild() }

func parent() {
	callInlined()
	<-never
}

func spin() {
	for {
		depth++
	}
}

func fdOf(c syscall.Conn) (fd uintptr) {
	raw, err := c.SyscallConn()
	if err == nil {
		raw.Control(func(of uintptr) { fd = of })
	}
	return
}

func listener() *net.TCPListener {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	return l.(*net.TCPListener)
}

func pipe() (*os.File, *os.File) {
	r, w, err := os.Pipe()
	if err != nil {
		panic(err)
	}
	return r, w
}

func main() {
	debug.SetGCPercent(-1) // the runtime's own goroutines are to stand still
	var none chan int
	chans := make([]chan int, 16)
	for i := range chans {
		chans[i] = make(chan int, i)
	}
	chans[5] <- 1
	chans[5] <- 1
	send, some := make(chan int), make(chan int)
	all.mutex.Lock()
	all.rw.Lock()
	all.held.RLock()
	all.group.Add(1)
	first, second := listener(), listener()
	in, keptIn := pipe()
	keptOut, out := pipe()
	var raw [2]int
	syscall.Pipe(raw[:])
	stopped := time.NewTimer(time.Hour)
	stopped.Stop()

	told("sendTo", "chan_send", channel(send))
	go sendTo(send)
	told("receiveFrom", "chan_receive", channel(chans[3]))
	go receiveFrom(chans[3])
	told("sendNil", "chan_send", "0x0")
	go sendNil(none)
	told("receiveNil", "chan_receive", "0x0")
	go receiveNil(none)
	told("selectNothing", "select", "0x0")
	go selectNothing()
	told("selectNil", "select", "0x0")
	go selectNil(none, none)
	told("selectSome", "select", "0x0")
	told("selectSome", "case send", channel(chans[0]))
	told("selectSome", "case receive", channel(chans[4]))
	told("selectSome", "case send", channel(some))
	told("selectSome", "case receive", channel(some))
	go selectSome(chans[0], chans[4], some)
	told("selectTimeout", "select", "0x0")
	go selectTimeout(chans[7])
	goContexts()
	told("receiveStoppedTimer", "chan_receive", fmt.Sprintf("%p", stopped.C))
	go receiveStoppedTimer(stopped)
	told("lockMutex", "mutex_lock", address(unsafe.Pointer(&all.mutex)))
	go lockMutex()
	told("lockRead", "rwlock_rdlock", address(unsafe.Pointer(&all.rw)))
	go lockRead()
	told("lockWrite", "rwlock_wrlock", address(unsafe.Pointer(&all.held)))
	go lockWrite()
	told("lockWriteAfter", "rwlock_wrlock", address(unsafe.Pointer(&all.rw)))
	go lockWriteAfter()
	told("waitGroup", "waitgroup_wait", address(unsafe.Pointer(&all.group)))
	go waitGroup()
	told("waitCond", "cond_wait", address(unsafe.Pointer(all.cond)))
	go waitCond()
	told("sleepLong", "sleep", "0x0")
	go sleepLong()
	told("receiveAfter", "chan_receive", "any")
	go receiveAfter()
	told("acceptLong", "io_wait", fmt.Sprintf("%#x", fdOf(first)))
	go acceptLong(first)
	told("acceptDeadline", "io_wait", fmt.Sprintf("%#x", fdOf(second)))
	go acceptDeadline(second)
	told("readPipe", "io_wait", fmt.Sprintf("%#x", fdOf(in)))
	go readPipe(in)
	told("writePipe", "io_wait", fmt.Sprintf("%#x", fdOf(out)))
	go writePipe(out)
	go readCall(raw[0])
	told("lockThread", "chan_receive", channel(never))
	go lockThread()
	told("recurse", "chan_receive", channel(chans[8]))
	go deepStack(chans[8])
	told("wideStack", "chan_receive", channel(chans[9]))
	go wideStack(chans[9])
	told("labelled", "chan_receive", channel(never))
	pprof.Do(context.Background(), labels(), func(context.Context) { go labelled() })
	go parent()
	for !allParked() {
		time.Sleep(10 * time.Millisecond)
	}
	go spin()
	fmt.Println("ready")
	os.Stdin.Read(make([]byte, 1))
	runtime.KeepAlive([]interface{}{keptIn, keptOut, chans, send, some})
}

// Whether no goroutine runs or is about to, but this one.
func allParked() bool {
	text := make([]byte, 1<<20)
	text = text[:runtime.Stack(text, true)]
	return !bytes.Contains(text, []byte("[runnable")) && bytes.Count(text, []byte("[running")) == 1
}

// So many that a map of them has more buckets than one.
func labels() pprof.LabelSet {
	var words []string
	for i := 0; i < 20; i++ {
		words = append(words, fmt.Sprintf("key%d", i), fmt.Sprintf("value %d", i))
	}
	return pprof.Labels(words...)
}
