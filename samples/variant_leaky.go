//go:build !fixed

package main

// fixed says which twin this is: the one that leaks.
const fixed = false
