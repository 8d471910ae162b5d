/* From everywhere that a program may call from: each call, where it does not park, in constructors,
 * destructors and handlers of all kinds, in children, on small stacks, before main and after it. A
 * row is a place, from where one process calls everything; each call is a line of its own. What is
 * not called from somewhere is in left_out.def, with the reason. */
#include "tests/conformance/parkers.h"

#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *context; /* from where is called now */

static const struct {
    const char *function, *context;
} left_out[] = {
#define LEFT_OUT(function, context, reason) {#function, context},
#include "tests/conformance/left_out.def"
};

static bool is_left_out(const struct parker *one)
{
    for (size_t i = 0; i < LENGTH(left_out); i++)
        if (strcmp(left_out[i].function, one->function) == 0 &&
            strcmp(left_out[i].context, context) == 0)
            return true;
    return false;
}

static const struct parker *caller_at(size_t n)
{
    return n < parkers_life_count ? &parkers_life[n] : parker_at(n - parkers_life_count);
}

/* All of them, one after the other. */
static void call(void)
{
    const struct parker *one;
    for (size_t i = 0; (one = caller_at(i)) != NULL; i++) {
        if (is_left_out(one))
            continue;
        say("\n%s%s%s, %s:", one->function, one->how[0] ? ", " : "", one->how, context);
        one->prepare(true);
        one->call(true);
        parkers_finish();
        parkers_renew();
        close_range(3, 99, 0); /* what it opened, and not the line */
    }
    say("\nevery call, %s: ended", context);
}

static void *call_in_thread(void *arg)
{
    call();
    return arg;
}

/* --- threads --------------------------------------------------------------------------------- */

static void on_the_least_stack(void)
{
    pthread_attr_t attributes;
    pthread_t thread;
    CHECK(pthread_attr_init(&attributes) == 0);
    /* What mq_notify and the like have, too; the C library's own least leaves 12 KiB of it. */
    CHECK(pthread_attr_setstacksize(&attributes, 2 * (size_t)PTHREAD_STACK_MIN) == 0);
    CHECK(pthread_create(&thread, &attributes, call_in_thread, NULL) == 0);
    join_thread(thread);
}

static void call_ignoring(void *arg)
{
    (void)arg;
    call();
}

static void *leave_by_exit(void *arg)
{
    pthread_cleanup_push(call_ignoring, NULL);
    pthread_exit(arg);
    pthread_cleanup_pop(0);
}

static void in_a_cleanup_handler(void)
{
    join_thread(start_thread(leave_by_exit, NULL));
}

static pthread_key_t key;

static void call_twice_more(void *value)
{
    static char again;
    call();
    if (value != &again) /* once more in the next round of destructors */
        pthread_setspecific(key, &again);
}

static void *set_value(void *arg)
{
    CHECK(pthread_setspecific(key, arg) == 0);
    return arg;
}

static void in_a_destructor_of_thread_data(void)
{
    CHECK(pthread_key_create(&key, call_twice_more) == 0);
    join_thread(start_thread(set_value, &key));
}

static void in_a_once_routine(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    CHECK(pthread_once(&once, call) == 0);
}

static pthread_t main_thread;

static void *outlive_main(void *arg)
{
    CHECK(pthread_join(main_thread, NULL) == 0);
    call();
    _exit(0);
    return arg;
}

static void after_the_first_thread(void)
{
    main_thread = pthread_self();
    start_thread(outlive_main, NULL);
    pthread_exit(NULL);
}

/* --- handlers -------------------------------------------------------------------------------- */

static void handle(int signal)
{
    (void)signal;
    call();
}

static void in_a_signal_handler(void)
{
    static char stack[256 * 1024];
    stack_t other = {.ss_sp = stack, .ss_size = sizeof stack};
    struct sigaction action = {.sa_handler = handle, .sa_flags = SA_ONSTACK};
    CHECK(sigaltstack(&other, NULL) == 0 && sigaction(SIGUSR1, &action, NULL) == 0);
    CHECK(raise(SIGUSR1) == 0);
}

/* --- children -------------------------------------------------------------------------------- */

static void await_child(pid_t child)
{
    int status;
    CHECK(child > 0 && waitpid(child, &status, 0) == child);
    say("child %d", WEXITSTATUS(status));
}

static void in_a_child(void)
{
    pid_t child = fork();
    if (child == 0) {
        call();
        _exit(4);
    }
    await_child(child);
}

static void in_a_child_of_a_child(void)
{
    pid_t child = fork();
    if (child == 0) {
        in_a_child();
        _exit(5);
    }
    await_child(child);
}

