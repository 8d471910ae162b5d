#include "tests/unit/preload/goroutines_here.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "preload/go_record.h"
#include "preload/goscan/g.h"
#include "tests/unit/preload/recording_here.h"

struct goscan here_scan;
struct go_stack here_stack;
struct go_totals here_totals;
uint64_t here_now_ns = 1000000;

int here_open_go(void **state)
{
    (void)state;
    return here_open_go_for(HERE_TASKS);
}

int here_open_go_for(uint32_t tasks)
{
    static const struct go_reason reasons[] = {
        [SEND] = {.text = "chan send", .op = REC_OP_CHAN_SEND, .object = GO_OBJECT_CHANNEL},
        [SELECT] = {.text = "select", .op = REC_OP_SELECT, .object = GO_OBJECT_SELECT},
        [MUTEX] = {.text = "sync.Mutex.Lock",
                   .op = REC_OP_MUTEX_LOCK,
                   .object = GO_OBJECT_SEMAPHORE},
        [IDLE] = {.text = "GC worker (idle)", .op = REC_OP_IDLE, .idle = true},
        [SLEEP] = {.text = "sleep", .op = REC_OP_SLEEP, .deadline = true},
        [IO] = {.text = "IO wait", .op = REC_OP_IO_WAIT, .object = GO_OBJECT_POLL},
        [COROUTINE] = {.text = "coroutine", .uncounted = true},
    };
    unlink(here_path("recording"));
    here_options(here_path("recording"));
    recorder_options.max_tasks = tasks;
    if (!recorder_open(false))
        return 1;
    memset(&here_scan, 0, sizeof(here_scan));
    memset(&here_totals, 0, sizeof(here_totals));
    strcpy(here_scan.version, "go1.24.3");
    memcpy(here_scan.reasons, reasons, sizeof(reasons));
    here_scan.reason_count = sizeof(reasons) / sizeof(*reasons);
    here_stack = (struct go_stack){.pcs = {0x1001, 0x2002, 0x3003}, .count = 3};
    bool ready = go_record_reset();
    go_record_start(&here_scan);
    return !ready;
}

struct go_goroutine here_parked(uint64_t id, uint16_t reason)
{
    return (struct go_goroutine){
        .g = 0xc000000000 + id * 448,
        .id = id,
        .parent_id = 1,
        .created_pc = 0x5005,
        .wait_number = 0x101,
        .status = G_WAITING,
        .reason = reason,
        .op = here_scan.reasons[reason].op,
        .parked = true,
        .object = 0xc000700000,
        .channel = {.address = 0xc000700000, .capacity = 7, .length = 3, .known = true},
        .stack = &here_stack,
    };
}

void here_look_at(const struct go_goroutine *all, size_t count)
{
    go_record_begin(here_now_ns += 1000000);
    for (size_t i = 0; i < count; i++)
        assert_true(go_record_visit(&all[i], &here_scan));
    go_record_end(&here_scan, GO_OK, &here_totals);
}

struct rec_task *here_only_task(void)
{
    struct rec_task *found = NULL;
    for (uint32_t row = 1; row < recorder.header->tables[REC_TABLE_TASKS - 1].count; row++) {
        if (recorder.tasks[row].state != REC_TASK_LIVE)
            continue;
        assert_null(found);
        found = &recorder.tasks[row];
    }
    assert_non_null(found);
    return found;
}

void here_run_again(struct go_goroutine *it)
{
    it->wait_number = 0x102;
}

void here_assert_site(uint32_t row, const uint64_t *pcs, uint16_t count)
{
    assert_int_not_equal(row, 0);
    assert_int_equal(recorder.sites[row].pc_count, count);
    assert_memory_equal(&recorder.pcs[recorder.sites[row].first_pc], pcs, count * sizeof(*pcs));
}

static struct {
    char *page;
    void (*look)(void);
} watched;

static void at_touch(int number, siginfo_t *info, void *context)
{
    (void)context;
    if ((uintptr_t)info->si_addr - (uintptr_t)watched.page >= (size_t)getpagesize() ||
        mprotect(watched.page, (size_t)getpagesize(), PROT_READ | PROT_WRITE) != 0)
        abort();
    signal(number, SIG_DFL);
    watched.look();
}

void here_watch_page(void *page, int permitted, void (*look)(void))
{
    const struct sigaction action = {.sa_sigaction = at_touch, .sa_flags = SA_SIGINFO};
    watched.page = page;
    watched.look = look;
    assert_int_equal(sigaction(SIGSEGV, &action, NULL), 0);
    assert_int_equal(mprotect(page, (size_t)getpagesize(), permitted), 0);
}
