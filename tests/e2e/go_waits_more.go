// Of go_waits: stacks that are hard to read, and goroutines of which there is more to tell.
package main

import (
	"context"
	"reflect"
	"runtime"
	"runtime/pprof"
	"time"
)

func init() {
	more = append(more, startMore)
	begun := make(chan bool)
	go func() { // spawns inInit.
		here("inInit")
		close(begun)
		<-forEver // parks in inInit.
	}()
	<-begun
}

var forEver = make(chan struct{})
var deepest = make(chan int)

// A goroutine that a variable's initial value started.
var fromVariable = func() bool {
	begun := make(chan bool)
	go func() { // spawns inVariable.
		here("inVariable")
		close(begun)
		<-forEver // parks in inVariable.
	}()
	return <-begun
}()

// Deeper than what most stacks begin with, so that it was moved more than once.
func recurse(depth int, function func()) int {
	var room [20]int
	room[depth%20] = depth
	if depth == 0 {
		function()
		return 0
	}
	return recurse(depth-1, function) + room[depth%20]
}

func deep() {
	recurse(1000, func() {
		here("deep")
		deepest <- 1 // parks in deep.
	})
}

// Small enough to be a part of its caller, and that of its.
func innermost(from chan struct{}) { <-from } // parks in inlined.
func inner(from chan struct{})     { innermost(from) }
func inlined()                     { here("inlined"); inner(forEver) }

type queue[T any] struct{ items chan T }

//go:noinline
func (q *queue[T]) pop() T { return <-q.items } // parks in genericMethod.

//go:noinline
func take[K comparable, T any](key K, from chan T) T { return <-from } // parks in generic.

func generic()       { here("generic"); take("key", make(chan float64)) }
func genericMethod() { here("genericMethod"); (&queue[[2]string]{make(chan [2]string)}).pop() }

type worker struct{ name string }

//go:noinline
func (w *worker) run() {
	here(w.name)
	<-forEver // parks in method.
}

type byValue struct{ name [3]string }

//go:noinline
func (v byValue) run() {
	here(v.name[1])
	<-forEver // parks in byValue.
}

type runner interface{ run() }

type embedding struct {
	padding int
	byValue
}

func inDefer() {
	defer func() {
		here("inDefer")
		<-forEver // parks in inDefer.
	}()
}

func inRecover() {
	defer func() {
		if recover() != nil {
			here("inRecover")
			<-forEver // parks in inRecover.
		}
	}()
	panic("on purpose")
}

// A panic that is on its way: the frames below the deferred call are still there.
func inPanic() {
	defer func() {
		here("inPanic")
		<-forEver // parks in inPanic.
	}()
	var nothing *worker
	nothing.name = "a fault in the middle of a function"
}

func inGoexit() {
	defer func() {
		here("inGoexit")
		<-forEver // parks in inGoexit.
	}()
	runtime.Goexit()
}

func inManyDefers(depth int) {
	for i := 0; i < depth; i++ { // in a loop: these are not laid out in the frame
		if i == 1 {
			defer func() {
				here("inManyDefers")
				<-forEver // parks in inManyDefers.
			}()
		} else {
			defer runtime.Gosched()
		}
	}
}

func nested() {
	func() {
		defer func() {
			func() {
				here("nested")
				<-forEver // parks in nested.
			}()
		}()
	}()
}

func reflectSelect() {
	here("reflectSelect")
	reflect.Select([]reflect.SelectCase{ // parks in reflectSelect.
		{Dir: reflect.SelectRecv, Chan: reflect.ValueOf(empty)},
		{Dir: reflect.SelectSend, Chan: reflect.ValueOf(inSelect), Send: reflect.ValueOf([3]int{})},
	})
}

// More cases than anybody writes down, and more than leakspy tells of one goroutine.
func selectOver(name string, count int) {
	var cases []reflect.SelectCase
	for i := 0; i < count; i++ {
		cases = append(cases, reflect.SelectCase{Dir: reflect.SelectRecv, Chan: reflect.ValueOf(make(chan int, i))})
	}
	here(name)
	reflect.Select(cases) // parks in selectWide. parks in selectHuge.
}

func reflectCall() {
	here("reflectCall")
	reflect.ValueOf(func(from chan struct{}) {
		<-from // parks in reflectCall.
	}).Call([]reflect.Value{reflect.ValueOf(forEver)})
}

func locked() {
	runtime.LockOSThread()
	here("locked")
	<-forEver // parks in locked.
}

func labelled() {
	pprof.Do(context.Background(), pprof.Labels("handler", "orders", "tenant", "acme"), func(context.Context) {
		here("labelled")
		<-forEver // parks in labelled.
	})
}

func contextDone() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
	defer cancel()
	here("contextDone")
	<-ctx.Done() // parks in contextDone.
}

func variadic(name string, from ...chan struct{}) {
	here(name)
	<-from[0] // parks in variadic.
}

func spawnGrandchild(depth int) {
	if depth > 0 {
		go spawnGrandchild(depth - 1) // spawns grandchild.
		return
	}
	here("grandchild")
	<-forEver // parks in grandchild.
}

// Blocks the goroutine that runs finalizers, which is the program's then.
func blockFinalizers() {
	begun := make(chan bool)
	runtime.SetFinalizer(&[10]int{}, func(*[10]int) {
		here("finalizer")
		close(begun)
		<-forEver // parks in finalizer.
	})
	for {
		runtime.GC()
		select {
		case <-begun:
			return
		case <-time.After(time.Millisecond):
		}
	}
}

func startMore() int {
	w := &worker{"method"}
	value := &worker{"methodValue"}
	bound := value.run
	var wrapped runner = &embedding{byValue: byValue{[3]string{"", "wrapped", ""}}}
	go deep()                                                  // spawns deep.
	go inlined()                                               // spawns inlined.
	go generic()                                               // spawns generic.
	go genericMethod()                                         // spawns genericMethod.
	go w.run()                                                 // spawns method.
	go bound()                                                 // spawns methodValue.
	go byValue{[3]string{"", "byValue", ""}}.run()             // spawns byValue.
	go wrapped.run()                                           // spawns wrapped.
	go inDefer()                                               // spawns inDefer.
	go inRecover()                                             // spawns inRecover.
	go inPanic()                                               // spawns inPanic.
	go inGoexit()                                              // spawns inGoexit.
	go inManyDefers(3)                                         // spawns inManyDefers.
	go nested()                                                // spawns nested.
	go reflectSelect()                                         // spawns reflectSelect.
	go selectOver("selectWide", 100)                           // spawns selectWide.
	go selectOver("selectHuge", 1000)                          // spawns selectHuge.
	go reflectCall()                                           // spawns reflectCall.
	go locked()                                                // spawns locked.
	go labelled()                                              // spawns labelled.
	go contextDone()                                           // spawns contextDone.
	go variadic("variadic", forEver)                           // spawns variadic.
	go spawnGrandchild(3)                                      // spawns generations.
	time.AfterFunc(0, func() { here("timerCall"); <-forEver }) // parks in timerCall.
	recurse(300, func() {
		go func() { here("spawnedDeep"); <-forEver }() // parks in spawnedDeep. spawns spawnedDeep.
	})
	blockFinalizers()
	return 28
}
