/* An image: the memory, the loaded files and the threads of one process, running or dumped in a
 * core. Inspectors read it and fill a snapshot (see analyzer/inspect/inspect.h).
 *
 * Running processes are opened by analyzer/process/image.h, cores by analyzer/core/image.h.
 */
#ifndef LEAKSPY_ANALYZER_IMAGE_IMAGE_H
#define LEAKSPY_ANALYZER_IMAGE_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "analyzer/base/err.h"
#include "preload/goscan/reader.h"
#include "preload/goscan/system_calls.h"

struct image_mapping {
    uint64_t start, end;
    uint64_t file_offset;
    uint32_t module; /* row of image.modules; 0: not of a loaded file */
    bool readable, writable, executable;
    bool deleted;     /* the file is not at its path any more; of a core: not known, false */
    const char *name; /* path, "[stack]", "[vdso]"; "": none. Owned by the image */
};

/* A loaded ELF file. Row 0 is none. */
struct image_module {
    uint64_t start, end; /* lowest mapped address, first address past it */
    uint64_t bias;       /* address in memory minus address in the file's own numbering */
    const char *path;    /* as the process named it. Owned by the image */
    const char *file;    /* where the same file is to be opened here: "/proc/PID/map_files/…",
                            "/proc/PID/root/…", what --exe named; "": it is not to be had, or has
                            another build-id */
    bool unsure;         /* `file` is "", but what is at `path` may be another copy of the file */
    uint32_t build_id_bytes;
    uint8_t build_id[32];
    bool is_exe;
};

/* Registers of x86-64 by their DWARF numbers: rax rdx rcx rbx rsi rdi rbp rsp r8 … r15, then the
 * return address column: rip. */
#define IMAGE_REGISTERS 17
#define IMAGE_REGISTER_SP 7
#define IMAGE_REGISTER_FP 6
#define IMAGE_REGISTER_PC 16

struct image_registers {
    uint64_t value[IMAGE_REGISTERS];
    uint32_t known; /* bit n: value[n] was read */
};

struct image_thread {
    uint32_t tid;      /* as the program itself knows it: by its own pid namespace */
    uint32_t host_tid; /* by ours, for /proc and ptrace; of a core: 0 */
    bool first;        /* the thread that the process began with */
    char name[17];
    char state;        /* as proc_pid_stat(5): 'R', 'S', 'D', 'T', 't'; of a core: 0 */
    bool ended;        /* it has ended, and nobody may know: the first thread, before the others */
    bool parked;       /* it is inside a system call that has not returned */
    bool runtime;      /* set by an inspector: it is a worker of a runtime, whose tasks are told */
    int64_t call;      /* number of the system call; -1: not in one, or it is not known */
    uint64_t args[6];  /* of the system call */
    int64_t parked_ns; /* a lower bound; -1: nobody knows */
    uint64_t switches; /* changes whenever it has run; 0: not known */
    uint64_t thread_pointer;          /* FS base, by core or after stop_thread; 0: not known */
    struct image_registers registers; /* sp and pc of a parked thread; all of them in a core */
};

/* What was found while a thread was stopped for it. */
struct image_stop {
    struct image_registers registers;
    uint64_t thread_pointer;
    uint64_t stack_address; /* of what was copied */
    size_t stack_bytes;
    void *stack; /* the caller's memory, stack_room bytes */
    size_t stack_room;
    uint64_t pause_ns; /* how long the thread stood, or was asked to; 0: it was left alone */
};

struct image_text;
struct kept_stacks;

struct image {
    char *path; /* of the core; NULL */
    pid_t pid;
    char *exe;
    char **cmdline;             /* NULL-terminated */
    int64_t started_unix_ns;    /* 0: not known */
    int64_t taken_unix_ns;      /* when a core was written, else now */
    int64_t taken_monotonic_ns; /* the same by its CLOCK_MONOTONIC; 0: not known (a core) */
    int signal;                 /* of a core: what ended the process; 0: not known */
    bool live;
    struct mem_reader *memory;
    struct image_mapping *mappings;
    size_t mapping_count;
    struct image_module *modules; /* row 0 unused */
    size_t module_count;
    struct image_thread *threads;
    size_t thread_count;
    uint64_t longest_pause_ns; /* that a thread of the process was stopped for; 0: none was */
    uint64_t pauses;
    struct kept_stacks *kept; /* what earlier looks at the process stopped threads for; NULL: there
                                 is no other look. Not owned */
    const char *doubt; /* why there may be more than can be seen; NULL: nothing speaks for it */
    char **notes;      /* sentences about what could not be read; see image_note */
    size_t note_count;
    struct image_text *texts; /* owns what the rows point to */
    void *own;                /* the implementation's */
    const struct image_functions *functions;
};

