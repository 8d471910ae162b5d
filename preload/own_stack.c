#include "preload/own_stack.h"

#include <pthread.h>
#include <sys/auxv.h>
#include <sys/resource.h>

#include "preload/recorder.h"
#include "preload/sys.h"

#define MAX_MAIN_BYTES (64ULL << 20) /* where the first stack may grow without limit */

static uint64_t default_bytes;
static uint64_t main_low, main_high;

void own_stack_init(void)
{
    pthread_attr_t attr;
    struct rlimit limit = {MAX_MAIN_BYTES, MAX_MAIN_BYTES};
    size_t bytes = 0;
    if (pthread_attr_init(&attr) == 0) {
        pthread_attr_getstacksize(&attr, &bytes);
        pthread_attr_destroy(&attr);
    }
    default_bytes = bytes;
    sys_call(SYS_prlimit64, 0, RLIMIT_STACK, 0, &limit);
    main_high = getauxval(AT_EXECFN); /* lies above everything that the first thread pushes */
    main_low = main_high - (limit.rlim_cur < MAX_MAIN_BYTES ? limit.rlim_cur : MAX_MAIN_BYTES);
}

uint64_t own_stack_bytes(const void *attr)
{
    size_t bytes = default_bytes;
    if (attr != NULL)
        pthread_attr_getstacksize(attr, &bytes);
    return bytes;
}

uint64_t own_stack_end(uint64_t sp)
{
    /* A thread's own descriptor lies at the top of its stack. */
    uint64_t high = (uint64_t)pthread_self();
    if (sp < high && high - sp < recorder_thread.stack_bytes)
        return high;
    return sp >= main_low && sp < main_high ? main_high : 0;
}
