// libgo_timers parks goroutines that a timer will wake, and one whose timer was stopped.
//
// Build with samples/hold.go.
package main

import "time"

func after()   { <-time.After(time.Hour) }                        // parks in after.
func ticks()   { <-time.Tick(time.Hour) }                         // parks in ticks.
func stopped() { t := time.NewTimer(time.Hour); t.Stop(); <-t.C } // parks in stopped.

func selects(other chan int) {
	select { // parks in selects.
	case <-other:
	case <-time.After(time.Hour):
	}
}

func main() {
	go after()
	go ticks()
	go stopped()
	go selects(make(chan int))
	ready()
	hold()
}
