/* Where libgo 21 (gccgo of GCC 12, Go 1.18), x86-64, keeps what we read; in its DWARF, types
 * runtime.g, runtime.m, runtime.hchan, runtime.scase, runtime.sudog, runtime.pollDesc, sync.Cond,
 * sync.Mutex, sync.RWMutex, sync.WaitGroup. */
#ifndef LEAKSPY_GOSCAN_LIBGO_LAYOUT_H
#define LEAKSPY_GOSCAN_LIBGO_LAYOUT_H

enum libgo_layout {
    LIBGO_G_THREAD = 16, /* its m; 0: it is on none */
    LIBGO_G_STATUS = 48, /* u32 */
    LIBGO_G_GOID = 56,
    LIBGO_G_WAITSINCE = 72,
    LIBGO_G_WAITREASON = 80,  /* u8 */
    LIBGO_G_TRACKINGSEQ = 94, /* u8 */
    LIBGO_G_LOCKED = 136,     /* the m that it is locked to */
    LIBGO_G_GOPC = 200,
    LIBGO_G_STARTPC = 216,
    LIBGO_G_WAITING = 224, /* the first sudog */
    LIBGO_G_SYSTEM = 1360, /* bool; behind it, whether it is the one that calls finalizers */
    /* Registers of one that does not run, as __go_getcontext saves them. */
    LIBGO_G_CONTEXT = 1376,
    LIBGO_G_BYTES = 2432,
    LIBGO_M_PROCID = 8, /* the kernel's id of the thread */
    LIBGO_M_CURG = 160,
    LIBGO_M_NEXT = 296,    /* in runtime.allm */
    LIBGO_P_TIMERS = 8832, /* slice of runtime.timer * */
    LIBGO_TIMER_WHEN = 8,
    LIBGO_TIMER_FUNCTION = 24, /* a pointer to a pointer to its code */
    LIBGO_TIMER_ARG = 32,      /* interface: type, value */
    LIBGO_TIMER_STATUS = 64,   /* u32 */
    LIBGO_TIMER_BYTES = 72,
    LIBGO_TYPE_KIND = 23, /* u8 of runtime._type */
    LIBGO_TYPE_KIND_MASK = 31,
    LIBGO_TYPE_CHANNEL = 18,
    LIBGO_SUDOG_G = 0,
    LIBGO_SUDOG_PREV = 16,
    LIBGO_SUDOG_ELEM = 24,
    LIBGO_SUDOG_IS_SELECT = 52, /* bool */
    LIBGO_SUDOG_WAITLINK = 64,  /* the next of g.waiting */
    LIBGO_SUDOG_CHAN = 80,
    LIBGO_SUDOG_BYTES = 88,
    LIBGO_CHAN_LENGTH = 0,
    LIBGO_CHAN_CAPACITY = 8,
    LIBGO_CHAN_CLOSED = 28, /* u32 */
    LIBGO_CHAN_RECEIVERS = 56,
    LIBGO_CHAN_SENDERS = 72,
    LIBGO_CHAN_LOCK = 88,
    LIBGO_CHAN_BYTES = 96,
    LIBGO_CASE_BYTES = 16, /* runtime.scase: the channel, then the element */
    LIBGO_POLL_FD = 8,
    LIBGO_POLL_READER = 24, /* rg: who waits to read */
    LIBGO_POLL_WRITER = 32,
    LIBGO_POLL_READ_UNTIL = 136, /* 0: no deadline, negative: it has passed */
    LIBGO_POLL_WRITE_UNTIL = 224,
    LIBGO_POLL_SELF = 232,
    LIBGO_COND_LOCK = 24,    /* sync.Cond.notify.lock */
    LIBGO_COND_CHECKER = 48, /* its own address */
    LIBGO_MUTEX_STATE = 0,
    LIBGO_MUTEX_SEMA = 4,
    LIBGO_RWMUTEX_WRITER_SEMA = 8,
    LIBGO_RWMUTEX_READER_SEMA = 12,
    LIBGO_RWMUTEX_READER_COUNT = 16,
    LIBGO_RWMUTEX_READER_WAIT = 20,
    LIBGO_WAITGROUP_COUNTER = 4, /* the high half of its state */
    LIBGO_WAITGROUP_SEMA = 8,
    /* struct stack_segment of libgcc's split stacks: two links, the size of the stack behind the
     * segment's head, and four more words. (DWARF of libgcc.a, generic-morestack.c) */
    LIBGO_SEGMENT_SIZE = 16,
    LIBGO_SEGMENT_HEAD = 56,
};

/* What lies at LIBGO_G_CONTEXT: words, in this order (libgo/runtime/go-context.S). */
enum libgo_context {
    LIBGO_CONTEXT_RBP,
    LIBGO_CONTEXT_RBX,
    LIBGO_CONTEXT_R12,
    LIBGO_CONTEXT_R13,
    LIBGO_CONTEXT_R14,
    LIBGO_CONTEXT_R15,
    LIBGO_CONTEXT_RSP,
    LIBGO_CONTEXT_RIP,
    LIBGO_CONTEXT_WORDS
};

#endif
