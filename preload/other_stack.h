/* A call on another stack, for what wants more of it than the caller may have. */
#ifndef LEAKSPY_OTHER_STACK_H
#define LEAKSPY_OTHER_STACK_H

struct other_stack {
    _Alignas(16) char bytes[64U << 10];
};

/* Calls function(arg) on `stack`, which has one user at a time, with signals blocked: a handler
 * would find the caller on none that the program knows. */
static inline void other_stack_call(struct other_stack *stack, void (*function)(void *), void *arg)
{
    void *top = stack + 1;
#if defined(__x86_64__)
    __asm__ volatile("movq %%rsp, %%rbx\n\t"
                     "movq %0, %%rsp\n\t"
                     "callq *%1\n\t"
                     "movq %%rbx, %%rsp"
                     : "+r"(top), "+r"(function), "+D"(arg)
                     :
                     : "rbx", "rax", "rcx", "rdx", "rsi", "r8", "r9", "r10", "r11", "memory", "cc",
                       "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8",
                       "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15");
#else
    register void *x0 __asm__("x0") = arg;
    register void *x19 __asm__("x19") = top;
    register void (*x20)(void *) __asm__("x20") = function;
    __asm__ volatile("mov x21, sp\n\t"
                     "mov sp, x19\n\t"
                     "blr x20\n\t"
                     "mov sp, x21"
                     : "+r"(x0), "+r"(x19), "+r"(x20)
                     :
                     : "x1", "x2", "x3", "x4", "x5", "x6", "x7", "x8", "x9", "x10", "x11", "x12",
                       "x13", "x14", "x15", "x16", "x17", "x21", "x30", "memory", "cc", "v0", "v1",
                       "v2", "v3", "v4", "v5", "v6", "v7", "v16", "v17", "v18", "v19", "v20", "v21",
                       "v22", "v23", "v24", "v25", "v26", "v27", "v28", "v29", "v30", "v31");
#endif
}

#endif
