// Two transfers in opposite directions take the same two locks in opposite orders, and meet in the
// middle.
//
// Build with hold.go and variant_leaky.go or variant_fixed.go.
package main

import "sync"

type account struct {
	lock    sync.Mutex
	balance int
}

var accounts [2]account
var bothHaveOne, done sync.WaitGroup

func transfer(from, to int) {
	defer done.Done()
	first, second := from, to
	if fixed && first > second { // one order for everybody
		first, second = second, first
	}
	accounts[first].lock.Lock()
	if !fixed { // makes sure that they do meet
		bothHaveOne.Done()
		bothHaveOne.Wait()
	}
	accounts[second].lock.Lock() // parks here
	accounts[from].balance -= 10
	accounts[to].balance += 10
	accounts[second].lock.Unlock()
	accounts[first].lock.Unlock()
}

func startTransfers() {
	bothHaveOne.Add(2)
	done.Add(2)
	for i := 0; i < 2; i++ {
		go transfer(i, 1-i) // spawned here
	}
	if fixed {
		done.Wait()
	}
}

func main() {
	startTransfers()
	ready()
	hold()
}
