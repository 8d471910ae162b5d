#include "preload/process_reader.h"

#include <sys/uio.h>

#include "preload/sys.h"

#define AT_ONCE 256 /* pieces a system call */

/* The kernel copies in order and stops at the first byte that it cannot read: the piece around it
 * has failed, and the rest is asked for again. */
static void read_some(struct process_reader *self, struct mem_piece *pieces, size_t count)
{
    struct iovec to[AT_ONCE], from[AT_ONCE];
    for (size_t done = 0; done < count;) {
        size_t batch = count - done < AT_ONCE ? count - done : AT_ONCE;
        for (size_t i = 0; i < batch; i++) {
            struct mem_piece *piece = &pieces[done + i];
            to[i] = (struct iovec){.iov_base = piece->to, .iov_len = piece->bytes};
            from[i] = (struct iovec){.iov_base = (void *)piece->address, .iov_len = piece->bytes};
        }
        long got = sys_call(SYS_process_vm_readv, self->pid, to, batch, from, batch, 0);
        if (got < 0)
            got = 0;
        size_t i = 0;
        while (i < batch && (size_t)got >= pieces[done + i].bytes) {
            got -= (long)pieces[done + i].bytes;
            pieces[done + i++].ok = true;
        }
        if (i < batch)
            pieces[done + i++].ok = false;
        done += i;
    }
}

static void read_pieces(struct mem_reader *reader, struct mem_piece *pieces, size_t count)
{
    read_some((struct process_reader *)reader, pieces, count);
}

void process_reader_init(struct process_reader *reader, long pid)
{
    *reader = (struct process_reader){.reader = {.read = read_pieces}, .pid = pid};
}
