/* The memory of another process, read without stopping it. */
#ifndef LEAKSPY_ANALYZER_PROCESS_MEMORY_H
#define LEAKSPY_ANALYZER_PROCESS_MEMORY_H

#include <stdbool.h>
#include <sys/types.h>

#include "preload/goscan/reader.h"

struct process_memory {
    struct mem_reader reader;
    pid_t pid;    /* or one of its threads */
    int fd;       /* /proc/PID/mem, of the program that ran when it was opened */
    bool by_file; /* process_vm_readv is forbidden here (a seccomp filter), or that thread has
                     ended: the file is read */
    bool gone;    /* there is no such process any more, or no memory of it */
};

/* `fd` is of /proc/PID/mem and stays the caller's. The reader is of one thread. */
void process_memory_init(struct process_memory *ret, pid_t pid, int fd);

#endif
