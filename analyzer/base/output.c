#include "analyzer/base/output.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "preload/recording.h"

static const char *volatile made; /* the file that is written, and that was not there before */

void output_remove(void)
{
    if (made)
        unlink(made);
    made = NULL;
}

/* What reports are made of, and what is never made again: who writes over it has taken -o for the
 * option that names the source. */
static const struct kept {
    const char *magic; /* that the file begins with */
    size_t bytes;
    const char *text;
} kept[] = {
    {(const char *)&(const uint64_t){REC_MAGIC}, sizeof(uint64_t),
     "is a recording, which is not written over"},
    {"\177ELF", 4, "is a core or a program, which is not written over"},
};

static bool begins_with(const char *path, const struct kept *what)
{
    struct stat status;
    char magic[8];
    if (stat(path, &status) != 0 || !S_ISREG(status.st_mode))
        return false;
    int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    bool found = fd >= 0 && pread(fd, magic, what->bytes, 0) == (ssize_t)what->bytes &&
                 memcmp(magic, what->magic, what->bytes) == 0;
    if (fd >= 0)
        close(fd);
    return found;
}

bool output_check(const char *path, struct err *err)
{
    for (size_t i = 0; path && i < sizeof(kept) / sizeof(kept[0]); i++)
        if (begins_with(path, &kept[i]))
            return err_set(err, ERR_USAGE, path, "%s", kept[i].text);
    return true;
}

FILE *output_open(const char *path, struct err *err)
{
    if (!path || strcmp(path, "-") == 0)
        return stdout;
    if (!output_check(path, err))
        return NULL;
    FILE *out = fopen(path, "wxe");
    made = out ? path : NULL;
    if (!out && errno == EEXIST)
        out = fopen(path, "we");
    if (!out)
        err_system(err, path, errno);
    return out;
}

bool output_close(FILE *out, const char *path, struct err *err)
{
    bool ok = fflush(out) == 0 && !ferror(out);
    int error = errno;
    if (out != stdout && fclose(out) != 0) {
        error = errno;
        ok = false;
    }
    if (!ok && err->kind == ERR_NONE)
        err_system(err, path && out != stdout ? path : "standard output", error);
    if (err->kind != ERR_NONE)
        output_remove();
    made = NULL;
    return err->kind == ERR_NONE;
}

bool output_colour(const char *when, FILE *out, bool *ret, struct err *err)
{
    bool no_color = getenv("NO_COLOR") != NULL; /* also to nothing: it is set */
    const char *term = getenv("TERM");
    *ret = false;
    if (!when || strcmp(when, "auto") == 0) {
        *ret = isatty(fileno(out)) && !no_color && term && strcmp(term, "dumb") != 0;
        return true;
    }
    if (strcmp(when, "always") == 0) {
        *ret = true;
        return true;
    }
    return strcmp(when, "never") == 0 ||
           err_set(err, ERR_USAGE, "--color", "'%s' is none of auto, always, never", when);
}
