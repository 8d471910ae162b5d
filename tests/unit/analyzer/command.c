#include "tests/unit/analyzer/command.h"

#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

struct did did;

void read_all(const char *path, char *to, size_t bytes)
{
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    size_t got = fread(to, 1, bytes - 1, file);
    to[got] = '\0';
    fclose(file);
}

void leakspy(const char *first, ...)
{
    const char *argv[16] = {"leakspy", first};
    va_list words;
    va_start(words, first);
    for (size_t i = 2; first && i < 15 && (argv[i] = va_arg(words, const char *)) != NULL; i++)
        continue;
    va_end(words);

    const char *out = builder_path("stdout");
    const char *err = builder_path("stderr");
    pid_t child = fork();
    assert_int_not_equal(child, -1);
    if (child == 0) {
        if (!freopen("/dev/null", "r", stdin) || !freopen(out, "w", stdout) ||
            !freopen(err, "w", stderr))
            _exit(99);
        execv(LEAKSPY_PROGRAM, (char **)argv);
        _exit(98);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    did.status = WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
    read_all(out, did.out, sizeof(did.out));
    read_all(err, did.err, sizeof(did.err));
}

void assert_did(int status, const char *out, const char *err)
{
    if (did.status != status || !strstr(did.out, out) || !strstr(did.err, err))
        fail_msg("status %d, not %d\nstdout: %s\nstderr: %s", did.status, status, did.out, did.err);
    if (!out[0])
        assert_string_equal(did.out, "");
    if (!err[0])
        assert_string_equal(did.err, "");
}

const char *write_recording(int64_t parked_ns, uint64_t lost)
{
    struct builder *b = recording_builder_create();
    builder_park(b, builder_thread(b, "w"), "sem_wait", REC_OP_SEM_WAIT, 0x500, parked_ns, 0);
    builder_header(b)->lost_tasks = lost;
    return recording_builder_end(b, builder_path("cli.rec"));
}
