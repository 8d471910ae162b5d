// Of go_waits: a goroutine in a call of C, and one in Go that C called.
package main

/*
#include <unistd.h>

void callGo(int fd);

static void readByte(int fd)
{
    char byte;
    if (read(fd, &byte, 1) < 0)
        _exit(70);
}

static void callBack(int fd)
{
    callGo(fd);
}
*/
import "C"

import "syscall"

var cgoPipe [2]int

func cgoCall() {
	here("cgoCall")
	C.readByte(C.int(cgoPipe[0])) // parks in cgoCall.
}

//export callGo
func callGo(fd C.int) {
	here("cgoCallback")
	<-forEver // parks in cgoCallback.
}

func cgoCallback() {
	C.callBack(C.int(cgoPipe[0]))
}

func init() {
	more = append(more, func() int {
		check(syscall.Pipe(cgoPipe[:]))
		go cgoCall()     // spawns cgoCall.
		go cgoCallback() // spawns cgoCallback.
		return 2
	})
}
