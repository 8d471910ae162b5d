/* What the unwinder has to know of a processor. */
#ifndef LEAKSPY_ARCH_H
#define LEAKSPY_ARCH_H

#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <ucontext.h>

#if defined(__x86_64__)
#include <libunwind-x86_64.h>
#define ARCH_LIBUNWIND "libunwind-x86_64.so.8"
#define ARCH_UNW(name) "_Ux86_64_" #name
#define ARCH_REG_PC UNW_X86_64_RIP
#define ARCH_REG_SP UNW_X86_64_RSP
#define ARCH_REG_FP UNW_X86_64_RBP
#define ARCH_SIGNAL_UCONTEXT 0 /* from the stack pointer at the signal trampoline */
#define ARCH_SIGNAL_PC ARCH_SIGNAL_REG(gregs[REG_RIP])
#define ARCH_SIGNAL_SP ARCH_SIGNAL_REG(gregs[REG_RSP])
#define ARCH_SIGNAL_FP ARCH_SIGNAL_REG(gregs[REG_RBP])
#elif defined(__aarch64__)
#include <libunwind-aarch64.h>
#define ARCH_LIBUNWIND "libunwind-aarch64.so.8"
#define ARCH_UNW(name) "_Uaarch64_" #name
#define ARCH_REG_PC UNW_AARCH64_PC
#define ARCH_REG_SP UNW_AARCH64_SP
#define ARCH_REG_FP UNW_AARCH64_X29
#define ARCH_SIGNAL_UCONTEXT sizeof(siginfo_t)
#define ARCH_SIGNAL_PC ARCH_SIGNAL_REG(pc)
#define ARCH_SIGNAL_SP ARCH_SIGNAL_REG(sp)
#define ARCH_SIGNAL_FP ARCH_SIGNAL_REG(regs[29])
#else
#error "leakspy knows x86-64 and aarch64"
#endif

#define ARCH_SIGNAL_REG(field) (ARCH_SIGNAL_UCONTEXT + offsetof(ucontext_t, uc_mcontext.field))

/* The calling thread's, which thread-local storage lies around. */
static inline char *arch_thread_pointer(void)
{
    return __builtin_thread_pointer();
}

/* The word that lies `offset` bytes from it. Read anew each time: a task may go on on another
 * thread. */
static inline void *arch_thread_word(int64_t offset)
{
    void *word;
#if defined(__x86_64__)
    __asm__ volatile("movq %%fs:(%1), %0" : "=r"(word) : "r"(offset));
#else
    char *thread;
    __asm__ volatile("mrs %0, tpidr_el0" : "=r"(thread));
    word = *(void *volatile *)(thread + offset);
#endif
    return word;
}

/* The line of memory at `address` is about to be written. Asked for so, it comes from another
 * processor once, and not as a copy first. Any address will do: there is nothing to fail. */
static inline void arch_will_write(const void *address)
{
#if defined(__x86_64__)
    __asm__ volatile("prefetchw %0" : : "m"(*(const char *)address));
#else
    __builtin_prefetch(address, 1);
#endif
}

/* The frame pointer of the caller, in a function that keeps none and calls nothing but in tail
 * position. Where the return address is not on the stack then, there is no such thing. clang keeps
 * one nonetheless, where __builtin_dwarf_cfa() is asked for. */
#if defined(__x86_64__) && defined(__clang__)
#define ARCH_CALLER_FP() (*(const uint64_t *)__builtin_frame_address(0))
#elif defined(__x86_64__)
#define ARCH_CALLER_FP()                                                                           \
    ({                                                                                             \
        uint64_t caller_fp_;                                                                       \
        __asm__ volatile("movq %%rbp, %0" : "=r"(caller_fp_));                                     \
        caller_fp_;                                                                                \
    })
#endif

/* What a frame address points to, on both: the caller's frame address and the return address. */
struct arch_frame {
    uint64_t caller_fp;
    uint64_t return_pc;
};

#endif
