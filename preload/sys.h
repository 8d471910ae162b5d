/* System calls without libc: no errno, no cancellation point, and no way back into our own
 * wrappers. Results are as the kernel gives them: negative errno values are errors. Any thread, any
 * context. */
#ifndef LEAKSPY_SYS_H
#define LEAKSPY_SYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/syscall.h>

/* What headers that are older than the kernel lack. */
#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif
#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif
#ifndef SYS_pidfd_getfd
#define SYS_pidfd_getfd 438
#endif

#ifdef __clang_analyzer__
/* It does not read assembly, and would take what the kernel wrote for never written. */
long sys_call6(long number, long a, long b, long c, long d, long e, long f);
#else
static inline long sys_call6(long number, long a, long b, long c, long d, long e, long f)
{
#if defined(__x86_64__)
    long result;
    register long r10 __asm__("r10") = d;
    register long r8 __asm__("r8") = e;
    register long r9 __asm__("r9") = f;
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                     : "rcx", "r11", "memory");
    return result;
#elif defined(__aarch64__)
    register long x8 __asm__("x8") = number;
    register long x0 __asm__("x0") = a;
    register long x1 __asm__("x1") = b;
    register long x2 __asm__("x2") = c;
    register long x3 __asm__("x3") = d;
    register long x4 __asm__("x4") = e;
    register long x5 __asm__("x5") = f;
    __asm__ volatile("svc 0"
                     : "+r"(x0)
                     : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5)
                     : "memory");
    return x0;
#else
#error "leakspy knows x86-64 and aarch64"
#endif
}
#endif

/* Up to six arguments, integers or pointers. */
#define sys_call(number, ...) SYS_CALL_PICK(__VA_ARGS__, 6, 5, 4, 3, 2, 1)(number, __VA_ARGS__)
#define SYS_CALL_PICK(a, b, c, d, e, f, n, ...) SYS_CALL_##n
#define SYS_CALL_1(n, a) sys_call6(n, (long)(a), 0, 0, 0, 0, 0)
#define SYS_CALL_2(n, a, b) sys_call6(n, (long)(a), (long)(b), 0, 0, 0, 0)
#define SYS_CALL_3(n, a, b, c) sys_call6(n, (long)(a), (long)(b), (long)(c), 0, 0, 0)
#define SYS_CALL_4(n, a, b, c, d) sys_call6(n, (long)(a), (long)(b), (long)(c), (long)(d), 0, 0)
#define SYS_CALL_5(n, a, b, c, d, e)                                                               \
    sys_call6(n, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), 0)
#define SYS_CALL_6(n, a, b, c, d, e, f)                                                            \
    sys_call6(n, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), (long)(f))

/* Reads a piece of a file. False: not all of it. */
static inline bool sys_read_at(long fd, void *buffer, size_t bytes, uint64_t offset)
{
    return sys_call(SYS_pread64, fd, buffer, bytes, offset) == (long)bytes;
}

#endif
