/* Waits for locks of a file that somebody else has: one thread for each word behind its name. */
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "tests/e2e/threads.h"

static const char *path;

static int open_file(void)
{
    int fd = open(path, O_RDWR | O_CLOEXEC);
    CHECK(fd >= 0);
    return fd;
}

static void *wait_in_flock(void *unused)
{
    (void)unused;
    CHECK(flock(open_file(), LOCK_EX) < 0);
    return NULL;
}

/* The second time through another open file. */
static void *wait_in_second_flock(void *unused)
{
    (void)unused;
    CHECK(flock(open_file(), LOCK_EX) == 0);
    CHECK(flock(open_file(), LOCK_EX) < 0);
    return NULL;
}

static void wait_for_byte(int command, off_t byte)
{
    struct flock part = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = byte, .l_len = 1};
    CHECK(fcntl(open_file(), command, &part) < 0);
}

static void *wait_in_fcntl(void *unused)
{
    (void)unused;
    wait_for_byte(F_SETLKW, 0);
    return NULL;
}

static void *wait_in_fcntl_behind(void *unused)
{
    (void)unused;
    wait_for_byte(F_SETLKW, 1);
    return NULL;
}

static void *wait_in_ofd_fcntl(void *unused)
{
    (void)unused;
    wait_for_byte(F_OFD_SETLKW, 0);
    return NULL;
}

static const struct {
    const char *word;
    void *(*wait)(void *);
} waits[] = {
    {"flock", wait_in_flock},         {"self", wait_in_second_flock}, {"posix", wait_in_fcntl},
    {"behind", wait_in_fcntl_behind}, {"ofd", wait_in_ofd_fcntl},
};

/* Usage: waits_for_lock FILE WORD... */
int main(int argc, char **argv)
{
    CHECK(argc > 2);
    path = argv[1];
    for (int i = 2; i < argc; i++)
        for (size_t k = 0; k < sizeof waits / sizeof *waits; k++)
            if (strcmp(argv[i], waits[k].word) == 0)
                start_thread(waits[k].wait, NULL);
    puts("ready");
    fflush(stdout);
    pause();
    return 0;
}
