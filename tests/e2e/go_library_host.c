/* go_library_host [MODE] LIBRARY...: loads libraries made of go_library.go, and has each start
 * goroutines: 7 the first one, 14 the second. Ends at the end of stdin.
 * fork: it forks a child then, "child PID", which ends so, too.
 * deadlock: two threads that have called into the last library lock two mutexes in both orders. */
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static int (*touch)(void);
static pthread_mutex_t mutexes[2] = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_MUTEX_INITIALIZER};
static pthread_barrier_t both_have_one;

static void *lock_both(void *arg)
{
    pthread_mutex_t *first = arg, *second = first == &mutexes[0] ? &mutexes[1] : &mutexes[0];
    touch();
    pthread_mutex_lock(first);
    pthread_barrier_wait(&both_have_one);
    pthread_mutex_lock(second);
    return NULL;
}

static int wait_for_end(void)
{
    char byte;
    return read(0, &byte, 1) == 0 ? 0 : 70;
}

static int fork_one(void)
{
    pid_t child = fork();
    if (child == 0)
        _exit(wait_for_end());
    printf("child %d\n", (int)child);
    fflush(stdout);
    int status = wait_for_end();
    return waitpid(child, NULL, 0) == child ? status : 70;
}

static int deadlock(void)
{
    pthread_t thread;
    pthread_barrier_init(&both_have_one, NULL, 2);
    for (int i = 0; i < 2; i++)
        if (pthread_create(&thread, NULL, lock_both, &mutexes[i]) != 0)
            return 70;
    return wait_for_end();
}

static const struct {
    const char *name;
    int (*run)(void);
} modes[] = {{"fork", fork_one}, {"deadlock", deadlock}};

int main(int argc, char **argv)
{
    int (*run)(void) = wait_for_end;
    int first = 1;
    for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]) && argc > 1; i++)
        if (strcmp(argv[1], modes[i].name) == 0) {
            run = modes[i].run;
            first = 2;
        }
    for (int i = first; i < argc; i++) {
        void *library = dlopen(argv[i], RTLD_NOW);
        void (*start)(int) = NULL;
        if (library) {
            *(void **)&start = dlsym(library, "StartGoroutines");
            *(void **)&touch = dlsym(library, "Touch");
        }
        if (!start || !touch) {
            fprintf(stderr, "go_library_host: %s\n", dlerror());
            return 70;
        }
        start(7 * (i - first + 1));
    }
    printf("ready\n");
    fflush(stdout);
    return run();
}
