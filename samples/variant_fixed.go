//go:build fixed

package main

// fixed says which twin this is: the one that does not leak.
const fixed = true
