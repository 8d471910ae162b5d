/* Who is woken from a condition waits for its mutex, inside of the call that it has published: for
 * something else than that says. */
#ifndef LEAKSPY_RELOCK_H
#define LEAKSPY_RELOCK_H

#include <stdbool.h>

#include "preload/adapter.h"
#include "preload/blocked.h"
#include "preload/recording.h"

/* For a new recording: no call stands in it. */
void relock_reset(void);

/* Whether a task of `adapter` (NULL: it has none), of whose slot *copy is a copy, waits so. Then
 * *ret is that wait, as it is to be told. `call`: what the kernel says of a thread; NULL: it does
 * not. The sampler. */
bool relock_find(const struct adapter *adapter, const struct rec_task *copy,
                 const struct blocked_call *call, struct rec_asleep *ret);

#endif
