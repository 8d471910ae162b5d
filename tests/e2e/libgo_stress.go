// libgo_stress does what is hard on whoever watches goroutines: each argument is one thing to do.
// What it prints depends on nothing but the arguments.
package main

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"
)

// together runs `function` in n goroutines, and returns when all have ended.
func together(n int, function func(i int)) {
	var group sync.WaitGroup
	for i := 0; i < n; i++ {
		group.Add(1)
		go func(i int) {
			defer group.Done()
			function(i)
		}(i)
	}
	group.Wait()
}

func recurse(depth int, function func()) int {
	var room [100]int
	room[depth%100] = depth
	if depth == 0 {
		function()
		return 0
	}
	return recurse(depth-1, function) + room[depth%100]
}

func spawn() {
	var mutex sync.Mutex
	sum := 0
	for batch := 0; batch < 100; batch++ {
		together(1000, func(i int) {
			mutex.Lock()
			sum += i
			mutex.Unlock()
		})
	}
	fmt.Println("spawn", sum)
}

func panics() {
	results := make(chan string)
	for i := 0; i < 3000; i++ {
		go func(i int) {
			defer func() {
				if err, ok := recover().(error); ok {
					results <- err.Error()
				} else {
					results <- ""
				}
			}()
			if i%2 == 0 {
				var nothing *int
				*nothing = i
			}
			panic("on purpose")
		}(i)
	}
	count := map[string]int{}
	for i := 0; i < 3000; i++ {
		count[<-results]++
	}
	fmt.Println("panics", count)
}

func goexit() {
	together(20000, func(int) { runtime.Goexit() })
	fmt.Println("goexit")
}

// Goroutines that own their thread, of which every other one takes it along when it ends.
func locked() {
	together(200, func(i int) {
		runtime.LockOSThread()
		time.Sleep(time.Millisecond)
		if i%2 == 0 {
			runtime.UnlockOSThread()
		}
	})
	fmt.Println("locked")
}

// Parks, selects and spawns wherever a stack may end.
func deep() {
	sink := make(chan int)
	go func() {
		for range sink {
		}
	}()
	together(300, func(i int) {
		recurse(i*7%3000, func() {
			sink <- i
			together(1, func(int) {})
			select {
			case sink <- i:
			case <-time.After(time.Hour):
			}
		})
	})
	fmt.Println("deep")
}

type node struct {
	left, right *node
	room        [40]byte
}

func tree(depth int) *node {
	if depth == 0 {
		return &node{}
	}
	return &node{left: tree(depth - 1), right: tree(depth - 1)}
}

func (tree *node) count() int {
	if tree == nil {
		return 0
	}
	return 1 + tree.left.count() + tree.right.count()
}

// What only a parked goroutine holds must outlive the garbage collector.
func collect() {
	trees := make(chan *node)
	held := make(chan int)
	for i := 0; i < 50; i++ {
		go func() {
			own := tree(6)
			trees <- tree(6)
			held <- own.count()
		}()
	}
	runtime.GC()
	sum := 0
	for i := 0; i < 50; i++ {
		sum += (<-trees).count()
		tree(10)
	}
	runtime.GC()
	for i := 0; i < 50; i++ {
		sum += <-held
	}
	fmt.Println("collect", sum)
}

func execute() {
	for i := 0; i < 10; i++ {
		text, err := exec.Command("sh", "-c", "echo hello; exit 3").CombinedOutput()
		fmt.Println("execute", strings.TrimSpace(string(text)), err)
	}
	cat := exec.Command("cat")
	in, _ := cat.StdinPipe()
	go func() {
		io.WriteString(in, "through a pipe")
		in.Close()
	}()
	text, err := cat.Output()
	fmt.Println("execute", string(text), err)
}

func serve() {
	server := httptest.NewServer(http.HandlerFunc(
		func(to http.ResponseWriter, request *http.Request) {
			together(3, func(int) { runtime.Gosched() })
			fmt.Fprint(to, "hello ", request.URL.Path)
		}))
	var mutex sync.Mutex
	bytes, failures := 0, 0
	together(8, func(int) {
		for i := 0; i < 200; i++ {
			response, err := http.Get(server.URL + "/there")
			if err != nil {
				mutex.Lock()
				failures++
				mutex.Unlock()
				continue
			}
			body, _ := io.ReadAll(response.Body)
			response.Body.Close()
			mutex.Lock()
			bytes += len(body)
			mutex.Unlock()
		}
	})
	server.Close()
	fmt.Println("serve", bytes, failures)
}

// Goroutines that stay, on what those before them left behind.
func leak() {
	together(5000, func(int) {})
	for i := 0; i < 50; i++ {
		go func() {
			make(chan int) <- i // leak parks here
		}() // leak spawns here
	}
	fmt.Println("leak")
	hold()
}

func mainParks() {
	go func() {
		for {
			time.Sleep(time.Millisecond)
		}
	}()
	fmt.Println("ready")
	<-make(chan int) // main parks here
}

// A finalizer that never ends keeps all others from being called.
func finalizer() {
	for i := 0; i < 1000; i++ {
		runtime.SetFinalizer(new([100]int), func(*[100]int) {
			<-make(chan int) // a finalizer parks here
		})
	}
	for i := 0; i < 10; i++ {
		runtime.GC()
		time.Sleep(time.Millisecond)
	}
	fmt.Println("finalizer")
	hold()
}

var modes = map[string]func(){
	"spawn": spawn, "panics": panics, "goexit": goexit, "locked": locked, "deep": deep,
	"collect": collect, "execute": execute, "serve": serve, "leak": leak, "finalizer": finalizer, "main": mainParks,
	"throw":    func() { go panic("nobody catches this"); time.Sleep(time.Minute) },
	"deadlock": func() { <-make(chan int) },
	"replace": func() {
		go func() { <-make(chan int) }()
		syscall.Exec("/bin/echo", []string{"echo", "another program"}, os.Environ())
	},
	"exit":   func() { os.Exit(5) },
	"return": func() { go func() { time.Sleep(time.Hour) }() },
}

func main() {
	for _, mode := range os.Args[1:] {
		modes[mode]()
	}
}
