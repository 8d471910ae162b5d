#include "tests/unit/preload/locking_here.h"

#include "preload/waits.h"

pthread_mutex_t here_locks[2] = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_MUTEX_INITIALIZER};
struct rec_task *here_slot;
uint64_t here_places[2];
uint32_t here_asked;

__attribute__((noinline)) void here_lock(int which)
{
    here_places[which] = (uint64_t)__builtin_return_address(0);
    struct passing passing =
        wait_passing(1, (uint64_t)&here_locks[which], (uint64_t)__builtin_dwarf_cfa(),
                     *(const uint64_t *)__builtin_frame_address(0));
    if (!wait_is_published(here_slot, passing))
        wait_publish_passing(here_slot, passing);
    __atomic_store_n(&here_asked, (uint32_t)which + 1, __ATOMIC_RELEASE);
    pthread_mutex_lock(&here_locks[which]);
    pthread_mutex_unlock(&here_locks[which]);
}
