/* Forks by clone(), and runs the handlers of pthread_atfork itself, as Firefox does: it has them
 * because they are registered by a function of the executable's. Its children wait before the
 * handlers are run and after that, for long enough to be sampled. The last one waits for the end of
 * its input. */
#include <dlfcn.h>
#include <sched.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/e2e/threads.h"

enum { HANDLERS = 32, CHILDREN = 8, WATCHDOG_S = 60 };

typedef void (*handler)(void);

static struct {
    handler before, parent, child;
} handlers[HANDLERS];
static int handler_count;

/* What pthread_atfork calls. */
int __register_atfork(handler before, handler parent, handler child, void *library);
int __register_atfork(handler before, handler parent, handler child, void *library)
{
    __typeof__(&__register_atfork) libcs;
    *(void **)&libcs = dlsym(RTLD_NEXT, "__register_atfork");
    CHECK(libcs != NULL && handler_count < HANDLERS);
    handlers[handler_count].before = before;
    handlers[handler_count].parent = parent;
    handlers[handler_count++].child = child;
    return libcs(before, parent, child, library);
}

static void *nothing(void *arg)
{
    return arg;
}

static int child(void *last)
{
    char byte;
    alarm(WATCHDOG_S);
    usleep(1000);
    for (int i = 0; i < handler_count; i++)
        if (handlers[i].child)
            handlers[i].child();
    usleep(1000);
    join_thread(start_thread(nothing, NULL));
    if (!last) {
        usleep(150000);
        _exit(0);
    }
    printf("child %d\n", (int)getpid());
    fflush(stdout);
    CHECK(read(STDIN_FILENO, &byte, 1) == 0); /* parked here */
    _exit(0);
}

static void fork_once(void *last)
{
    static char stack[1 << 16] __attribute__((aligned(16)));
    int status;
    for (int i = handler_count - 1; i >= 0; i--)
        if (handlers[i].before)
            handlers[i].before();
    pid_t pid = clone(child, stack + sizeof stack, SIGCHLD, last);
    for (int i = 0; i < handler_count; i++)
        if (handlers[i].parent)
            handlers[i].parent();
    CHECK(pid > 0 && waitpid(pid, &status, 0) == pid);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

int main(void)
{
    alarm(WATCHDOG_S);
    for (int i = 0; i < CHILDREN; i++) {
        fork_once(NULL);
        join_thread(start_thread(nothing, NULL));
    }
    fork_once(&handler_count);
    return 0;
}
