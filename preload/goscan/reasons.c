#include "preload/goscan/reasons.h"

#include <stddef.h>
#include <string.h>

#include "preload/recording.h"

/* runtime.waitReasonStrings of Go 1.18 to 1.27. */
static const struct go_reason_rule rules[] = {
#define REASON(text, op, object, lock)                                                             \
    {                                                                                              \
        text, REC_OP_##op, GO_OBJECT_##object, GO_LOCK_##lock, false, false, false                 \
    }
    REASON("chan receive", CHAN_RECEIVE, CHANNEL, NONE),
    REASON("chan send", CHAN_SEND, CHANNEL, NONE),
    REASON("select", SELECT, SELECT, NONE),
    REASON("chan receive (nil chan)", CHAN_RECEIVE, NONE, NONE),
    REASON("chan send (nil chan)", CHAN_SEND, NONE, NONE),
    REASON("select (no cases)", SELECT, NONE, NONE),
    REASON("semacquire", SEM_WAIT, SEMAPHORE, UNKNOWN),
    REASON("sync.Mutex.Lock", MUTEX_LOCK, SEMAPHORE, MUTEX),
    REASON("sync.RWMutex.RLock", RWLOCK_RDLOCK, SEMAPHORE, RWLOCK_READ),
    REASON("sync.RWMutex.Lock", RWLOCK_WRLOCK, SEMAPHORE, RWLOCK_WRITE),
    REASON("sync.WaitGroup.Wait", WAITGROUP_WAIT, SEMAPHORE, WAITGROUP),
    REASON("sync.Cond.Wait", COND_WAIT, COND, NONE),
    REASON("IO wait", IO_WAIT, POLL, NONE),
    /* In a bubble of testing/synctest. "durable" since 1.25. */
    REASON("chan receive (synctest)", CHAN_RECEIVE, CHANNEL, NONE),
    REASON("chan send (synctest)", CHAN_SEND, CHANNEL, NONE),
    REASON("select (synctest)", SELECT, SELECT, NONE),
    REASON("chan receive (durable)", CHAN_RECEIVE, CHANNEL, NONE),
    REASON("chan send (durable)", CHAN_SEND, CHANNEL, NONE),
    REASON("select (durable)", SELECT, SELECT, NONE),
    REASON("sync.WaitGroup.Wait (durable)", WAITGROUP_WAIT, SEMAPHORE, WAITGROUP),
    /* It waits for other goroutines of its own, on nothing that has an address. */
    REASON("synctest.Run", NONE, NONE, NONE),
    REASON("synctest.Wait", NONE, NONE, NONE),
    /* A goroutine that calls finalizers and cleanups runs the program's code in between, and may
     * then park for ever; so it is not the reason that makes it the runtime's. */
    REASON("finalizer wait", IDLE, NONE, NONE),
    REASON("cleanup wait", IDLE, NONE, NONE),
    /* Any goroutine, while the runtime collects, traces, stops the world or goes down. */
    REASON("GC assist marking", IDLE, NONE, NONE),
    REASON("GC assist wait", IDLE, NONE, NONE),
    REASON("GC mark termination", IDLE, NONE, NONE),
    REASON("GC weak to strong wait", IDLE, NONE, NONE),
    REASON("wait for GC cycle", IDLE, NONE, NONE),
    REASON("garbage collection", IDLE, NONE, NONE),
    REASON("garbage collection scan", IDLE, NONE, NONE),
    REASON("stopping the world", IDLE, NONE, NONE),
    REASON("flushing proc caches", IDLE, NONE, NONE),
    REASON("dumping heap", IDLE, NONE, NONE),
    REASON("panicwait", IDLE, NONE, NONE),
    REASON("trace reader (blocked)", IDLE, NONE, NONE),
    REASON("trace goroutine status", IDLE, NONE, NONE),
    REASON("trace proc status", IDLE, NONE, NONE),
    REASON("page trace flush", IDLE, NONE, NONE),
    REASON("preempted", IDLE, NONE, NONE),
    REASON("debug call", IDLE, NONE, NONE),
#undef REASON
#define IDLE(text)                                                                                 \
    {                                                                                              \
        text, REC_OP_IDLE, GO_OBJECT_NONE, GO_LOCK_NONE, true, false, false                        \
    }
    IDLE("GC sweep wait"),
    IDLE("GC scavenge wait"),
    IDLE("GC worker (idle)"),
    IDLE("GC worker (active)"),
    IDLE("force gc (idle)"),
    IDLE("timer goroutine (idle)"),
    IDLE("GOMAXPROCS updater (idle)"),
#undef IDLE
    {"sleep", REC_OP_SLEEP, GO_OBJECT_NONE, GO_LOCK_NONE, false, true, false},
    {"coroutine", REC_OP_NONE, GO_OBJECT_NONE, GO_LOCK_NONE, false, false, true},
};

static const struct go_reason_rule unknown = {"",    REC_OP_NONE, GO_OBJECT_NONE, GO_LOCK_NONE,
                                              false, false,       false};

const struct go_reason_rule *go_reason_rule(const char *text)
{
    for (size_t i = 0; i < sizeof(rules) / sizeof(*rules); i++) {
        if (strcmp(rules[i].text, text) == 0)
            return &rules[i];
    }
    return &unknown;
}

uint16_t go_lock_op(enum go_lock lock)
{
    static const uint16_t ops[GO_LOCK_COUNT] = {
        [GO_LOCK_UNKNOWN] = REC_OP_SEM_WAIT,
        [GO_LOCK_NONE] = REC_OP_SEM_WAIT,
        [GO_LOCK_MUTEX] = REC_OP_MUTEX_LOCK,
        [GO_LOCK_RWLOCK_READ] = REC_OP_RWLOCK_RDLOCK,
        [GO_LOCK_RWLOCK_WRITE] = REC_OP_RWLOCK_WRLOCK,
        [GO_LOCK_RWLOCK_MUTEX] = REC_OP_RWLOCK_WRLOCK,
        [GO_LOCK_WAITGROUP] = REC_OP_WAITGROUP_WAIT,
    };
    return ops[lock];
}
