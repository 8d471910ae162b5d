/* An input that is the memory of a Go program in pieces: what a scan of a real one read
 * (seed_goscan.c writes it, fuzz_goscan.c reads it). All words are little-endian; nothing in it is
 * trusted. First struct sparse_head, then `piece_count` times struct sparse_piece, then the bytes
 * of all pieces, one after another: what is changed there shifts no address. */
#ifndef LEAKSPY_FUZZ_SPARSE_H
#define LEAKSPY_FUZZ_SPARSE_H

#include <stdint.h>

#include "preload/goscan/goscan.h"

#define SPARSE_RANGES 8
#define SPARSE_PIECES 2048

enum sparse_access { SPARSE_READ = 1, SPARSE_WRITE = 2, SPARSE_EXECUTE = 4 };

struct sparse_head {
    /* Members of go_hints. */
    uint64_t build_info, module_data, pclntab, all_gs, wait_reason_strings, all_ps;
    struct {
        uint64_t start, end;
        uint32_t access; /* enum sparse_access */
        uint32_t unused;
    } ranges[SPARSE_RANGES]; /* of the program's file; of those not there, all is 0 */
    uint32_t piece_count;
    uint32_t unused;
};

static inline struct go_hints sparse_hints(const struct sparse_head *head)
{
    return (struct go_hints){.build_info = head->build_info,
                             .module_data = head->module_data,
                             .pclntab = head->pclntab,
                             .all_gs = head->all_gs,
                             .wait_reason_strings = head->wait_reason_strings,
                             .all_ps = head->all_ps};
}

struct sparse_piece {
    uint64_t address;
    uint64_t bytes;
};

#endif
