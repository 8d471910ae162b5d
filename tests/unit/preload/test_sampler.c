/* What the sampler makes of locks that were free when they were asked for, and were not got at
 * once: the waits that are no waits to their owner. When threads ended that nobody joins. And what
 * it tells of the waits of tasks. */
#include <dlfcn.h>
#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "preload/asleep.h"
#include "preload/blocked.h"
#include "preload/clock.h"
#include "preload/names.h"
#include "preload/sites.h"
#include "preload/waits.h"
#include "tests/unit/preload/recording_here.h"
#include "tests/unit/preload/sampler_here.h"

enum { LIMIT_S = 60 };

static pthread_mutex_t locks[2] = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_MUTEX_INITIALIZER};

static struct rec_task *slot; /* of the thread that asks for them */
static uint64_t places[2];    /* return addresses: where it asks for which */
static bool second_is_held;   /* it knows that it has to wait for the second one */
static uint32_t asked;        /* for so many */

/* As the hook of pthread_mutex_lock, where the lock is free. */
__attribute__((noinline)) static void lock(int which)
{
    places[which] = (uint64_t)__builtin_return_address(0);
    struct passing passing =
        wait_passing(1, (uint64_t)&locks[which], (uint64_t)__builtin_dwarf_cfa(),
                     *(const uint64_t *)__builtin_frame_address(0));
    if (!wait_is_published(slot, passing))
        wait_publish_passing(slot, passing);
    __atomic_store_n(&asked, (uint32_t)which + 1, __ATOMIC_RELEASE);
    pthread_mutex_lock(&locks[which]);
    pthread_mutex_unlock(&locks[which]);
}

/* As the hook, where it is held. */
__attribute__((noinline)) static void lock_held(int which)
{
    struct wait wait;
    places[which] = (uint64_t)__builtin_return_address(0);
    wait_begin(&wait, slot, 1, 0, (uint64_t)&locks[which], 0);
    __atomic_store_n(&asked, (uint32_t)which + 1, __ATOMIC_RELEASE);
    pthread_mutex_lock(&locks[which]);
    pthread_mutex_unlock(&locks[which]);
    wait_end(&wait);
}

static void *ask_for_both(void *unused)
{
    slot = recorder_self();
    lock(0);
    if (second_is_held)
        lock_held(1);
    else
        lock(1);
    return unused;
}

static void wait_until_blocked(uint32_t which)
{
    struct blocked_call call;
    uint64_t until_ns = clock_now_ns() + LIMIT_S * NS_PER_S;
    while (__atomic_load_n(&asked, __ATOMIC_ACQUIRE) != which + 1 ||
           !blocked_call(OWN_PROCESS, slot->os_tid, &call) ||
           !blocked_is_in_lock(&call, slot->object, slot->cfa)) {
        assert_true(clock_now_ns() < until_ns);
        sched_yield();
    }
}

static uint64_t stack_top(void)
{
    return slot->wait_site == 0 ? 0 : recorder.pcs[recorder.sites[slot->wait_site].first_pc];
}

static pthread_t asker;

/* A thread waits for the first lock, and the sampler knows it. */
static void wait_for_first_lock(void)
{
    recorder_thread.task = &recorder_thread.sink; /* the test itself is no part of it */
    pthread_mutex_lock(&locks[0]);
    pthread_mutex_lock(&locks[1]);
    here_sampler_start(false);
    asked = 0;
    assert_int_equal(pthread_create(&asker, NULL, ask_for_both, NULL), 0);
    wait_until_blocked(0);
    here_sampler_walk();
    here_sampler_walk();
    assert_int_equal(rec_task_wait(slot), blocked_sleeps(OWN_PROCESS, slot->os_tid));
    assert_true(rec_task_is_seen(slot));
    assert_int_equal(stack_top(), places[0]);
    assert_true(slot->detail_flags & REC_DETAIL_BEGAN);
}

