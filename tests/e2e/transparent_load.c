/* Scenarios of `transparent`: libraries that come and go. The plugin is plugin.c. */
#include "tests/e2e/transparent.h"

#include <dlfcn.h>
#include <stdatomic.h>
#include <unistd.h>

/* Taken by the plugin's constructor, if it is not NULL there. */
extern pthread_mutex_t *plugin_lock;
pthread_mutex_t *plugin_lock;

static atomic_bool stop;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

static int use_plugin(void)
{
    void *plugin = dlopen("libplugin.so", RTLD_NOW);
    if (!plugin)
        fprintf(stderr, "%s\n", dlerror());
    CHECK(plugin);
    int (*park)(void) = (int (*)(void))dlsym(plugin, "plugin_park");
    CHECK(park);
    int result = park();
    CHECK(dlclose(plugin) == 0);
    return result;
}

int load_and_unload(void)
{
    int sum = 0;
    for (int i = 0; i < 200; i++)
        sum += use_plugin();
    printf("%d\n", sum);
    return 0;
}

static void *do_nothing(void *arg)
{
    return arg;
}

static void *spawn_threads(void *arg)
{
    while (!atomic_load(&stop)) {
        if (arg)
            pthread_mutex_lock(arg);
        pthread_t thread = start_thread(do_nothing, NULL);
        if (arg)
            pthread_mutex_unlock(arg);
        join_thread(thread);
    }
    return NULL;
}

static void *load_often(void *arg)
{
    for (int i = 0; i < 100; i++)
        use_plugin();
    return arg;
}

static int load_beside(void *lock)
{
    pthread_t spawners[2], loaders[2];
    for (int i = 0; i < 2; i++)
        spawners[i] = start_thread(spawn_threads, lock);
    for (int i = 0; i < 2; i++)
        loaders[i] = start_thread(load_often, NULL);
    for (int i = 0; i < 2; i++)
        join_thread(loaders[i]);
    atomic_store(&stop, true);
    for (int i = 0; i < 2; i++)
        join_thread(spawners[i]);
    puts("done");
    return 0;
}

int load_while_spawning(void)
{
    return load_beside(NULL);
}

/* One thread spawns with a lock held that the loader, in a constructor, waits for: a spawn that
 * waited for the loader would wait for ever. */
int load_against_a_lock(void)
{
    plugin_lock = &mutex;
    return load_beside(&mutex);
}
