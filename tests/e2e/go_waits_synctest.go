//go:build go1.24

// Of go_waits: goroutines in a bubble of testing/synctest. Build with go_waits_bubble_24.go or go_waits_bubble_25.go.
package main

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func inBubble(t *testing.T) {
	inside := make(chan int)
	full := make(chan int, 1)
	full <- 1
	group := new(sync.WaitGroup)
	group.Add(1)
	go func() { here("bubbleReceive"); <-inside }()       // spawns bubbleReceive. parks in bubbleReceive.
	go func() { here("bubbleSend"); full <- 2 }()         // spawns bubbleSend. parks in bubbleSend.
	go func() { here("bubbleWaitGroup"); group.Wait() }() // spawns bubbleWaitGroup. parks in bubbleWaitGroup.
	go func() {                                           // spawns bubbleSelect.
		here("bubbleSelect")
		select { // parks in bubbleSelect.
		case <-make(chan int):
		case full <- 1:
		}
	}()
	go func() { here("bubbleSleep"); time.Sleep(time.Hour) }() // spawns bubbleSleep. parks in bubbleSleep.
	go func() { here("bubbleOutside"); <-forEver }()           // spawns bubbleOutside. parks in bubbleOutside.
	here("bubbleWait")
	synctest.Wait() // parks in bubbleWait.
}

func bubbleTest(t *testing.T) {
	here("bubbleTest")
	bubble(t, inBubble) // parks in bubbleTest.
}

func init() {
	more = append(more, func() int {
		go func() { // spawns bubble.
			here("bubbleRun")
			testing.Main(func(string, string) (bool, error) { return true, nil },
				[]testing.InternalTest{{Name: "bubble", F: bubbleTest}}, nil, nil)
		}()
		return 9
	})
}