struct image_functions {
    /* Stops one thread, reads its registers and its stack from the stack pointer up, and lets it
     * go: only where its system call goes on unharmed afterwards. False: not possible, or not safe.
     */
    bool (*stop_thread)(struct image *image, struct image_thread *thread, struct image_stop *ret);
    /* What a descriptor of a thread is (host_tid; 0: of the process): "tcp 127.0.0.1:80 ->
     * 10.0.0.7:5123", "pipe", "eventfd", a path. False: not known; errno is ENOENT where it is not
     * open. */
    bool (*describe_fd)(struct image *image, uint32_t tid, int fd, char *to, size_t bytes,
                        bool *ret_listening);
    /* Whether a descriptor is a socket with this timeout: SO_RCVTIMEO, SO_SNDTIMEO. NULL in cores.
     */
    bool (*fd_times_out)(struct image *image, uint32_t tid, int fd, int timeout);
    /* Whether a descriptor is a stream socket that is connected. NULL in cores. */
    bool (*fd_is_connected)(struct image *image, uint32_t tid, int fd);
    /* The process that a pidfd stands for; 0: not known. NULL in cores. */
    pid_t (*process_of_pidfd)(struct image *image, uint32_t tid, int fd);
    /* Looks at the threads again: which there are, what each is parked in, how long. */
    bool (*refresh)(struct image *image, struct err *err);
    /* Looks at one thread again: what it is parked in, its registers, its switches; the rest of
     * *thread stays. False: it has ended. NULL in cores. */
    bool (*look)(struct image *image, struct image_thread *thread);
    /* Whether all that was read is of one program. Errors: ERR_PROCESS_ENDED when it ended
     * meanwhile, ERR_IO when it executed another one. */
    bool (*check)(struct image *image, struct err *err);
    void (*close)(struct image *image);
};

void image_close(struct image *image);

/* The row of the module around an address; 0: none. */
uint32_t image_module_at(const struct image *image, uint64_t address);

/* The mapping around an address; NULL: none. */
const struct image_mapping *image_mapping_at(const struct image *image, uint64_t address);

/* How many things of `bytes` bytes each the memory can hold that was mapped, and of a core, the
 * core itself: a bound for lists that were made to mislead. 0: that is not known. */
uint64_t image_room_for(const struct image *image, uint64_t bytes);

/* The thread of that tid, as the program knows it; NULL: there is none. */
struct image_thread *image_thread_of(const struct image *image, uint32_t tid);

/* The object of a thread's system call (host_tid). Whom it waits for is found out where the call
 * names a descriptor of it. */
uint64_t image_waited(struct image *image, uint32_t tid, const struct thread_call *call);

/* Whether a thread's system call ends by a timeout of its socket. False where that is not known. */
bool image_times_out(struct image *image, uint32_t tid, const struct thread_call *call);

/* Whether a thread's system call waits for one descriptor alone, by poll or the like, which is a
 * stream socket that is connected. False where that is not known. */
bool image_polls_connection(struct image *image, uint32_t tid, const struct thread_call *call);

/* Whether both are inside the same system call, with the same arguments, called from the same
 * place. */
bool image_thread_is_parked_alike(const struct image_thread *a, const struct image_thread *b);

/* The row of the module that the process is an instance of; 0: not found. */
uint32_t image_exe_module(const struct image *image);

/* Keeps a text as long as the image. NULL: no memory. */
const char *image_text(struct image *image, const char *text, size_t bytes);

/* A sentence that every report of this image shows (once, if it is told twice). */
void image_note(struct image *image, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
