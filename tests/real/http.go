// An HTTP server that also asks itself; prints its address.
package main

import (
	"fmt"
	"io/ioutil"
	"log"
	"net"
	"net/http"
	"os"
	"strconv"
	"sync"
	"time"
)

func main() {
	log.SetOutput(ioutil.Discard)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	address := listener.Addr().String()
	http.HandleFunc("/echo", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintln(w, "you said", r.FormValue("text"))
	})
	http.HandleFunc("/relay", func(w http.ResponseWriter, r *http.Request) {
		times, _ := strconv.Atoi(r.FormValue("times"))
		var group sync.WaitGroup
		var mutex sync.Mutex
		bytes := 0
		for i := 0; i < times; i++ {
			group.Add(1)
			go func() {
				defer group.Done()
				answer, err := http.Get("http://" + address + "/echo?text=relayed")
				if err != nil {
					return
				}
				defer answer.Body.Close()
				text, _ := ioutil.ReadAll(answer.Body)
				mutex.Lock()
				bytes += len(text)
				mutex.Unlock()
			}()
		}
		group.Wait()
		fmt.Fprintln(w, bytes, "bytes")
	})
	http.HandleFunc("/panic", func(w http.ResponseWriter, r *http.Request) { panic("in a handler") })
	http.HandleFunc("/end", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintln(w, "ending")
		time.AfterFunc(50*time.Millisecond, func() { os.Exit(7) })
	})
	fmt.Println(address)
	panic(http.Serve(listener, nil))
}
