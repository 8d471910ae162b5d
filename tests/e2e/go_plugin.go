// A plugin, whose functions are in no table of the program's (go_plugin_host.go).
package main

var never = make(chan int)

func Park() { inPlugin(never) }

//go:noinline
func inPlugin(to chan int) {
	to <- 1 // parks here
}
