/* A thread waits for a condition without looking whether it holds already. The signal came before
 * the wait, and conditions do not remember signals. */
#include <pthread.h>

#include "samples/sample.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t loaded = PTHREAD_COND_INITIALIZER;
static bool is_loaded;

static void *use_data(void *arg)
{
    pthread_mutex_lock(&lock);
#ifdef FIXED
    while (!is_loaded)
#endif
        pthread_cond_wait(&loaded, &lock); /* parks here */
    pthread_mutex_unlock(&lock);
    return arg;
}

static void load_and_use(void)
{
    pthread_t user;
    pthread_mutex_lock(&lock);
    is_loaded = true;
    pthread_cond_signal(&loaded);
    pthread_mutex_unlock(&lock);
    pthread_create(&user, NULL, use_data, NULL); /* spawned here */
#ifdef FIXED
    pthread_join(user, NULL);
#endif
}

int main(void)
{
    load_and_use();
    sample_ready();
    sample_hold();
    return 0;
}
