/* The fixture goroutines (preload/fixture_goroutines.go): a Go program that says what its
 * goroutines are parked on, and its memory. */
#ifndef LEAKSPY_TEST_GOROUTINES_H
#define LEAKSPY_TEST_GOROUTINES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "preload/goscan/goscan.h"

#define MAX_TOLD 64
#define MAX_RANGES 64
#define PAGE_BYTES 4096

/* A line: "FUNCTION OP OBJECT". */
struct told_wait {
    char function[48];
    char op[24];
    uint64_t object;
    bool any; /* the program does not know the object */
};

/* A page of the program's memory, copied when it was first read. */
struct page {
    uint64_t address;
    bool readable;
    uint8_t *bytes;
};

/* A reader of pages that stay as they were first seen; reads of what lies outside fail. */
struct page_reader {
    struct mem_reader reader;
    pid_t pid; /* 0: what was not read yet cannot be */
    struct page *pages;
    size_t page_count, page_room; /* a hash table of page_room, a power of 2 */
    uint64_t pieces;              /* that were asked for */
    /* The first ones that are no larger than a page; NULL: they are not kept. */
    struct mem_piece *asked;
    size_t asked_count, asked_room;
};

struct goroutines {
    pid_t pid;
    int in; /* closing it ends the program */
    struct told_wait told[MAX_TOLD];
    size_t told_count;
    struct go_range ranges[MAX_RANGES];
    size_t range_count;
};

/* The path of the fixture as it was built in that mode. */
const char *goroutines_program(const char *mode);
bool goroutines_is_there(const char *mode);

/* Starts it with that GODEBUG and waits until all goroutines are where they say. */
void goroutines_start(struct goroutines *ret, const char *mode, const char *debug);
void goroutines_end(struct goroutines *it);

/* Reads the program's memory as it is at each moment. */
void process_reader_init(struct page_reader *ret, pid_t pid);

void page_reader_init(struct page_reader *ret, pid_t pid);
/* The copy of the byte at an address. NULL: there is none. */
uint8_t *page_reader_at(struct page_reader *reader, uint64_t address);

void page_reader_deinit(struct page_reader *reader);

#endif
