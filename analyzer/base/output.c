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

/* Whether a recording stands there: whoever writes over one has taken it for the source. */
static bool is_recording(const char *path)
{
    struct stat status;
    uint64_t magic = 0;
    if (stat(path, &status) != 0 || !S_ISREG(status.st_mode))
        return false;
    int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    bool found = fd >= 0 && pread(fd, &magic, sizeof(magic), 0) == (ssize_t)sizeof(magic) &&
                 magic == REC_MAGIC;
    if (fd >= 0)
        close(fd);
    return found;
}

FILE *output_open(const char *path, struct err *err)
{
    if (!path || strcmp(path, "-") == 0)
        return stdout;
    if (is_recording(path)) {
        err_set(err, ERR_USAGE, path, "is a recording, which is not written over");
        return NULL;
    }
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