/* It has got that, and waits for the second one. */
static void wait_for_second_lock(void)
{
    pthread_mutex_unlock(&locks[0]);
    wait_until_blocked(1);
}

static void end_waits(void)
{
    pthread_mutex_unlock(&locks[1]);
    pthread_join(asker, NULL);
}

/* What the recording says of the second wait. */
struct said {
    bool is_seen;
    uint64_t stack_top;
    uint64_t since_ns;
};

static struct said say(void)
{
    return (struct said){rec_task_wait(slot) != 0 && rec_task_is_seen(slot), stack_top(),
                         slot->since_ns};
}

/* After the first look, and after the second one. */
static void look_twice(struct said *ret_first, struct said *ret_second)
{
    here_sampler_walk();
    *ret_first = say();
    here_sampler_walk();
    *ret_second = say();
    here_sampler_stop(false);
    end_waits();
}

static void lock_of_another__at_the_last_look__is_told_with_its_own_stack(void **state)
{
    (void)state;
    second_is_held = false;
    wait_for_first_lock();
    wait_for_second_lock();
    assert_int_equal(rec_task_wait(slot), 0);
    here_sampler_stop(true);
    struct said said = say();
    end_waits();
    assert_true(said.is_seen);
    assert_int_equal(said.stack_top, places[1]);
}

static void lock_of_another__is_seen_twice_before_its_stack_is_told(void **state)
{
    (void)state;
    second_is_held = false;
    wait_for_first_lock();
    uint64_t before_ns = clock_now_ns();
    wait_for_second_lock();
    struct said first, second;
    look_twice(&first, &second);
    assert_false(first.is_seen); /* by its first look, it may be about to get the lock */
    assert_int_equal(first.stack_top, 0);
    assert_true(first.since_ns >= before_ns);
    assert_true(second.is_seen);
    assert_int_equal(second.stack_top, places[1]);
    assert_true(second.since_ns == first.since_ns);
}

/* The sampler knows waits for locks that were free by another number than the rest. */
static void wait__with_the_number_of_the_sleep_before__is_another(void **state)
{
    (void)state;
    second_is_held = true;
    wait_for_first_lock();
    uint32_t sleep = slot->seen_gen;
    uint64_t before_ns = clock_now_ns();
    slot->seq = sleep - 1; /* the thread sleeps */
    wait_for_second_lock();
    assert_int_equal(slot->gen, sleep);
    struct said unseen = say();
    struct said first, second;
    look_twice(&first, &second);
    assert_false(unseen.is_seen);
    assert_true(first.is_seen);
    assert_int_equal(first.stack_top, 0);
    assert_true(first.since_ns >= before_ns);
    assert_int_equal(second.stack_top, places[1]);
}

static void lock__that_its_thread_has_got__is_not_waited_for(void **state)
{
    (void)state;
    second_is_held = false;
    wait_for_first_lock();
    wait_for_second_lock();
    here_sampler_walk();
    here_sampler_walk();
    bool was_seen = rec_task_wait(slot) != 0;
    end_waits();
    here_sampler_walk();
    here_sampler_stop(false);
    assert_true(was_seen);
    assert_int_equal(rec_task_wait(slot), 0);
    assert_int_equal(slot->detail_flags, 0);
}

/* --- threads asleep in calls that nobody publishes ----------------------------------------------
 */

static int empty[2]; /* a pipe */

static long (*reads)(int fd, void *to, size_t bytes);

/* Takes a free lock, and then sleeps in a call that has no hook here. */
static void *take_lock_and_read(void *unused)
{
    char byte;
    slot = recorder_self();
    lock(0);
    while (reads(empty[0], &byte, 1) == 1 && byte != 'e') {
        lock(0);
        __atomic_store_n(&asked, 2, __ATOMIC_RELEASE);
    }
    return unused;
}

