/* System calls that nobody but the kernel sees: not by libc. */
#ifndef LEAKSPY_E2E_BARE_READ_H
#define LEAKSPY_E2E_BARE_READ_H

#include <stddef.h>
#include <sys/syscall.h>
#include <time.h>

static inline long bare_call(long number, long first, const void *second, size_t third)
{
#if defined(__x86_64__)
    long result;
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "0"(number), "D"(first), "S"(second), "d"(third)
                     : "rcx", "r11", "memory");
    return result;
#elif defined(__aarch64__)
    register long number_in __asm__("x8") = number;
    register long first_in __asm__("x0") = first;
    register const void *second_in __asm__("x1") = second;
    register size_t third_in __asm__("x2") = third;
    __asm__ volatile("svc 0"
                     : "+r"(first_in)
                     : "r"(number_in), "r"(second_in), "r"(third_in)
                     : "memory");
    return first_in;
#else
#error "no system call known for this processor"
#endif
}

static inline long bare_read(int fd, void *to, size_t bytes)
{
    return bare_call(SYS_read, fd, to, bytes);
}

/* Shorter than what the sampler takes between two looks, and so told of nobody. */
static inline void bare_nap(void)
{
    const struct timespec nap = {.tv_nsec = 1000000};
    bare_call(SYS_nanosleep, (long)&nap, NULL, 0);
}

#endif
