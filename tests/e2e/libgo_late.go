// libgo_late is a library whose goroutines start when it is loaded, into a program that has no libgo
// before. See libgo_late.c.
package main

import "time"

func leak() {
	make(chan int) <- 1 // late parks here
}

func init() {
	for i := 0; i < 5; i++ {
		go leak() // late spawns here
	}
	go func() {
		for {
			time.Sleep(time.Millisecond)
			go func() {}()
		}
	}()
}

func main() {}
