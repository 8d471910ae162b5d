/* Says "ready" and its number, says of each signal that it gets which that is, and writes to the
 * file that is its first argument how many there were when SIGRTMAX has come, which the kernel
 * gives after all others: "INT 1 HUP 0 WINCH 0 ALRM 0 TERM 0 RT 3". With a second argument, it does
 * so in a process group of its own. */
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

static const struct {
    const char *name;
    int number;
} signals[] = {{"INT", SIGINT},   {"HUP", SIGHUP},   {"WINCH", SIGWINCH},
               {"ALRM", SIGALRM}, {"TERM", SIGTERM}, {"RT", 40}};
#define SIGNALS (sizeof signals / sizeof *signals)

static int write_counts(const char *path, const unsigned counts[SIGNALS])
{
    FILE *out = fopen(path, "w");
    if (!out)
        return 1;
    for (size_t i = 0; i < SIGNALS; i++)
        fprintf(out, "%s%s %u", i ? " " : "", signals[i].name, counts[i]);
    return fclose(out) == 0 ? 0 : 1;
}

int main(int argc, char **argv)
{
    static const struct timespec patience = {.tv_sec = 100};
    sigset_t set;
    unsigned counts[SIGNALS] = {0};
    int number;
    if (argc < 2 || (argc > 2 && setpgid(0, 0) != 0))
        return 1;
    sigemptyset(&set);
    sigaddset(&set, SIGRTMAX);
    for (size_t i = 0; i < SIGNALS; i++)
        sigaddset(&set, signals[i].number);
    sigprocmask(SIG_BLOCK, &set, NULL);
    printf("ready %d\n", (int)getpid());
    fflush(stdout);
    while ((number = sigtimedwait(&set, NULL, &patience)) != SIGRTMAX && number > 0) {
        for (size_t i = 0; i < SIGNALS; i++) {
            if (signals[i].number != number)
                continue;
            counts[i]++;
            printf("got %s\n", signals[i].name);
            fflush(stdout);
        }
    }
    return number > 0 ? write_counts(argv[1], counts) : 1;
}
