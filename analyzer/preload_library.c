#include "analyzer/preload_library.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

char *preload_library_find(void)
{
    const char *named = getenv("LEAKSPY_LIBRARY");
    if (named && named[0])
        return realpath(named, NULL);

    /* From the folder of this program; LEAKSPY_LIBRARY_* are set by the build. */
    static const char *const beside[] = {
        LEAKSPY_LIBRARY_FROM_BIN, "../preload", "../lib", "../lib64", ".",
    };
    char self[PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", self, sizeof(self) - 1);
    if (length > 0) {
        self[length] = '\0';
        char *slash = strrchr(self, '/');
        if (slash)
            *slash = '\0';
        for (size_t i = 0; i < sizeof(beside) / sizeof(beside[0]); i++) {
            char *candidate;
            if (asprintf(&candidate, "%s/%s/libleakspy.so", self, beside[i]) < 0)
                return NULL;
            char *found = realpath(candidate, NULL);
            free(candidate);
            if (found)
                return found;
        }
    }
    return realpath(LEAKSPY_LIBRARY_INSTALLED "/libleakspy.so", NULL);
}

char *preload_library_value(const char *library, const char *already)
{
    /* ld.so(8): entries are separated by spaces or colons, and neither can be quoted. */
    if (strpbrk(library, " :"))
        return NULL;
    char *value;
    int length = already && already[0] ? asprintf(&value, "%s:%s", library, already)
                                       : asprintf(&value, "%s", library);
    return length >= 0 ? value : NULL;
}
