// A library for programs in C (-buildmode=c-shared), with a Go runtime of its own.
package main

import "C"

//export StartGoroutines
func StartGoroutines(count C.int) {
	begun := make(chan bool)
	for i := 0; i < int(count); i++ {
		go inLibrary(begun, make(chan int)) // spawned here
		<-begun
	}
}

//export Touch
func Touch() C.int { return 1 }

//go:noinline
func inLibrary(begun chan bool, to chan int) {
	begun <- true
	to <- 1 // parks here
}

func main() {}
