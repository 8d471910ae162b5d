package main

// #include <pthread.h>
// static pthread_mutex_t mutexes[2] = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_MUTEX_INITIALIZER};
// static int lock_in_c(int number) { return pthread_mutex_lock(&mutexes[number]); }
import "C"

import "runtime"

// mutex has a goroutine wait in C: for a lock that another one holds, which has parked since and left its thread to it.
// Or, where goroutines are "locked" to their threads, two wait for each other's lock.
func mutex(how []string) {
	held := make(chan int)
	if len(how) == 0 {
		runtime.GOMAXPROCS(1)
		go func() {
			C.lock_in_c(0)
			held <- 0
			go C.lock_in_c(0)
			held <- 0
		}()
		<-held
		return
	}
	bothHeld := make(chan int)
	for i := 0; i < 2; i++ {
		go func(number int) {
			runtime.LockOSThread()
			C.lock_in_c(C.int(number))
			held <- number
			<-bothHeld
			C.lock_in_c(C.int(1 - number))
		}(i)
	}
	<-held
	<-held
	close(bothHeld)
}
