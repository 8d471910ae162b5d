#include "analyzer/base/file_reader.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

/* Not blocking: a FIFO without a writer would make open wait for ever. */
int file_open(const char *path, uint64_t *ret_bytes)
{
    struct stat status;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd >= 0 && (fstat(fd, &status) != 0 || !S_ISREG(status.st_mode))) {
        close(fd);
        fd = -1;
    }
    if (fd >= 0 && ret_bytes)
        *ret_bytes = (uint64_t)status.st_size;
    return fd;
}

static void read_pieces(struct mem_reader *reader, struct mem_piece *pieces, size_t count)
{
    const struct file_reader *file = (const struct file_reader *)reader;
    for (size_t i = 0; i < count; i++)
        pieces[i].ok = pieces[i].address <= INT64_MAX - pieces[i].bytes &&
                       pread(file->fd, pieces[i].to, pieces[i].bytes, (off_t)pieces[i].address) ==
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
