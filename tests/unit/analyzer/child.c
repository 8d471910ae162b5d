#include "tests/unit/analyzer/child.h"

#include <setjmp.h>
#include <stdbool.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

struct child_shared *shared;

void sleep_ms(int ms)
{
    nanosleep(&(struct timespec){ms / 1000, ms % 1000 * 1000000L}, NULL);
}

pid_t child_start(void (*body)(void))
{
    if (!shared) {
        shared =
            mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        assert_ptr_not_equal(shared, MAP_FAILED);
    }
    memset((void *)shared, 0, sizeof(*shared));
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        alarm(100);
        body();
        _exit(1);
    }
    for (int i = 0; i < 10000 && !shared->ready; i++) {
        assert_int_equal(waitpid(pid, NULL, WNOHANG), 0);
        sleep_ms(1);
    }
    assert_true(shared->ready);
    return pid;
}

void child_ready(void)
{
    __atomic_store_n(&shared->ready, 1, __ATOMIC_SEQ_CST);
}

void child_wait_parked(pid_t tid)
{
    char path[64], text[256] = "";
    snprintf(path, sizeof(path), "/proc/%d/syscall", (int)tid);
    for (int i = 0; i < 10000; i++) {
        FILE *file = fopen(path, "re");
        assert_non_null(file);
        bool got = fgets(text, sizeof(text), file) != NULL;
        fclose(file);
        if (got && text[0] >= '0' && text[0] <= '9')
            return;
        sleep_ms(1);
    }
    fail_msg("thread %d does not park: %s", (int)tid, text);
}

void child_end(pid_t pid)
{
    kill(pid, SIGKILL);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
}
