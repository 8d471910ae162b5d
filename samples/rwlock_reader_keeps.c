/* A reader leaves through an error path and keeps the lock; the writer waits for it for ever. */
#include <pthread.h>

#include "samples/sample.h"

static pthread_rwlock_t table_lock = PTHREAD_RWLOCK_INITIALIZER;

static int look_up(int key)
{
    pthread_rwlock_rdlock(&table_lock);
    if (key < 0) {
#ifdef FIXED
        pthread_rwlock_unlock(&table_lock);
#endif
        return -1;
    }
    pthread_rwlock_unlock(&table_lock);
    return key;
}

static void *update(void *arg)
{
    pthread_rwlock_wrlock(&table_lock); /* parks here */
    pthread_rwlock_unlock(&table_lock);
    return arg;
}

static void start_update(void)
{
    pthread_t writer;
    look_up(-1);
    pthread_create(&writer, NULL, update, NULL); /* spawned here */
#ifdef FIXED
    pthread_join(writer, NULL);
#endif
}

int main(void)
{
    start_update();
    sample_ready();
    sample_hold();
    return 0;
}
