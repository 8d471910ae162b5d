#include "analyzer/base/file_reader.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

/* Not blocking: a FIFO without a writer would make open wait for ever. */
int file_open(const char *path, uint64_t *ret_bytes)
{
    struct stat status;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return -1;
    int error = fstat(fd, &status) != 0 ? errno : 0;
    if (error || !S_ISREG(status.st_mode)) {
        close(fd);
        errno = error;
        return -1;
    }
    if (ret_bytes)
        *ret_bytes = (uint64_t)status.st_size;
    return fd;
}

ssize_t file_read_at(int fd, uint64_t offset, void *to, size_t bytes)
{
    size_t done = 0;
    while (done < bytes) {
        ssize_t got = pread(fd, (char *)to + done, bytes - done, (off_t)(offset + done));
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return -1;
        if (got == 0)
            break;
        done += (size_t)got;
    }
    return (ssize_t)done;
}

static void read_pieces(struct mem_reader *reader, struct mem_piece *pieces, size_t count)
{
    const struct file_reader *file = (const struct file_reader *)reader;
    for (size_t i = 0; i < count; i++)
        pieces[i].ok = pieces[i].address <= INT64_MAX - pieces[i].bytes &&
                       file_read_at(file->fd, pieces[i].address, pieces[i].to, pieces[i].bytes) ==
                           (ssize_t)pieces[i].bytes;
}

bool file_reader_open(struct file_reader *ret, const char *path)
{
    *ret = (struct file_reader){.reader = {.read = read_pieces}, .fd = file_open(path, NULL)};
    return ret->fd >= 0;
}

void file_reader_close(struct file_reader *file)
{
    close(file->fd);
}
