/* What the rows of errors share: to be interrupted, to be nobody, to have reached a limit. */
#include "tests/conformance/errors.h"

#include <grp.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

void *const nowhere = (void *)8;

/* --- while this thread is blocked ------------------------------------------------------------ */

static struct {
    pthread_t thread, caller;
    pid_t tid; /* of the caller */
    void (*act)(void);
    atomic_int done; /* the call came back */
} helper;

static void nothing(int signal)
{
    (void)signal;
}

static void *help(void *arg)
{
    while (await_blocked(helper.tid, &helper.done), !atomic_load(&helper.done)) {
        if (helper.act != NULL) {
            helper.act();
            break;
        }
        pthread_kill(helper.caller, SIGUSR1);
    }
    return arg;
}

void begin_while_blocked(void (*act)(void))
{
    CHECK(sigaction(SIGUSR1, &(struct sigaction){.sa_handler = nothing}, NULL) == 0);
    helper.caller = pthread_self();
    helper.tid = gettid();
    helper.act = act;
    atomic_store(&helper.done, 0);
    helper.thread = start_thread(help, NULL);
}

void end_while_blocked(void)
{
    atomic_store(&helper.done, 1);
    join_thread(helper.thread);
}

/* --- who may not, who has no more ------------------------------------------------------------ */

void become_nobody(void)
{
    enum { NOBODY = 65534 };
    if (geteuid() != 0)
        return;
    CHECK(setgroups(0, NULL) == 0);
    CHECK(setresgid(NOBODY, NOBODY, NOBODY) == 0 && setresuid(NOBODY, NOBODY, NOBODY) == 0);
}

static struct rlimit limits[RLIM_NLIMITS];

static void read_limits(void)
{
    for (int i = 0; i < RLIM_NLIMITS; i++)
        CHECK(getrlimit((__rlimit_resource_t)i, &limits[i]) == 0);
}

void limit_to(int resource, unsigned long most)
{
    struct rlimit limit = {most, limits[resource].rlim_max};
    CHECK(setrlimit((__rlimit_resource_t)resource, &limit) == 0);
}

void renew_errors(void)
{
    for (int i = 0; i < RLIM_NLIMITS; i++)
        setrlimit((__rlimit_resource_t)i, &limits[i]);
}

void family_errors(struct rows *rows)
{
    read_limits();
    errors_of_descriptors(rows);
    errors_of_sockets(rows);
    errors_of_ipc(rows);
    errors_of_locks(rows);
    errors_of_threads(rows);
    errors_of_processes(rows);
    errors_of_files(rows);
}
