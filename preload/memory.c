#include "preload/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/uio.h>

#include "preload/recorder.h"
#include "preload/sys.h"

static long own_pid;
static int mem_fd = -1; /* /proc/self/mem, in the descriptors of the sampler, which alone uses it */

void memory_init(void)
{
    own_pid = sys_call(SYS_getpid, 0);
    mem_fd = -1;
}

void memory_init_fallback(bool own_descriptors)
{
    char probe = 1, copy = 0;
    mem_fd = -1; /* one from before went with the sampler that had opened it */
    if (!own_descriptors || memory_read((uint64_t)&probe, &copy, 1))
        return;
    mem_fd = (int)sys_call(SYS_openat, AT_FDCWD, "/proc/self/mem", O_RDONLY | O_CLOEXEC);
}

size_t memory_read_some(uint64_t address, void *buffer, size_t bytes)
{
    struct iovec to = {.iov_base = buffer, .iov_len = bytes};
    /* One piece a page: a piece is copied whole or not at all. */
    struct iovec from[17];
    size_t pieces = 0;
    for (size_t done = 0; done < bytes && pieces < sizeof(from) / sizeof(*from);) {
        size_t piece = 4096 - ((address + done) & 4095);
        if (piece > bytes - done)
            piece = bytes - done;
        from[pieces++] = (struct iovec){.iov_base = (void *)(address + done), .iov_len = piece};
        done += piece;
    }
    long got = sys_call(SYS_process_vm_readv, own_pid, &to, 1, from, pieces, 0);
    /* When main's thread has left by pthread_exit, no memory goes by the process's number any more,
     * but by that of a thread. */
    if (got == -ESRCH)
        got = sys_call(SYS_process_vm_readv, sys_call(SYS_gettid, 0), &to, 1, from, pieces, 0);
    if (got < 0 && recorder_thread.sampler && mem_fd >= 0)
        got = sys_call(SYS_pread64, mem_fd, buffer, bytes, address);
    return got < 0 ? 0 : (size_t)got;
}

bool memory_read(uint64_t address, void *buffer, size_t bytes)
{
    return memory_read_some(address, buffer, bytes) == bytes;
}

static void read_pieces(struct mem_reader *reader, struct mem_piece *pieces, size_t count)
{
    (void)reader;
    for (size_t i = 0; i < count; i++)
        pieces[i].ok = memory_read(pieces[i].address, pieces[i].to, pieces[i].bytes);
}

struct mem_reader memory_reader(void)
{
    return (struct mem_reader){.read = read_pieces};
}

void *memory_reserve(size_t bytes)
{
    long address = sys_call(SYS_mmap, 0, bytes, PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return address < 0 && address > -4096 ? NULL : (void *)address;
}

bool memory_wipe_on_fork(void *memory, size_t bytes)
{
    return sys_call(SYS_madvise, memory, bytes, MADV_WIPEONFORK) == 0;
}

void *memory_reserve_unforked(size_t bytes)
{
    void *memory = memory_reserve(bytes);
    if (memory != NULL)
        (void)memory_wipe_on_fork(memory, bytes);
    return memory;
}

void memory_clear(void *memory, size_t bytes)
{
    if (sys_call(SYS_madvise, memory, bytes, MADV_DONTNEED) == 0)
        return;
    uint64_t *words = memory;
    for (size_t i = 0; i < bytes / sizeof(*words); i++) {
        if (__atomic_load_n(&words[i], __ATOMIC_RELAXED) != 0)
            __atomic_store_n(&words[i], 0, __ATOMIC_RELAXED);
    }
}