static void in_a_child_of__Fork(void)
{
    pid_t child = _Fork();
    if (child == 0) {
        call();
        _exit(6);
    }
    await_child(child);
}

static int call_in_clone(void *arg)
{
    (void)arg;
    call();
    return 7;
}

static void in_a_child_of_clone(void)
{
    static char stack[256 * 1024] __attribute__((aligned(16)));
    await_child(clone(call_in_clone, stack + sizeof stack, SIGCHLD, NULL));
}

static void fork_and_wait(void)
{
    parkers_are_inside_fork = true; /* as long as handlers run */
    pid_t child = fork();
    if (child == 0)
        _exit(8);
    await_child(child);
}

static void in_atfork_prepare(void)
{
    CHECK(pthread_atfork(call, NULL, NULL) == 0);
    fork_and_wait();
}

static void in_atfork_parent(void)
{
    CHECK(pthread_atfork(NULL, call, NULL) == 0);
    fork_and_wait();
}

static void in_atfork_child(void)
{
    CHECK(pthread_atfork(NULL, NULL, call) == 0);
    fork_and_wait();
}

/* --- before and after main ------------------------------------------------------------------- */

static void call_if(const char *here)
{
    if (context != NULL && strcmp(context, here) == 0)
        call();
}

/* Runs before the constructors of any library. */
static void before_libraries(int argc, char **argv, char **environment)
{
    (void)environment;
    if (argc != 3 || strcmp(argv[1], "--context") != 0)
        return;
    find_line();
    context = argv[2];
    call_if("before the libraries' constructors");
}
__attribute__((section(".preinit_array"),
               used)) static void (*const preinit)(int, char **, char **) = before_libraries;

__attribute__((constructor)) static void construct(void)
{
    call_if("in a constructor");
}

__attribute__((destructor)) static void destroy(void)
{
    call_if("in a destructor");
}

static void at_exit(void)
{
    call_if("in an atexit handler");
}

static void at_quick_exit_handler(void)
{
    call_if("in an at_quick_exit handler");
}

static void on_exit_handler(int status, void *arg)
{
    (void)status, (void)arg;
    call_if("in an on_exit handler");
}

int __cxa_thread_atexit_impl(void (*destructor)(void *), void *object, void *dso);
extern void *__dso_handle;

static void of_the_thread(void *object)
{
    (void)object;
    call_if("in a destructor of a thread_local object");
}

int mode_context(const char *argument)
{
    (void)argument; /* was read before main */
    CHECK(atexit(at_exit) == 0 && on_exit(on_exit_handler, NULL) == 0);
    CHECK(at_quick_exit(at_quick_exit_handler) == 0);
    CHECK(__cxa_thread_atexit_impl(of_the_thread, NULL, &__dso_handle) == 0);
    call_if("in main");
    if (strcmp(context, "in an at_quick_exit handler") == 0)
        quick_exit(9);
    return 3;
}

/* --- the family ------------------------------------------------------------------------------ */

static const struct context {
    const char *name;
    void (*run)(void); /* NULL: this program is executed for it */
} contexts[] = {
    {"on a small stack", on_the_least_stack},
    {"in a cleanup handler", in_a_cleanup_handler},
    {"in a destructor of thread data", in_a_destructor_of_thread_data},
    {"in a once routine", in_a_once_routine},
    {"after the first thread has ended", after_the_first_thread},
    {"in a signal handler", in_a_signal_handler},
    {"in a child", in_a_child},
    {"in a child of a child", in_a_child_of_a_child},
    {"in a child of _Fork", in_a_child_of__Fork},
    {"in a child of clone", in_a_child_of_clone},
    {"in an atfork handler, before", in_atfork_prepare},
    {"in an atfork handler, in the parent", in_atfork_parent},
    {"in an atfork handler, in the child", in_atfork_child},
    {"before the libraries' constructors", NULL},
    {"in a constructor", NULL},
    {"in main", NULL},
    {"in an atexit handler", NULL},
    {"in an on_exit handler", NULL},
    {"in a destructor of a thread_local object", NULL},
    {"in a destructor", NULL},
    {"in an at_quick_exit handler", NULL},
};

void family_contexts(struct rows *rows)
{
    for (size_t i = 0; i < LENGTH(contexts); i++)
        if (row_begins(rows, "every call", "%s", contexts[i].name)) {
            context = contexts[i].name;
            say("begins");
            if (contexts[i].run == NULL)
                run_again("--context", context);
            contexts[i].run();
        }
}
