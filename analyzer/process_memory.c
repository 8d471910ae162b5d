#include "analyzer/process_memory.h"

#include <errno.h>
#include <limits.h>
#include <sys/uio.h>
#include <unistd.h>

/* The kernel takes this many pieces in one call (UIO_MAXIOV, readv(2)). */
#define PIECES_MOST 1024

/* Addresses above are the kernel's; a piece that would reach there is not readable. */
#define USER_END (UINT64_C(1) << 56)

static bool is_sane(const struct mem_piece *piece)
{
    return piece->address < USER_END && piece->bytes < USER_END - piece->address;
}

/* Reads one piece from the file of the process's memory. */
static bool read_by_file(struct process_memory *memory, const struct mem_piece *piece)
{
    size_t done = 0;
    while (done < piece->bytes) {
        ssize_t got = pread(memory->fd, (char *)piece->to + done, piece->bytes - done,
                            (off_t)(piece->address + done));
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0) {
            /* End of file: there is no memory any more, the process has ended or called exec. */
            memory->gone = memory->gone || got == 0;
            return false;
        }
        done += (size_t)got;
    }
    return true;
}

/* Reads what is left of one piece, in as many calls as the kernel wants for it. */
static bool read_alone(struct process_memory *memory, const struct mem_piece *piece, size_t done)
{
    while (done < piece->bytes) {
        struct iovec local = {(char *)piece->to + done, piece->bytes - done};
        struct iovec remote = {(void *)(uintptr_t)(piece->address + done), piece->bytes - done};
        ssize_t got = process_vm_readv(memory->pid, &local, 1, &remote, 1, 0);
        if (got <= 0) {
            memory->gone = memory->gone || (got < 0 && errno == ESRCH);
            return false;
        }
        done += (size_t)got;
    }
    return true;
}

/* Marks the pieces that `got` bytes fill, *ret_done of them, and returns what is left of `got` for
 * the one after them. */
static size_t mark_done(struct mem_piece *pieces, size_t count, size_t got, size_t *ret_done)
{
    size_t done = 0;
    while (done < count && pieces[done].bytes <= got) {
        got -= pieces[done].bytes;
        pieces[done++].ok = true;
    }
    *ret_done = done;
    return got;
}

static void read_pieces(struct mem_reader *reader, struct mem_piece *pieces, size_t count)
{
    struct process_memory *memory = (struct process_memory *)reader;
    struct iovec local[PIECES_MOST], remote[PIECES_MOST];
    /* A call ends at the first piece that cannot be read, and costs what all of its pieces cost to
     * hand over: after a failure the next ones are few. */
    size_t batch = PIECES_MOST;

    for (size_t first = 0; first < count;) {
        size_t filled = 0;
        while (filled < batch && first + filled < count && is_sane(&pieces[first + filled])) {
            const struct mem_piece *piece = &pieces[first + filled];
            local[filled] = (struct iovec){piece->to, piece->bytes};
            remote[filled] = (struct iovec){(void *)(uintptr_t)piece->address, piece->bytes};
            filled++;
        }
        if (filled == 0) {
            pieces[first++].ok = false;
            continue;
        }
        if (memory->by_file || memory->gone) {
            for (size_t i = first; i < first + filled; i++)
                pieces[i].ok = !memory->gone && read_by_file(memory, &pieces[i]);
            first += filled;
            continue;
        }

        ssize_t got = process_vm_readv(memory->pid, local, filled, remote, filled, 0);
        if (got < 0 && (errno == EPERM || errno == ENOSYS)) {
            memory->by_file = true;
            continue;
        }
        memory->gone = got < 0 && errno == ESRCH;
        if (memory->gone)
            continue;
        size_t done;
        size_t part = mark_done(&pieces[first], filled, got > 0 ? (size_t)got : 0, &done);
        first += done;
        batch = 2 * batch < PIECES_MOST ? 2 * batch : PIECES_MOST;
        if (done < filled) {
            /* Part of it: the kernel moves at most 2 GiB in a call, or the rest is not there. */
            pieces[first].ok = part > 0 && read_alone(memory, &pieces[first], part);
            first++;
            batch = done / 2 + 1;
        }
    }
}

void process_memory_init(struct process_memory *ret, pid_t pid, int fd)
{
    *ret = (struct process_memory){.reader = {.read = read_pieces}, .pid = pid, .fd = fd};
}