static void wait_until_it_reads(void)
{
    struct blocked_call call;
    uint64_t until_ns = clock_now_ns() + LIMIT_S * NS_PER_S;
    while (__atomic_load_n(&asked, __ATOMIC_ACQUIRE) == 0 ||
           !blocked_call(OWN_PROCESS, slot->os_tid, &call) || call.running ||
           call.number != SYS_read) {
        assert_true(clock_now_ns() < until_ns);
        sched_yield();
    }
}

static void start_reader_by(long (*how)(int fd, void *to, size_t bytes))
{
    reads = how;
    asleep_init((const void *)pthread_mutex_lock);
    recorder_thread.task = &recorder_thread.sink; /* the test itself is no part of it */
    assert_int_equal(pipe(empty), 0);
    here_sampler_start(false);
    asked = 0;
    assert_int_equal(pthread_create(&asker, NULL, take_lock_and_read, NULL), 0);
    wait_until_it_reads();
}

static void start_reader(void)
{
    start_reader_by(read);
}

/* A call without libc, of one of these libraries. */
static void start_bare_reader(const char *path)
{
    long (*how)(int fd, void *to, size_t bytes) = NULL;
    void *library = dlopen(path, RTLD_NOW | RTLD_NODELETE);
    assert_non_null(library);
    *(void **)&how = dlsym(library, "fixture_read");
    assert_non_null(how);
    dlclose(library);
    start_reader_by(how);
}

static void end_reader(void)
{
    here_sampler_stop(false);
    assert_int_equal(write(empty[1], "e", 1), 1);
    pthread_join(asker, NULL);
    close(empty[0]);
    close(empty[1]);
}

static const struct rec_asleep *told_of_slot(void)
{
    return &recorder.asleep[slot - recorder.tasks];
}

static void thread_asleep__is_told_at_the_second_look_with_what_it_sleeps_in(void **state)
{
    (void)state;
    start_reader();
    here_sampler_walk();
    assert_int_equal(rec_task_wait(slot), 0);
    uint64_t first_ns = slot->since_ns;
    here_sampler_walk();
    const struct rec_asleep *told = told_of_slot();
    assert_int_equal(rec_task_wait(slot), blocked_sleeps(OWN_PROCESS, slot->os_tid));
    assert_int_equal(told->wait, rec_task_wait(slot));
    assert_int_equal(told->task, slot->id);
    assert_int_equal(told->object, empty[0]);
    assert_int_equal(recorder.calls[told->call].op, REC_OP_IO_WAIT);
    assert_true(slot->since_ns == first_ns);
    assert_true(slot->wait_site != 0);
    here_sampler_walk();
    assert_true(slot->since_ns == first_ns);
    end_reader();
}

/* It sleeps in the same call again, having published just what it had published before. */
static void thread_asleep__that_went_on__is_told_no_longer(void **state)
{
    (void)state;
    start_reader();
    here_sampler_walk();
    here_sampler_walk();
    uint32_t before = rec_task_wait(slot);
    uint64_t first_ns = slot->since_ns;
    assert_true(before != 0);
    assert_int_equal(write(empty[1], "x", 1), 1);
    while (__atomic_load_n(&asked, __ATOMIC_ACQUIRE) != 2)
        sched_yield();
    assert_int_equal(rec_task_wait(slot), 0); /* by the lock that it took */
    wait_until_it_reads();
    here_sampler_walk();
    assert_int_equal(rec_task_wait(slot), 0);
    here_sampler_walk();
    assert_true(rec_task_wait(slot) != 0 && rec_task_wait(slot) != before);
    assert_true(slot->since_ns > first_ns);
    end_reader();
}

