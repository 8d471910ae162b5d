/* What the kernel says of threads that sleep and have published no wait, or a PASSING one: whether
 * they do is known to it alone. Called by the sampler, which has a table of descriptors of its own.
 */
#ifndef LEAKSPY_KERNEL_SLEEP_H
#define LEAKSPY_KERNEL_SLEEP_H

#include <stdbool.h>
#include <stdint.h>

#include "preload/recording.h"

struct kernel_sleep {
    uint32_t number; /* names the sleep among all of the thread's; 0: it is told of none */
    uint32_t key;    /* for detail_b */
    uint16_t flags;  /* for detail_flags: PASSING, and ASLEEP with what follows */
    uint64_t pc, sp;
    struct rec_asleep told;
    bool lost; /* it is ASLEEP, and there was no room to note in what: the recording has no such
                  row, or there is no memory behind it */
};

/* Whether the thread in a slot sleeps so. Returns the kernel's number of that sleep, and fills
 * *ret_copy with the slot, which nobody changes meanwhile; of one that is ASLEEP, with the call,
 * flags, object and arg that it sleeps in. 0: it does not, or /proc does not tell. */
uint32_t kernel_sleep_find(const struct rec_task *task, struct rec_task *ret_copy,
                           struct kernel_sleep *ret);

/* Whether it is in that sleep still. */
bool kernel_sleep_goes_on(const struct rec_task *task, const struct kernel_sleep *sleep);

/* Whether it is still in the sleep that all was told of which there is to be told. If so, *ret_copy
 * is what it waits for, and *ret that sleep. */
bool kernel_sleep_is_told(const struct rec_task *task, struct rec_task *ret_copy,
                          struct kernel_sleep *ret);

/* Notes in the recording what a thread is ASLEEP in; `copy`: as kernel_sleep_find filled it. False:
 * there is no room for that. */
bool kernel_sleep_note(const struct rec_task *task, const struct rec_task *copy,
                       struct kernel_sleep *sleep);

#endif
