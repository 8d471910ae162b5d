/* Go's table of functions and lines (runtime.pclntab), which survives stripping: which function an
 * address is in, the calls inlined there, file and line, and how large the frame is.
 *
 * It is read through a mem_reader, from the memory of a process or from its file, and trusted in
 * nothing: what leads outside the table is no answer. Layout: src/runtime/symtab.go, runtime2.go,
 * symtabinl.go and src/cmd/link/internal/ld/pcln.go of Go 1.18 to 1.27. No allocation; fit for use
 * inside a target.
 */
#ifndef LEAKSPY_GOSCAN_PCLNTAB_H
#define LEAKSPY_GOSCAN_PCLNTAB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "preload/goscan/reader.h"

#define PCLNTAB_MAX_INLINED 64
#define PCLNTAB_NAME_BYTES 512

/* Where the parts lie. All addresses are of the process or file that the reader reads. */
struct pclntab {
    struct mem_reader *reader;
    uint64_t start, end; /* of the table */
    uint64_t text;       /* what its code offsets count from (moduledata.text) */
    uint64_t etext;      /* first address past the code that it tells of */
    uint64_t funcdata;   /* what offsets of funcdata count from (moduledata.gofunc); 0: not known,
                            inlined calls are not told */
    uint64_t names, units, files, pcs, functions; /* parts of the table */
    uint32_t function_count, file_count;
    uint8_t quantum;
    uint16_t go_minor;          /* the minor version of Go that wrote it: 1.N */
    const struct pclntab *next; /* of another module of the program, a plugin: what is asked for by
                                   address is looked for there, too. NULL: none */
};

enum pclntab_flag {
    PCLNTAB_OUTERMOST = 1, /* the function is where a stack ends */
    PCLNTAB_WRITES_SP = 2, /* its frame's size does not say where the caller's frame is */
};

/* What Go's own tracebacks treat in a way of its own; its numbers differ from version to version.
 */
enum pclntab_role {
    PCLNTAB_PLAIN,
    PCLNTAB_WRAPPER,     /* made by the compiler: tracebacks leave it out, unless it panicked */
    PCLNTAB_PANIC,       /* gopanic, panicwrap: a wrapper that called it is told */
    PCLNTAB_SIGPANIC,    /* the same; and its "caller" was interrupted, and called nothing */
    PCLNTAB_INTERRUPT,   /* asyncPreempt, debugCall: its "caller" was interrupted */
    PCLNTAB_CGOCALLBACK, /* writes the stack pointer, but can be unwound through */
};

/* A function at an address. */
struct pclntab_function {
    uint64_t entry, end;
    uint64_t row; /* address of its record (runtime._func) */
    int32_t name; /* offset among the names */
    uint8_t role; /* enum pclntab_role */
    uint8_t flag; /* enum pclntab_flag */
};

/* One call at an address. */
struct pclntab_call {
    char function[PCLNTAB_NAME_BYTES]; /* as Go prints it: "main.(*T).Run.func1", "main.F[...]";
                                          "": not known */
    char file[PCLNTAB_NAME_BYTES];     /* "": not known */
    int32_t line;                      /* 0: not known */
    uint8_t role;                      /* enum pclntab_role */
    bool inlined;                      /* into the one that follows */
};

/* Opens the table at `start` of which at most `end - start` bytes are there. `text`, `etext`,
 * `funcdata`: see the struct. `go_minor`: 19 for Go 1.19; 0: not known. False: there is no table
 * that we know. */
bool pclntab_open(struct pclntab *ret, struct mem_reader *reader, uint64_t start, uint64_t end,
                  uint64_t text, uint64_t etext, uint64_t funcdata, unsigned go_minor);

/* Opens the table that the runtime's moduledata at that address speaks of, after checking that the
 * two agree. `go_minor`: as above; when it is 0, wrappers may not be known as
 * such. Of a version newer than 1.27 inlined calls are told if it looks like that one. */
bool pclntab_open_module(struct pclntab *ret, struct mem_reader *reader, uint64_t module_data,
                         unsigned go_minor);

/* Whether it, or one that follows, tells of code at `pc`. */
bool pclntab_covers(const struct pclntab *table, uint64_t pc);

/* The function that holds `pc` (not pc - 1). False: none. */
bool pclntab_find(const struct pclntab *table, uint64_t pc, struct pclntab_function *ret);

/* The function number `index`, of function_count, in order of address. False: none. */
bool pclntab_at(const struct pclntab *table, uint32_t index, struct pclntab_function *ret);

/* Bytes between the stack pointer at `pc` and the return address of the frame; -1: not known. */
int64_t pclntab_frame_bytes(const struct pclntab *table, const struct pclntab_function *function,
                            uint64_t pc);

/* The name of a function, cut to fit. False: it cannot be read. */
bool pclntab_name(const struct pclntab *table, const struct pclntab_function *function, char *to,
                  size_t bytes);

/* The calls at `pc`, the exact address of an instruction of the call (return address - 1): inlined
 * ones first, then the function itself. Returns how many of `calls` (64 KiB) were filled; 0: no
 * function. */
size_t pclntab_calls(const struct pclntab *table, uint64_t pc,
                     struct pclntab_call calls[PCLNTAB_MAX_INLINED]);

/* Where the innermost of these calls was inlined: the address of the call of it, in the same
 * function. 0: it is the function itself. */
uint64_t pclntab_outer_call(const struct pclntab *table, uint64_t pc);

/* ---- Unwinding a parked goroutine ---- */

#define GO_STACK_DEPTH 128

struct go_stack {
    uint64_t pcs[GO_STACK_DEPTH]; /* return addresses, also where it was none: an interrupted
                                     address, or the entry of a function, has 1 added */
    uint32_t count;
    bool cut;    /* there are more frames than fit */
    bool broken; /* it did not end at an outermost function */
};

/* What is known of the frame at an address: worked out once, kept by address. */
struct go_unwind_rule {
    uint64_t pc;         /* 0: free */
    int32_t frame_bytes; /* -1: not to be unwound */
    uint32_t flags;      /* go_unwind.c's */
};

struct go_unwinder {
    const struct pclntab *table;
    struct go_unwind_rule *rules; /* a hash table of 2^rules_bits; the caller's memory, zeroed */
    unsigned rules_bits;          /* 2 to 30. When it is full, rules are worked out each time */
    uint64_t rules_used;
};

/* Unwinds from `pc` and `sp` over a copy of the stack: `stack` holds `bytes` bytes from
 * `stack_address` on. Reads through the table's reader only for addresses never met before. */
void go_unwind(struct go_unwinder *unwinder, uint64_t pc, uint64_t sp, const void *stack,
               uint64_t stack_address, size_t bytes, struct go_stack *ret);

#endif
