// go_plugin_host PLUGIN: begins, loads go_plugin.go when a byte comes, and starts five goroutines in it. It says each.
package main

import (
	"fmt"
	"os"
	"plugin"
)

func main() {
	fmt.Println("begun")
	os.Stdin.Read(make([]byte, 1))
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
