package main

import (
	"fmt"
	"os"
	"syscall"
	"time"
)

// ready says that the leak stands, or that there is none.
func ready() {
	fmt.Println("ready")
}

// hold returns when stdin ends. It looks again and again instead of waiting for ever, since a main
// goroutine that waits for ever would be a finding of its own.
func hold() {
	byte := make([]byte, 1)
	for {
		var in syscall.FdSet
		in.Bits[0] = 1
		n, err := syscall.Select(1, &in, nil, nil, &syscall.Timeval{})
		if err == nil && n == 1 {
			if got, _ := syscall.Read(0, byte); got <= 0 {
				os.Exit(0)
			}
		}
		time.Sleep(20 * time.Millisecond)
	}
}
