/* What is measured under the preload and without: each workload repeats one operation and prints
 * the nanoseconds that one took. `workloads NAME COUNT`. */
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static double now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static sem_t ping, pong;
static long turn;
static long rounds;

static void mutex_uncontended(long count)
{
    for (long i = 0; i < count; i++) {
        pthread_mutex_lock(&mutex);
        pthread_mutex_unlock(&mutex);
    }
}

static void *contend(void *unused)
{
    (void)unused;
    for (long i = 0; i < rounds; i++) {
        pthread_mutex_lock(&mutex);
        turn++;
        pthread_mutex_unlock(&mutex);
    }
    return NULL;
}

/* Some 50 ns of a processor. */
static void work(void)
{
    for (volatile int i = 0; i < 50; i++)
        ;
}

static void *contend_and_work(void *unused)
{
    (void)unused;
    for (long i = 0; i < rounds; i++) {
        pthread_mutex_lock(&mutex);
        work();
        pthread_mutex_unlock(&mutex);
        work();
    }
    return NULL;
}

static void run_two(void *(*function)(void *))
{
    pthread_t thread;
    if (pthread_create(&thread, NULL, function, (void *)1L) != 0)
        abort();
    function((void *)0L);
    pthread_join(thread, NULL);
}

static void mutex_contended(long count)
{
    rounds = count / 2;
    run_two(contend);
}

static void mutex_working(long count)
{
    rounds = count / 2;
    run_two(contend_and_work);
}

static void *take_turns(void *me)
{
    pthread_mutex_lock(&mutex);
    for (long i = 0; i < rounds; i++) {
        while (turn % 2 != (long)me)
            pthread_cond_wait(&cond, &mutex);
        turn++;
        pthread_cond_signal(&cond);
    }
    pthread_mutex_unlock(&mutex);
    return NULL;
}

static void cond_pingpong(long count)
{
    rounds = count / 2;
    run_two(take_turns);
}

static void *pass_on(void *me)
{
    sem_t *mine = me ? &ping : &pong, *other = me ? &pong : &ping;
    for (long i = 0; i < rounds; i++) {
        sem_wait(mine);
        sem_post(other);
    }
    return NULL;
}

static void sem_pingpong(long count)
{
    rounds = count / 2;
    sem_init(&ping, 0, 1);
    sem_init(&pong, 0, 0);
    run_two(pass_on);
}

static void *nothing(void *arg)
{
    return arg;
}

static void create_join(long count)
{
    for (long i = 0; i < count; i++) {
        pthread_t thread;
        if (pthread_create(&thread, NULL, nothing, NULL) != 0)
            abort();
        pthread_join(thread, NULL);
    }
}

static void wait_for(pid_t pid)
{
    if (pid < 0 || waitpid(pid, NULL, 0) != pid)
        abort();
}

static void fork_exit(long count)
{
    for (long i = 0; i < count; i++) {
        pid_t pid = fork();
        if (pid == 0)
            _exit(0);
        wait_for(pid);
    }
}

/* A child that does something that is recorded. */
static void fork_lock(long count)
{
    for (long i = 0; i < count; i++) {
        pid_t pid = fork();
        if (pid == 0) {
            pthread_mutex_lock(&mutex);
            _exit(0);
        }
        wait_for(pid);
    }
}

static void fork_exec(long count)
{
    for (long i = 0; i < count; i++) {
        pid_t pid = fork();
        if (pid == 0) {
            execl("/bin/true", "true", (char *)NULL);
            _exit(127);
        }
        wait_for(pid);
    }
}

static void *wait_for_nothing(void *unused)
{
    sem_wait(&ping);
    return unused;
}

static void fork_threads(long count)
{
    enum { THREADS = 8 };
    pthread_t threads[THREADS];
    sem_init(&ping, 0, 0);
    for (int i = 0; i < THREADS; i++)
        if (pthread_create(&threads[i], NULL, wait_for_nothing, NULL) != 0)
            abort();
    fork_exit(count);
    for (int i = 0; i < THREADS; i++)
        sem_post(&ping);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
}

static void pipe_byte(long count)
{
    int fds[2];
    char byte = 0;
    if (pipe(fds) != 0)
        abort();
    for (long i = 0; i < count; i++)
        if (write(fds[1], &byte, 1) != 1 || read(fds[0], &byte, 1) != 1)
            abort();
}

static const char any_file[] = "/usr/lib/os-release";

static void file_state(long count)
{
    struct stat of;
    for (long i = 0; i < count; i++)
        if (stat(any_file, &of) != 0)
            abort();
}

static void file_open(long count)
{
    for (long i = 0; i < count; i++) {
        int fd = open(any_file, O_RDONLY);
        if (fd < 0 || close(fd) != 0)
            abort();
    }
}

static const struct {
    const char *name;
    void (*run)(long count);
} workloads[] = {
    {"mutex_uncontended", mutex_uncontended},
    {"mutex_contended", mutex_contended},
    {"mutex_working", mutex_working},
    {"cond_pingpong", cond_pingpong},
    {"sem_pingpong", sem_pingpong},
    {"create_join", create_join},
    {"fork_exit", fork_exit},
    {"fork_lock", fork_lock},
    {"fork_exec", fork_exec},
    {"fork_threads", fork_threads},
    {"pipe_byte", pipe_byte},
    {"file_state", file_state},
    {"file_open", file_open},
};

int main(int argc, char **argv)
{
    for (size_t i = 0; argc == 3 && i < sizeof workloads / sizeof *workloads; i++) {
        if (strcmp(argv[1], workloads[i].name) != 0)
            continue;
        long count = atol(argv[2]);
        workloads[i].run(count / 20 + 1); /* warm up */
        double start = now_ns();
        workloads[i].run(count);
        printf("%.2f\n", (now_ns() - start) / (double)count);
        return 0;
    }
    fprintf(stderr, "usage: workloads NAME COUNT\n");
    return 64;
}
