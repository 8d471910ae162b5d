//go:build go1.25

// Of go_waits: a bubble as Go has it since 1.25.
package main

import (
	"testing"
	"testing/synctest"
)

func bubble(t *testing.T, function func(*testing.T)) { synctest.Test(t, function) }
