package main

// #include <pthread.h>
// static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
// static int lock_in_c(void) { return pthread_mutex_lock(&mutex); }
import "C"

// mutex has a goroutine wait in C: for a lock that it holds itself.
func mutex([]string) {
	C.lock_in_c()
	go C.lock_in_c()
}
