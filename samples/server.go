// The leaking server of server.c in Go: each request to /sum leaves a goroutine that waits for ever to
// send its half of the sum.
//
// Build with gccgo (gccgo-12 -g -O1 -o server_go server.go) or with Go's own compiler (go build server.go).
// Usage: server_go [PORT] (0, the default: any free port; only on 127.0.0.1)
package main

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"runtime"
	"strconv"
)

const count = 10000

func sum(numbers []int, result chan int) {
	total := 0
	for _, n := range numbers {
		total += n
	}
	result <- total // parks here
}

func sumConcurrent(w http.ResponseWriter, r *http.Request) {
	numbers := make([]int, count)
	for i := range numbers {
		numbers[i] = i
	}
	var halves [2]chan int
	for i := range halves {
		halves[i] = make(chan int)
		go sum(numbers[i*count/2:(i+1)*count/2], halves[i]) // spawned here
	}
	fmt.Fprintf(w, "sum %d\n", <-halves[0]) // the second half is forgotten
}

func answerCount(w http.ResponseWriter, r *http.Request) {
	fmt.Fprintf(w, "%d\n", runtime.NumGoroutine())
}

func answerStack(w http.ResponseWriter, r *http.Request) {
	text := make([]byte, 1<<20)
	w.Write(text[:runtime.Stack(text, true)])
}

func main() {
	port := 0
	if len(os.Args) > 1 {
		var err error
		port, err = strconv.Atoi(os.Args[1])
		if err != nil || port < 0 || port > 65535 || len(os.Args) > 2 {
			fmt.Fprintln(os.Stderr, "usage: server_go [PORT]")
			os.Exit(64)
		}
	}
	http.HandleFunc("/sum", sumConcurrent)
	http.HandleFunc("/_count", answerCount)
	http.HandleFunc("/_stack", answerStack)
	listener, err := net.Listen("tcp", "127.0.0.1:"+strconv.Itoa(port))
	if err != nil {
		fmt.Fprintln(os.Stderr, "server_go: cannot listen:", err)
		os.Exit(1)
	}
	fmt.Printf("listening on %s\n", listener.Addr())
	err = http.Serve(listener, nil)
	fmt.Fprintln(os.Stderr, "server_go:", err)
	os.Exit(1)
}
