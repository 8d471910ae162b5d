#include "analyzer/process/memory.h"

#include <errno.h>
#include <sys/uio.h>
#include <unistd.h>

/* The kernel takes this many pieces in one call (UIO_MAXIOV, readv(2)). */
#define MAX_PIECES 1024

/* What a piece costs is mostly that the kernel looks up its page: neighbours are read as one run,
 * and what lies between them is thrown away. Allocators put what is asked for together side by
 * side, once for each processor: so many runs are kept open for the pieces that follow. */
#define MAX_GAP 2048
#define MAX_RUN 65536
#define RUNS_OPEN 8
#define NO_PIECE UINT16_MAX

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

/* Whether process_vm_readv failed for good: it is forbidden, or there is no memory of that thread
 * any more. Of its process there may be some: the file says. */
static bool needs_file(struct process_memory *memory, int error)
{
    memory->by_file = memory->by_file || error == EPERM || error == ENOSYS || error == ESRCH;
    return memory->by_file;
}

/* Reads one piece, in as many calls as the kernel wants for it. */
static bool read_alone(struct process_memory *memory, const struct mem_piece *piece)
{
    size_t done = 0;
    while (done < piece->bytes) {
        struct iovec local = {(char *)piece->to + done, piece->bytes - done};
        struct iovec remote = {(void *)(uintptr_t)(piece->address + done), piece->bytes - done};
        ssize_t got = process_vm_readv(memory->pid, &local, 1, &remote, 1, 0);
        if (got <= 0)
            return got < 0 && needs_file(memory, errno) && read_by_file(memory, piece);
        done += (size_t)got;
    }
    return true;
}

/* Pieces that are read as one. */
struct run {
    uint64_t start, end;
    uint16_t first, last; /* pieces, by `next` in order of address */
    uint16_t local;       /* its first row of `local` */
};

struct batch {
    struct mem_piece *pieces;
    size_t piece_count, run_count, row_count;
    struct run runs[MAX_PIECES];
    uint16_t next[MAX_PIECES];
    struct iovec local[MAX_PIECES], remote[MAX_PIECES];
    char gap[MAX_GAP]; /* where what nobody asked for goes */
};

static struct run *run_before(struct batch *batch, const struct mem_piece *piece)
{
    size_t open = batch->run_count < RUNS_OPEN ? batch->run_count : RUNS_OPEN;
    for (struct run *run = &batch->runs[batch->run_count]; open-- > 0;) {
        run--;
        if (piece->address >= run->end && piece->address - run->end <= MAX_GAP &&
            piece->address + piece->bytes - run->start <= MAX_RUN)
            return run;
    }
    return NULL;
}

/* Whether one piece more fits into the call, and what lies before it. */
static bool has_room(size_t pieces, size_t rows)
{
    return pieces < MAX_PIECES && rows + 2 <= MAX_PIECES;
}

/* Whether something lies between a run that reaches to `end` so far and its next piece: it takes a
 * row of its own. */
static bool has_gap(uint64_t end, const struct mem_piece *piece)
{
    return piece->address > end;
}

/* Makes runs of as many pieces as fit into one call. */
static void plan_runs(struct batch *batch, struct mem_piece *pieces, size_t count, size_t most_runs)
{
    size_t i, rows = 0;
    batch->pieces = pieces;
    batch->run_count = 0;
    for (i = 0; i < count && has_room(i, rows); i++) {
        struct mem_piece *piece = &pieces[i];
        piece->ok = false;
        batch->next[i] = NO_PIECE;
        if (!is_sane(piece))
            continue;
        struct run *run = run_before(batch, piece);
        if (run) {
            batch->next[run->last] = (uint16_t)i;
        } else if (batch->run_count < most_runs) {
            run = &batch->runs[batch->run_count++];
            *run =
                (struct run){.start = piece->address, .end = piece->address, .first = (uint16_t)i};
        } else {
            break;
        }
        rows += 1 + has_gap(run->end, piece);
        run->last = (uint16_t)i;
        run->end = piece->address + piece->bytes;
    }
    batch->piece_count = i;
}

/* What the kernel is to read for the runs, and where to. */
static void fill_rows(struct batch *batch)
{
    size_t rows = 0;
    for (size_t r = 0; r < batch->run_count; r++) {
        struct run *run = &batch->runs[r];
        uint64_t at = run->start;
        run->local = (uint16_t)rows;
        batch->remote[r] = (struct iovec){(void *)(uintptr_t)at, run->end - at};
        for (uint16_t p = run->first; p != NO_PIECE; p = batch->next[p]) {
            const struct mem_piece *piece = &batch->pieces[p];
            if (has_gap(at, piece))
                batch->local[rows++] = (struct iovec){batch->gap, piece->address - at};
            batch->local[rows++] = (struct iovec){piece->to, piece->bytes};
            at = piece->address + piece->bytes;
        }
    }
    batch->row_count = rows;
}

static void finish_run(struct process_memory *memory, struct batch *batch, const struct run *run,
                       bool whole)
{
    for (uint16_t p = run->first; p != NO_PIECE; p = batch->next[p]) {
        struct mem_piece *piece = &batch->pieces[p];
        if (memory->by_file)
            piece->ok = !memory->gone && read_by_file(memory, piece);
        else
            piece->ok = whole || (!memory->gone && read_alone(memory, piece));
    }
}

/* Reads the runs of a batch. Returns how many were read before the first that could not be read
 * whole. */
static size_t read_batch(struct process_memory *memory, struct batch *batch)
{
    size_t first_bad = batch->run_count;
    for (size_t r = 0; r < batch->run_count;) {
        ssize_t got = 0;
        if (!memory->by_file && !memory->gone) {
            size_t row = batch->runs[r].local;
            got = process_vm_readv(memory->pid, batch->local + row, batch->row_count - row,
                                   batch->remote + r, batch->run_count - r, 0);
            if (got < 0)
                needs_file(memory, errno);
        }
        size_t left = got > 0 ? (size_t)got : 0;
        while (r < batch->run_count && batch->remote[r].iov_len <= left) {
            left -= batch->remote[r].iov_len;
            finish_run(memory, batch, &batch->runs[r++], true);
        }
        /* What is between its pieces may be what cannot be read; and the kernel moves at most 2 GiB
         * in a call. */
        if (r < batch->run_count) {
            if (!memory->by_file && r < first_bad)
                first_bad = r;
            finish_run(memory, batch, &batch->runs[r++], false);
        }
    }
    return first_bad;
}

static void read_pieces(struct mem_reader *reader, struct mem_piece *pieces, size_t count)
{
    struct process_memory *memory = (struct process_memory *)reader;
    struct batch batch;
    /* A call ends at the first run that cannot be read, and costs what all of its runs cost to hand
     * over: after a failure the next ones are few. */
    size_t most_runs = MAX_PIECES;
    while (count > 0) {
        plan_runs(&batch, pieces, count, most_runs);
        fill_rows(&batch);
        size_t good = read_batch(memory, &batch);
        most_runs = good == batch.run_count ? 2 * most_runs : good / 2 + 1;
        if (most_runs > MAX_PIECES)
            most_runs = MAX_PIECES;
        pieces += batch.piece_count;
        count -= batch.piece_count;
    }
}

void process_memory_init(struct process_memory *ret, pid_t pid, int fd)
{
    *ret = (struct process_memory){.reader = {.read = read_pieces}, .pid = pid, .fd = fd};
}
