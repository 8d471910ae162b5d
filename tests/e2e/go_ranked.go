// go_ranked parks goroutines on what has a lock of the runtime's in it: a sync.Cond, and descriptors with and without
// a deadline. Built with GOEXPERIMENT=staticlockranking, each lock has a word more, so these are laid out otherwise
// than the version says. (go_waits does not run that way: its select locks more channels than are allowed then.)
//
// "ready" follows when they were started. At the end of stdin it ends.
package main

import (
	"fmt"
	"io"
	"os"
	"sync"
	"time"
)

func pipe() *os.File {
	from, to, err := os.Pipe()
	if err != nil {
		panic(err)
	}
	kept = append(kept, to)
	return from
}

var kept []*os.File // so that none is closed

func condWait(cond *sync.Cond) {
	cond.L.Lock()
	cond.Wait()
}

func read(from *os.File) {
	from.Read(make([]byte, 1))
}

func readUntil(from *os.File) {
	from.SetReadDeadline(time.Now().Add(time.Hour))
	from.Read(make([]byte, 1))
}

func main() {
	go condWait(sync.NewCond(new(sync.Mutex)))
	go read(pipe())
	go readUntil(pipe())
	fmt.Println("ready")
	io.Copy(io.Discard, os.Stdin)
}
