#include "analyzer/process/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

#define ROOM_AT_FIRST ((size_t)1 << 16)
#define ROOM_LEAST 8192 /* of one read: the kernel gives a page or two at a time */

size_t process_file_start(const char *path, char *to, size_t room)
{
    to[0] = '\0';
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return 0;
    ssize_t got = read(fd, to, room - 1);
    close(fd);
    if (got < 0)
        got = 0;
    to[got] = '\0';
    return (size_t)got;
}

/* Reads on until the file ends. False, with errno. */
static bool read_all(int fd, size_t most, char **text, size_t *bytes)
{
    size_t room = 0;
    for (;;) {
        if (room - *bytes < ROOM_LEAST) {
            room = room ? 2 * room : ROOM_AT_FIRST;
            char *more = realloc(*text, room);
            if (!more)
                return false;
            *text = more;
        }
        size_t wanted = room - *bytes - 1;
        if (wanted > most - *bytes)
            wanted = most - *bytes;
        ssize_t got = wanted ? read(fd, *text + *bytes, wanted) : 0;
        if (got < 0)
            return false;
        if (got == 0)
            return true;
        *bytes += (size_t)got;
    }
}

char *process_file_read(const char *path, size_t most, size_t *ret_bytes)
{
    char *text = NULL;
    size_t bytes = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return NULL;
    bool ok = read_all(fd, most, &text, &bytes);
    int error = errno;
    close(fd);
    if (!ok) {
        free(text);
        errno = error;
        return NULL;
    }
    text[bytes] = '\0';
    *ret_bytes = bytes;
    return text;
}
