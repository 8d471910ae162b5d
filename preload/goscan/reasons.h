/* What the wait reasons of Go's runtime mean. gccgo's libgo has the same texts. */
#ifndef LEAKSPY_GOSCAN_REASONS_H
#define LEAKSPY_GOSCAN_REASONS_H

#include <stdbool.h>
#include <stdint.h>

enum go_object_rule {
    GO_OBJECT_NONE,
    GO_OBJECT_CHANNEL,
    GO_OBJECT_SELECT,
    GO_OBJECT_SEMAPHORE, /* of a Mutex, RWMutex, WaitGroup, or by itself */
    GO_OBJECT_COND,
    GO_OBJECT_POLL, /* a descriptor: runtime.pollDesc */
};

/* Which lock a semaphore is part of. */
enum go_lock {
    GO_LOCK_UNKNOWN, /* only the stack can tell */
    GO_LOCK_NONE,    /* a semaphore by itself */
    GO_LOCK_MUTEX,
    GO_LOCK_RWLOCK_READ,
    GO_LOCK_RWLOCK_WRITE,
    GO_LOCK_RWLOCK_MUTEX, /* a writer that waits for another one: for the Mutex in the RWMutex */
    GO_LOCK_WAITGROUP,
    GO_LOCK_COUNT
};

/* The state of a sync.Mutex: bits, and from GO_MUTEX_WAITER on how many wait. */
enum go_mutex {
    GO_MUTEX_LOCKED = 1,
    GO_MUTEX_WOKEN = 2, /* somebody who waited was woken, and has not had it yet */
    GO_MUTEX_STARVING =
        4, /* it is handed to who waits longest: one that was woken did not get it */
    GO_MUTEX_WAITER = 8,
};

/* What a lock of package sync says of itself. */
struct go_lock_words {
    bool known;      /* it was read while the goroutine waited for it */
    int32_t state;   /* of a Mutex, see enum go_mutex; a WaitGroup's counter; an RWMutex's
                        readerCount: below 0 where a writer has it, or waits for readers */
    int32_t leaving; /* an RWMutex's readerWait: how many RUnlocks that writer waits for */
    bool asked;      /* it was tried to read them: where not, nothing is known of them */
};

struct go_reason_rule {
    const char *text;
    uint16_t op;    /* enum rec_op; REC_OP_NONE: it tells nothing of the goroutine */
    uint8_t object; /* enum go_object_rule */
    uint8_t lock;   /* enum go_lock, of a semaphore */
    bool idle;      /* only the runtime's own goroutines wait so, with nothing to do */
    bool deadline;  /* it ends by itself */
    bool uncounted; /* the runtime goes on with one that waits so without counting that it runs */
};

/* The rule for a text; one of op REC_OP_NONE where there is none. */
const struct go_reason_rule *go_reason_rule(const char *text);

/* enum rec_op of a lock. */
uint16_t go_lock_op(enum go_lock lock);

#endif
