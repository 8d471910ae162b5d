/* A parker on a raw futex, as language runtimes build it: park() sleeps while there is no token,
 * unpark() leaves a token and wakes. This unpark() wakes and leaves no token: whoever was woken
 * looks again, sees none, and sleeps for ever. */
#include <linux/futex.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/syscall.h>

#include "samples/sample.h"

enum { EMPTY = 0 };
#ifdef FIXED
enum { TOKEN = 1 };
#endif

static _Atomic uint32_t token = EMPTY;

static long futex(_Atomic uint32_t *word, int op, uint32_t value) __attribute__((always_inline));

static inline long futex(_Atomic uint32_t *word, int op, uint32_t value)
{
    return syscall(SYS_futex, word, op | FUTEX_PRIVATE_FLAG, value, NULL, NULL,
                   FUTEX_BITSET_MATCH_ANY);
}

static void *park(void *arg)
{
    while (atomic_load(&token) == EMPTY)
        futex(&token, FUTEX_WAIT_BITSET, EMPTY); /* parks here */
    return arg;
}

static void unpark(void)
{
#ifdef FIXED
    atomic_store(&token, TOKEN);
#endif
    futex(&token, FUTEX_WAKE, 1);
}

static void start(void)
{
    pthread_t thread;
    pthread_create(&thread, NULL, park, NULL); /* spawned here */
    unpark();
#ifdef FIXED
    pthread_join(thread, NULL);
#endif
}

int main(void)
{
    start();
    sample_ready();
    sample_hold();
    return 0;
}
