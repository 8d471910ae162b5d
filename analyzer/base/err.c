#include "analyzer/base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "analyzer/base/text.h"

bool err_set(struct err *err, enum err_kind kind, const char *what, const char *why_format, ...)
{
    if (!err)
        return false;
    err->kind = kind;
    text_printable(!what ? "" : what[0] ? what : "''", err->what, sizeof(err->what));

    char why[sizeof(err->why)];
    va_list args;
    va_start(args, why_format);
    vsnprintf(why, sizeof(why), why_format, args);
    va_end(args);
    text_printable(why, err->why, sizeof(err->why));
    return false;
}

bool err_system(struct err *err, const char *what, int error)
{
    enum err_kind kind = ERR_IO;
    if (error == ENOENT || error == ENOTDIR)
        kind = ERR_NOT_FOUND;
    else if (error == EACCES || error == EPERM)
        kind = ERR_NOT_PERMITTED;
    else if (error == ENOMEM)
        kind = ERR_MEMORY;
    else if (error == ESRCH)
        kind = ERR_NO_SUCH_PROCESS;
    return err_set(err, kind, what, "%s", strerror(error));
}

void err_print(const struct err *err)
{
    if (err->what[0])
        fprintf(stderr, "leakspy: %s: %s\n", err->what, err->why);
    else
        fprintf(stderr, "leakspy: %s\n", err->why);
}

int err_exit_status(const struct err *err)
{
    return err->kind == ERR_USAGE ? 64 : 2;
}
