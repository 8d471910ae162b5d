/* A library for transparent_load.c to load and unload. */
#include <pthread.h>
#include <time.h>

extern pthread_mutex_t *plugin_lock; /* of the program */

int plugin_park(void);

__attribute__((constructor)) static void begin(void)
{
    if (plugin_lock) {
        pthread_mutex_lock(plugin_lock);
        pthread_mutex_unlock(plugin_lock);
    }
}

int plugin_park(void)
{
    return nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL) == 0 ? 1 : 0;
}
