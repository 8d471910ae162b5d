/* Waits for conditions by references without a version, since the library that has them first when
 * it is linked has no versions (late_condition.c). Prints whether that library has seen the waits.
 */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <time.h>

#include "tests/e2e/check.h"
#include "tests/e2e/late_condition.h"

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static int ready, told;

static void *wait_to_be_told(void *unused)
{
    CHECK(pthread_mutex_lock(&mutex) == 0);
    ready++;
    CHECK(pthread_cond_broadcast(&cond) == 0);
    while (!told)
        CHECK(pthread_cond_wait(&cond, &mutex) == 0);
    CHECK(pthread_mutex_unlock(&mutex) == 0);
    return unused;
}

int main(void)
{
    pthread_t threads[2];
    struct timespec until;
    for (int i = 0; i < 2; i++)
        CHECK(pthread_create(&threads[i], NULL, wait_to_be_told, NULL) == 0);
    CHECK(pthread_mutex_lock(&mutex) == 0);
    while (ready < 2)
        CHECK(pthread_cond_wait(&cond, &mutex) == 0);
    CHECK(clock_gettime(CLOCK_REALTIME, &until) == 0);
    CHECK(pthread_cond_timedwait(&cond, &mutex, &(struct timespec){.tv_sec = until.tv_sec - 1}) ==
          ETIMEDOUT);
    told = 1;
    CHECK(pthread_cond_broadcast(&cond) == 0);
    CHECK(pthread_mutex_unlock(&mutex) == 0);
    for (int i = 0; i < 2; i++)
        CHECK(pthread_join(threads[i], NULL) == 0);
    /* Each of three threads has waited once at least; main's first may not have had to. */
    printf("%s\n", late_condition_waits >= 3 ? "all were seen" : "some were not seen");
    return 0;
}
