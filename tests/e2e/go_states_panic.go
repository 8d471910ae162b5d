// Of go_states: a program that goes down.
package main

import (
	"os"
	"runtime"
	"sync/atomic"
	"syscall"
	"unsafe"
)

// How many bytes are in a pipe. A system call of which the scheduler does not know.
func bytesIn(pipe int) (bytes int32) {
	syscall.RawSyscall(syscall.SYS_IOCTL, uintptr(pipe), 0x541b, uintptr(unsafe.Pointer(&bytes))) // FIONREAD
	return bytes
}

// Returns from main while the runtime goes down, and is in the midst of what it prints first (GODEBUG=schedtrace=…):
// its stderr takes no more than the beginning. Then main waits for the end. It has to be there before it is preempted,
// within 10 ms: where that is not enough, on a busy machine, it stays runnable for ever.
func returnInPanic() {
	var pipe [2]int
	check(syscall.Pipe(pipe[:]))
	capacity, _, _ := syscall.RawSyscall(syscall.SYS_FCNTL, uintptr(pipe[1]), 1032, 0) // F_GETPIPE_SZ
	_, err := syscall.Write(pipe[1], make([]byte, capacity-50))
	check(err)
	check(syscall.Dup3(pipe[1], 2, 0))
	before := bytesIn(pipe[0])

	var begin, turns int32
	go func() {
		runtime.LockOSThread()
		pid, thread := os.Getpid(), syscall.Gettid()
		for atomic.LoadInt32(&begin) == 0 {
			atomic.AddInt32(&turns, 1)
		}
		syscall.RawSyscall(syscall.SYS_TGKILL, uintptr(pid), uintptr(thread), uintptr(syscall.SIGQUIT))
	}()
	// Until both of them have a processor at this moment.
	for tries, last := 0, atomic.LoadInt32(&turns); tries < 10000; tries++ {
		runtime.Gosched()
		for i := 0; i < 1000; i++ {
		}
		if now := atomic.LoadInt32(&turns); now != last && last != 0 {
			break
		} else {
			last = now
		}
	}
	atomic.StoreInt32(&begin, 1)
	for bytesIn(pipe[0]) == before {
	}
}
