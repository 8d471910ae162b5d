// go_plugin_host PLUGIN: loads go_plugin.go a while after it began, and starts five goroutines in it.
package main

import (
	"fmt"
	"os"
	"plugin"
	"time"
)

func main() {
	time.Sleep(200 * time.Millisecond) // by then somebody who records has looked
	loaded, err := plugin.Open(os.Args[1])
	if err != nil {
		fmt.Fprintln(os.Stderr, "go_plugin_host:", err)
		os.Exit(70)
	}
	park, err := loaded.Lookup("Park")
	if err != nil {
		fmt.Fprintln(os.Stderr, "go_plugin_host:", err)
		os.Exit(70)
	}
	for i := 0; i < 5; i++ {
		go park.(func())() // spawned here
	}
	fmt.Println("ready")
	os.Stdin.Read(make([]byte, 1))
}
