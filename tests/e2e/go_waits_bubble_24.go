//go:build go1.24 && !go1.25 && goexperiment.synctest

// Of go_waits: a bubble as Go 1.24 has it, with GOEXPERIMENT=synctest.
package main

import (
	"testing"
	"testing/synctest"
)

func bubble(t *testing.T, function func(*testing.T)) { synctest.Run(func() { function(t) }) }