/* Its slot has no row for that, or there is no memory behind it: it is not read either. */
static void thread_asleep__without_room_for_what_it_sleeps_in__is_not_told(void **state)
{
    (void)state;
    struct rec_table *table = &recorder.header->tables[REC_TABLE_ASLEEP - 1];
    struct rec_asleep *rows = recorder.asleep;
    uint64_t capacity = table->capacity;
    start_reader();
    table->capacity = 0;
    recorder.asleep = mmap(NULL, 1 << 20, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(recorder.asleep, MAP_FAILED);
    for (int i = 0; i < 4; i++) {
        here_sampler_walk();
        assert_int_equal(rec_task_wait(slot), 0);
    }
    munmap(recorder.asleep, 1 << 20);
    recorder.asleep = rows;
    table->capacity = capacity;
    end_reader();
}

static void thread_asleep__where_a_part_of_the_waits_is_recorded__is_not_told(void **state)
{
    (void)state;
    uint32_t classes = recorder_options.classes;
    recorder_options.classes = REC_CLASS_ALL & ~(uint32_t)REC_CLASS_SLEEP;
    start_reader();
    here_sampler_walk();
    here_sampler_walk();
    assert_int_equal(rec_task_wait(slot), 0);
    recorder_options.classes = classes;
    end_reader();
}

static void thread_asleep__in_a_call_without_libc__is_told(void **state)
{
    (void)state;
    start_bare_reader(FIXTURE_BARE);
    here_sampler_walk();
    here_sampler_walk();
    const struct rec_asleep *told = told_of_slot();
    assert_true(rec_task_wait(slot) != 0);
    assert_int_equal(told->wait, rec_task_wait(slot));
    assert_int_equal(told->object, empty[0]);
    assert_int_equal(recorder.calls[told->call].op, REC_OP_IO_WAIT);
    assert_true(slot->wait_site != 0);
    end_reader();
}

/* So do its threads that have no goroutine to run. */
static void thread_asleep__in_a_library_of_go__is_not_told(void **state)
{
    (void)state;
    start_bare_reader(FIXTURE_BARE_GO);
    for (int walks = 0; walks < 3; walks++) /* what it knows of the library it keeps */
        here_sampler_walk();
    assert_int_equal(rec_task_wait(slot), 0);
    end_reader();
}

/* --- threads that ended ---------------------------------------------------------------------- */

static void *tell_number(void *ret)
{
    *(uint32_t *)ret = (uint32_t)syscall(SYS_gettid);
    return NULL;
}

/* The slot of a joinable thread that has ended, as the sampler has not seen yet. */
static struct rec_task *end_thread(void)
{
    uint32_t number = 0;
    pthread_t thread;
    struct rec_task *task = recorder_spawn(REC_KIND_THREAD, REC_TASK_JOINABLE, 0, 0, "");
    assert_int_equal(pthread_create(&thread, NULL, tell_number, &number), 0);
    pthread_join(thread, NULL);
    task->os_tid = number;
    recorder_end(task);
    return task;
}

/* The kernel forgets a thread a moment after it can be joined. */
static void walk_until_it_is_seen(const struct rec_task *task)
{
    uint64_t until_ns = clock_now_ns() + LIMIT_S * NS_PER_S;
    do {
        assert_true(clock_now_ns() < until_ns);
        here_sampler_walk();
    } while (task->state != REC_TASK_FINISHED || task->seen_gen != REC_SEEN_FINISHED);
}

static void thread__in_the_slot_of_one_that_was_joined__ended_when_it_did(void **state)
{
    (void)state;
    recorder_thread.task = &recorder_thread.sink;
    here_sampler_start(false);
    struct rec_task *task = end_thread();
    walk_until_it_is_seen(task);
    recorder_release(task);
    uint64_t before_ns = clock_now_ns();
    assert_ptr_equal(end_thread(), task);
    assert_int_not_equal(task->seen_gen, REC_SEEN_FINISHED); /* until the next look */
    walk_until_it_is_seen(task);
    here_sampler_stop(false);
    assert_true(task->since_ns >= before_ns);
    recorder_release(task);
}

/* --- tasks ----------------------------------------------------------------------------------- */

static void describe_two_cases(const struct rec_task *task, enum rec_op op,
                               struct wait_detail *detail)
{
    (void)task;
    if (op != REC_OP_SELECT)
        return;
    detail->case_count = 2;
    detail->cases[0].object = 0xa0;
    detail->cases[1].object = 0xb0;
}

/* The task waits while the sampler looks so many times. Returns how many cases it was told with. */
__attribute__((noinline)) static uint16_t wait_for_looks(struct rec_task *task, uint32_t call,
                                                         int looks)
{
    struct wait wait;
    wait_begin(&wait, task, (uint16_t)call, 0, 0x500, 0);
    for (int i = 0; i < looks; i++)
        here_sampler_walk();
    wait_end(&wait);
    return task->case_count;
}

static void cases_of_a_select__are_not_those_of_the_next_wait(void **state)
{
    (void)state;
    recorder_thread.task = &recorder_thread.sink;
    here_tasks.describe = describe_two_cases;
    struct rec_task *task = recorder_spawn(REC_KIND_TASK, 0, 0, 0, "");
    uint32_t select = recorder_add_call("select", REC_OP_SELECT, 0);
    uint32_t send = recorder_add_call("send", REC_OP_CHAN_SEND, 0);
    here_sampler_start(false);
    uint16_t of_select = wait_for_looks(task, select, 2);
    uint16_t of_send = wait_for_looks(task, send, 2);
    uint16_t of_one_look = wait_for_looks(task, select, 1);
    uint16_t of_another = wait_for_looks(task, select, 2);
    here_sampler_stop(false);
    here_tasks = (struct adapter){0};
    assert_int_equal(of_select, 2);
    assert_int_equal(of_send, 0);
    assert_int_equal(of_one_look, 0);
    assert_int_equal(of_another, 2);
    assert_int_equal(recorder.cases[task->case_first + 1].object, 0xb0);
    assert_int_equal(recorder_rows(REC_TABLE_CASES), 1 + 2); /* used again */
    recorder_release(task);
}

enum { MANY_TASKS = 25000 }; /* more than two walks look at again */

static int open_for_many(void **state)
{
    (void)state;
    here_options(here_path("recording"));
    recorder_options.max_tasks = MANY_TASKS + 10;
    return !recorder_open(false);
}

static uint32_t holder; /* row of who has the lock that `waiter` asked for */
static bool breaks_off; /* the next look at somebody else, soon after that */

static void describe_lock(const struct rec_task *task, enum rec_op op, struct wait_detail *detail)
{
    (void)task;
    if (breaks_off)
        here_sampler_break_off();
    breaks_off = false;
    if (op == REC_OP_MUTEX_LOCK) {
        detail->flags = REC_DETAIL_OWNER_ROW;
        detail->a = holder;
    } else {
        detail->flags = REC_DETAIL_CHANNEL;
        detail->b = here_sampler_walks(); /* what its channel holds */
    }
}

static void park(struct rec_task *task, uint32_t call)
{
    task->call = (uint16_t)call;
    task->object = 0x500;
    task->seq++;
    __atomic_store_n(&task->gen, task->seq, __ATOMIC_RELEASE);
}

/* A task that waits, as its first look has told. */
static struct rec_task *spawn_parked(uint32_t call)
{
    struct rec_task *task = recorder_spawn(REC_KIND_TASK, 0, 0, 0, "");
    park(task, call);
    task->since_ns = clock_now_ns();
    task->detail_flags = REC_DETAIL_NO_STACK; /* it has no stack of its own */
    task->seen_gen = task->gen;
    return task;
}

/* Walks until one looks at it again, since it is its turn. */
static void walk_until_turn_of(const struct rec_task *task)
{
    for (int i = 0; i < 10 && (i == 0 || task->detail_b != here_sampler_walks()); i++)
        here_sampler_walk();
}

/* A walk that somebody who waits for the sampler's end breaks off at some row, and the sampler that
 * comes after it. */
static void break_off_a_walk(void)
{
    breaks_off = true;
    here_sampler_walk();
    here_sampler_stop(false);
    here_sampler_start(false);
}

static void waits__of_more_tasks_than_a_walk_looks_at_again__have_their_turns(void **state)
{
    struct rec_task *tasks[MANY_TASKS];
    (void)state;
    recorder_thread.task = &recorder_thread.sink;
    here_tasks.describe = describe_lock;
    uint32_t receive = recorder_add_call("receive", REC_OP_CHAN_RECEIVE, 0);
    for (int i = 0; i < MANY_TASKS; i++)
        tasks[i] = spawn_parked(receive);
    here_sampler_start(false);
    for (int i = 0; i < 3; i++)
        here_sampler_walk();
    uint32_t first = tasks[0]->detail_b, last = tasks[MANY_TASKS - 1]->detail_b;
    here_sampler_walk();
    uint32_t first_again = tasks[0]->detail_b;
    here_sampler_stop(false);
    here_tasks = (struct adapter){0};
    assert_int_equal(first, 1);
    assert_int_equal(last, 3);
    assert_int_equal(first_again, 4);
}

/* It let the lock go before it began to wait. */
static void lock__whose_holder_begins_to_wait__is_asked_again_whose_it_is(void **state)
{
    (void)state;
    recorder_thread.task = &recorder_thread.sink;
    here_tasks.describe = describe_lock;
    uint32_t receive = recorder_add_call("receive", REC_OP_CHAN_RECEIVE, 0);
    uint32_t lock = recorder_add_call("lock", REC_OP_MUTEX_LOCK, 0);
    for (int i = 1; i < MANY_TASKS; i++)
        spawn_parked(receive);
    struct rec_task *last = spawn_parked(receive);
    struct rec_task *waiter = spawn_parked(lock);
    struct rec_task *before = recorder_spawn(REC_KIND_TASK, 0, 0, 0, "");
    holder = (uint32_t)(before - recorder.tasks);
    here_sampler_start(false);
    walk_until_turn_of(last); /* and of the waiter */
    uint32_t told_before = waiter->detail_a;
    holder = (uint32_t)(waiter - recorder.tasks) - 1;
    here_sampler_walk(); /* it is not the turn of any of the two, nor in the next */
    uint32_t told_meanwhile = waiter->detail_a;
    park(before, receive);
    here_sampler_walk();
    uint32_t told = waiter->detail_a;
    here_sampler_stop(false);
    here_tasks = (struct adapter){0};
    assert_int_equal(told_before, before - recorder.tasks);
    assert_int_equal(told_meanwhile, told_before);
    assert_int_equal(told, holder);
}

static void waits__of_a_walk_that_was_broken_off__have_their_turns(void **state)
{
    struct rec_task *tasks[MANY_TASKS];
    (void)state;
    recorder_thread.task = &recorder_thread.sink;
    here_tasks.describe = describe_lock;
    uint32_t receive = recorder_add_call("receive", REC_OP_CHAN_RECEIVE, 0);
    for (int i = 0; i < MANY_TASKS; i++)
        tasks[i] = spawn_parked(receive);
    here_sampler_start(false);
    walk_until_turn_of(tasks[0]); /* the next walk comes to less than the second half */
    break_off_a_walk();
    tasks[MANY_TASKS - 1]->detail_b = 0;
    here_sampler_walk();
    here_sampler_walk();
    uint32_t last = tasks[MANY_TASKS - 1]->detail_b;
    here_sampler_stop(false);
    here_tasks = (struct adapter){0};
    assert_false(breaks_off);
    assert_int_equal(last, 2);
}

static struct rec_task *lets_go; /* of its lock, where a task with a select is looked at, */
static uint32_t goes_to;         /* which goes to the task in this row, */
static uint32_t waits_by;        /* and waits by such a call */

static void describe_lock_that_is_let_go(const struct rec_task *task, enum rec_op op,
                                         struct wait_detail *detail)
{
    describe_lock(task, op, detail);
    if (op != REC_OP_SELECT || lets_go->gen != 0)
        return;
    holder = goes_to;
    park(lets_go, waits_by);
}

/* A walk has asked whose the lock is, but has not come to the holder yet. */
static void lock__let_go_in_the_walk_before_one_that_was_broken_off__is_asked_again(void **state)
{
    struct rec_task *tasks[MANY_TASKS];
    (void)state;
    recorder_thread.task = &recorder_thread.sink;
    here_tasks.describe = describe_lock_that_is_let_go;
    waits_by = recorder_add_call("receive", REC_OP_CHAN_RECEIVE, 0);
    for (int i = 0; i < MANY_TASKS; i++)
        tasks[i] = spawn_parked(waits_by);
    struct rec_task *waiter = spawn_parked(recorder_add_call("lock", REC_OP_MUTEX_LOCK, 0));
    struct rec_task *selects = recorder_spawn(REC_KIND_TASK, 0, 0, 0, "");
    goes_to = (uint32_t)(selects - recorder.tasks);
    lets_go = recorder_spawn(REC_KIND_TASK, 0, 0, 0, "");
    holder = (uint32_t)(lets_go - recorder.tasks);
    here_sampler_start(false);
    walk_until_turn_of(tasks[MANY_TASKS / 2]);
    park(selects, recorder_add_call("select", REC_OP_SELECT, 0));
    here_sampler_walk(); /* it is the turn of the waiter; the task with the select is only noted */
    uint32_t told_before = waiter->detail_a;
    here_sampler_walk();
    uint32_t told_meanwhile = waiter->detail_a;
    break_off_a_walk();
    here_sampler_walk(); /* it is not the turn of the waiter */
    uint32_t told = waiter->detail_a;
    here_sampler_stop(false);
    here_tasks = (struct adapter){0};
    assert_false(breaks_off);
    assert_int_not_equal(lets_go->gen, 0);
    assert_int_equal(told_before, lets_go - recorder.tasks);
    assert_int_equal(told_meanwhile, told_before);
    assert_int_equal(told, goes_to);
}

static bool said_yes(const struct rec_task *task)
{
    (void)task;
    return true;
}

static bool said_no(const struct rec_task *task)
{
    (void)task;
    return false;
}

/* Its wait is over, but no thread of the runtime's has taken it yet. */
static void task__that_was_woken_and_does_not_run__is_not_parked(void **state)
{
    (void)state;
    recorder_thread.task = &recorder_thread.sink;
    struct rec_task *task = spawn_parked(recorder_add_call("receive", REC_OP_CHAN_RECEIVE, 0));
    here_sampler_start(false);
    here_sampler_walk();
    bool seen_parked = rec_task_is_seen(task);
    here_tasks.is_parked = said_no; /* as where its runtime has stopped */
    here_sampler_walk();
    bool seen_gone = rec_task_is_seen(task);
    here_tasks.is_awake = said_yes;
    here_sampler_walk();
    bool seen_awake = rec_task_is_seen(task);
    here_sampler_stop(false);
    here_tasks = (struct adapter){0};
    assert_true(seen_parked);
    assert_true(seen_gone);
    assert_false(seen_awake);
}

static uint64_t naming_takes_ns; /* of a processor */
static bool naming_is_broken_off;

static void name_slowly(struct frames_new *frames, uint32_t count)
{
    uint64_t until_ns = clock_own_cpu_ns() + naming_takes_ns;
    (void)frames, (void)count;
    while (clock_own_cpu_ns() < until_ns)
        ;
    if (naming_is_broken_off)
        here_sampler_break_off();
}

static int end_naming(void **state)
{
    names_runtime = NULL;
    naming_takes_ns = 0;
    naming_is_broken_off = false;
    return here_close(state);
}

static void names__of_new_stacks__count_for_the_pause_after_a_walk(void **state)
{
    (void)state;
    recorder_thread.task = &recorder_thread.sink;
    names_runtime = name_slowly;
    naming_takes_ns = NS_PER_S / 100;
    assert_int_equal(site_store((uint64_t[]){(uint64_t)&name_slowly + 1}, 1, 0), 1);
    here_sampler_start(false);
    here_sampler_walk();
    uint64_t pause_ns = here_sampler_pause_ns();
    here_sampler_stop(false);
    assert_true(pause_ns >= 19 * naming_takes_ns);
}

/* Of two modules, one is named before somebody waits for the sampler's end. */
static void names__that_were_broken_off__are_found_by_the_next_sampler(void **state)
{
    uint64_t here = (uint64_t)&name_slowly + 1, libc = (uint64_t)dlsym(RTLD_DEFAULT, "getppid") + 1;
    (void)state;
    recorder_thread.task = &recorder_thread.sink;
    names_runtime = name_slowly;
    naming_is_broken_off = true;
    assert_int_equal(site_store((uint64_t[]){here, libc}, 2, 0), 1);
    here_sampler_start(false);
    here_sampler_walk();
    uint32_t named = recorder_rows(REC_TABLE_FRAMES) - 1;
    here_sampler_stop(false);
    naming_is_broken_off = false;
    here_sampler_start(false);
    here_sampler_walk();
    uint32_t named_then = recorder_rows(REC_TABLE_FRAMES) - 1;
    here_sampler_stop(false);
    assert_int_equal(named, 1);
    assert_int_equal(named_then, 2);
}

#define WITH_RECORDING(test) cmocka_unit_test_setup_teardown(test, here_open, here_close)
#define WITH_MANY(test) cmocka_unit_test_setup_teardown(test, open_for_many, here_close)
#define WITH_NAMES(test) cmocka_unit_test_setup_teardown(test, here_open, end_naming)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_RECORDING(lock_of_another__at_the_last_look__is_told_with_its_own_stack),
        WITH_RECORDING(lock_of_another__is_seen_twice_before_its_stack_is_told),
        WITH_RECORDING(wait__with_the_number_of_the_sleep_before__is_another),
        WITH_RECORDING(lock__that_its_thread_has_got__is_not_waited_for),
        WITH_RECORDING(thread_asleep__is_told_at_the_second_look_with_what_it_sleeps_in),
        WITH_RECORDING(thread_asleep__that_went_on__is_told_no_longer),
        WITH_RECORDING(thread_asleep__without_room_for_what_it_sleeps_in__is_not_told),
        WITH_RECORDING(thread_asleep__where_a_part_of_the_waits_is_recorded__is_not_told),
        WITH_RECORDING(thread_asleep__in_a_call_without_libc__is_told),
        WITH_RECORDING(thread_asleep__in_a_library_of_go__is_not_told),
        WITH_RECORDING(thread__in_the_slot_of_one_that_was_joined__ended_when_it_did),
        WITH_RECORDING(cases_of_a_select__are_not_those_of_the_next_wait),
        WITH_RECORDING(task__that_was_woken_and_does_not_run__is_not_parked),
        WITH_NAMES(names__of_new_stacks__count_for_the_pause_after_a_walk),
        WITH_NAMES(names__that_were_broken_off__are_found_by_the_next_sampler),
        WITH_MANY(waits__of_more_tasks_than_a_walk_looks_at_again__have_their_turns),
        WITH_MANY(waits__of_a_walk_that_was_broken_off__have_their_turns),
        WITH_MANY(lock__whose_holder_begins_to_wait__is_asked_again_whose_it_is),
        WITH_MANY(lock__let_go_in_the_walk_before_one_that_was_broken_off__is_asked_again),
    };
    return cmocka_run_group_tests(tests, here_start, here_stop);
}
