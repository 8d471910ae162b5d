// Of go_waits: goroutines that a timer will wake by a function which it calls, and such that look like them.
package main

import (
	"context"
	"net"
	"time"
)

// Kept, so that nothing of it is garbage.
var cancels []context.CancelFunc

func timeout(parent context.Context, after time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(parent, after)
	cancels = append(cancels, cancel)
	return ctx
}

func child(parent context.Context) context.Context {
	ctx, cancel := context.WithCancel(parent)
	cancels = append(cancels, cancel)
	return ctx
}

func contextCancel(ctx context.Context) {
	here("contextCancel")
	<-ctx.Done() // parks in contextCancel.
}

func contextChild(ctx context.Context) {
	here("contextChild")
	<-ctx.Done() // parks in contextChild.
}

func contextValue(ctx context.Context) {
	here("contextValue")
	<-ctx.Done() // parks in contextValue.
}

func contextLater(ctx context.Context) {
	here("contextLater")
	<-ctx.Done() // parks in contextLater.
}

func contextEarlier(ctx context.Context) {
	here("contextEarlier")
	<-ctx.Done() // parks in contextEarlier.
}

func contextOfMany(ctx context.Context) {
	here("contextOfMany")
	<-ctx.Done() // parks in contextOfMany.
}

func contextDetached(ctx context.Context) {
	here("contextDetached")
	<-ctx.Done() // parks in contextDetached.
}

func contextSelect(ctx context.Context) {
	here("contextSelect")
	select { // parks in contextSelect.
	case <-ctx.Done():
	case <-empty:
	}
}

// A root of contexts that have deadlines has none itself.
func contextBeside(ctx context.Context) {
	here("contextBeside")
	select { // parks in contextBeside.
	case <-ctx.Done():
	case <-empty:
	}
}

// What a timer calls may be anything: that it closes this one nobody knows.
func calledFunction() {
	done := make(chan struct{})
	time.AfterFunc(time.Hour, func() { close(done) })
	here("calledFunction")
	<-done // parks in calledFunction.
}

func timerStopped() {
	timer := time.NewTimer(time.Hour)
	timer.Stop()
	here("timerStopped")
	<-timer.C // parks in timerStopped.
}

// Of a deadline that was taken back nothing is left.
func netReadCleared(conn net.Conn) {
	conn.SetReadDeadline(time.Now().Add(time.Hour))
	conn.SetDeadline(time.Time{})
	here("netReadCleared")
	conn.Read(make([]byte, 1)) // parks in netReadCleared.
}

// The one deadline is not the other.
func netReadOnly(conn net.Conn) {
	conn.SetWriteDeadline(time.Now().Add(time.Hour))
	here("netReadOnly")
	conn.Read(make([]byte, 1)) // parks in netReadOnly.
}

func netReadBoth(conn net.Conn) {
	conn.SetDeadline(time.Now().Add(time.Hour))
	here("netReadBoth")
	conn.Read(make([]byte, 1)) // parks in netReadBoth.
}

func netWriteUntil(conn net.Conn) {
	conn.SetWriteDeadline(time.Now().Add(time.Hour))
	here("netWriteUntil")
	conn.Write(make([]byte, 64<<20)) // parks in netWriteUntil.
}

func acceptUntil(listener *net.TCPListener) {
	listener.SetDeadline(time.Now().Add(time.Hour))
	here("acceptUntil")
	listener.Accept() // parks in acceptUntil.
}

// A context that does not end when the one that it was made from does.
type detached struct{ context.Context }

func (detached) Deadline() (deadline time.Time, ok bool) { return }
func (detached) Done() <-chan struct{}                   { return nil }

// One of very many that were made from one, of which a part is gone again.
func crowd(parent context.Context) (one context.Context) {
	for i := 0; i < 2000; i++ {
		ctx, cancel := context.WithCancel(parent)
		if i%4 == 0 {
			cancel()
			continue
		}
		cancels = append(cancels, cancel)
		if i == 1001 {
			one = ctx
		}
	}
	return one
}

// As connect does, which shares its listener with those that wait there.
func connectTo(listener net.Listener) net.Conn {
	conn, err := net.Dial("tcp", listener.Addr().String())
	check(err)
	peer, err := listener.Accept()
	check(err)
	peers = append(peers, peer)
	return conn
}

func startTimers() int {
	root := child(context.Background())
	timed := timeout(root, time.Hour)
	made := child(timed)
	other, err := net.Listen("tcp", "127.0.0.1:0")
	check(err)
	go contextCancel(root)                                       // spawns contextCancel.
	go contextChild(made)                                        // spawns contextChild.
	go contextValue(context.WithValue(child(made), &cancels, 1)) // spawns contextValue.
	go contextLater(timeout(child(made), 2*time.Hour))           // spawns contextLater.
	go contextEarlier(child(timeout(made, time.Hour/2)))         // spawns contextEarlier.
	go contextOfMany(child(crowd(timeout(root, time.Hour))))     // spawns contextOfMany.
	go contextDetached(child(detached{timed}))                   // spawns contextDetached.
	go contextSelect(child(child(child(timed))))                 // spawns contextSelect.
	go contextBeside(root)                                       // spawns contextBeside.
	go calledFunction()                                          // spawns calledFunction.
	go timerStopped()                                            // spawns timerStopped.
	go netReadCleared(connectTo(other))                          // spawns netReadCleared.
	go netReadOnly(connectTo(other))                             // spawns netReadOnly.
	go netReadBoth(connectTo(other))                             // spawns netReadBoth.
	go netWriteUntil(connectTo(other))                           // spawns netWriteUntil.
	go acceptUntil(other.(*net.TCPListener))                     // spawns acceptUntil.
	return 16
}

func init() { more = append(more, startTimers) }
