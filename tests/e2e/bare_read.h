/* A read(2) that nobody but the kernel sees: not by libc. */
#ifndef LEAKSPY_E2E_BARE_READ_H
#define LEAKSPY_E2E_BARE_READ_H

#include <stddef.h>
#include <sys/syscall.h>

static inline long bare_read(int fd, void *to, size_t bytes)
{
#if defined(__x86_64__)
    long result;
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "0"((long)SYS_read), "D"((long)fd), "S"(to), "d"(bytes)
                     : "rcx", "r11", "memory");
    return result;
#elif defined(__aarch64__)
    register long number __asm__("x8") = SYS_read;
    register long first __asm__("x0") = fd;
    register void *second __asm__("x1") = to;
    register size_t third __asm__("x2") = bytes;
    __asm__ volatile("svc 0" : "+r"(first) : "r"(number), "r"(second), "r"(third) : "memory");
    return first;
#else
#error "no system call known for this processor"
#endif
}

#endif
