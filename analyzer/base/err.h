/* Why something could not be done: made where it happens, printed once, in main. */
#ifndef LEAKSPY_ANALYZER_BASE_ERR_H
#define LEAKSPY_ANALYZER_BASE_ERR_H

#include <stdbool.h>

enum err_kind {
    ERR_NONE = 0,
    ERR_USAGE,           /* the command line; exit status 64 */
    ERR_NOT_FOUND,       /* no such file, no recording at all */
    ERR_NO_SUCH_PROCESS, /* nothing runs under this pid, and nothing was recorded of it */
    ERR_NOT_RECORDED,    /* the process runs, but without libleakspy.so */
    ERR_NOT_PERMITTED,
    ERR_NOT_A_RECORDING,
    ERR_TRUNCATED,
    ERR_NEWER_VERSION,
    ERR_CORRUPT, /* a recording whose header or tables contradict themselves */
    ERR_NOT_A_CORE,
    ERR_UNSUPPORTED, /* a process or a core of another machine, of 32 bits, of the kernel itself */
    ERR_OTHER_BUILD, /* a file is of another build than what it is to be read for */
    ERR_PROCESS_ENDED, /* it is a zombie, or ended while it was looked at */
    ERR_IO,            /* the system refused a read or a write */
    ERR_MEMORY,
};

struct err {
    enum err_kind kind;
    char what[256]; /* what the error is about: a path, an option; may be empty */
    char why[512];
};

/* Fill *err and return false, so that a function can end with it. `what` may be NULL, and is ''
 * when it is empty; bytes of it that a terminal would obey are replaced. err may be NULL. */
bool err_set(struct err *err, enum err_kind kind, const char *what, const char *why_format, ...)
    __attribute__((format(printf, 4, 5)));

/* The same for a failed system call: the kind and the words follow from `error` (an errno value).
 */
bool err_system(struct err *err, const char *what, int error);

/* Print "leakspy: what: why" on stderr. */
void err_print(const struct err *err);

/* The exit status of a command that failed so: 64 for usage, otherwise 2. */
int err_exit_status(const struct err *err);

#endif
