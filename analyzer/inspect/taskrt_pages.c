#include "analyzer/inspect/taskrt_pages.h"

#include <stdlib.h>
#include <string.h>

#define PAGE_BYTES 4096U
#define RUN_PAGES 32U /* what one page that is not there makes to be read again */

bool taskrt_pages_init(struct taskrt_pages *ret, size_t tasks_most, size_t task_bytes)
{
    *ret = (struct taskrt_pages){.tasks_most = tasks_most, .task_bytes = task_bytes};
    size_t pages = taskrt_pages_room(ret) / PAGE_BYTES;
    ret->pieces = malloc(pages * sizeof(*ret->pieces));
    ret->order = malloc(tasks_most * sizeof(*ret->order));
    ret->offsets = malloc(tasks_most * sizeof(*ret->offsets));
    return ret->pieces && ret->order && ret->offsets;
}

void taskrt_pages_deinit(struct taskrt_pages *pages)
{
    free(pages->pieces);
    free(pages->order);
    free(pages->offsets);
}

size_t taskrt_pages_room(const struct taskrt_pages *pages)
{
    return pages->tasks_most * ((pages->task_bytes + PAGE_BYTES - 2) / PAGE_BYTES + 1) * PAGE_BYTES;
}

static int compare_addresses(const void *a, const void *b, void *addresses)
{
    uint64_t left = ((const uint64_t *)addresses)[*(const size_t *)a];
    uint64_t right = ((const uint64_t *)addresses)[*(const size_t *)b];
    return (left > right) - (left < right);
}

/* Puts the tasks in the order of their addresses; mostly they are, or the other way round. */
static void sort(struct taskrt_pages *pages, const uint64_t *addresses, size_t count)
{
    bool up = true, down = true;
    for (size_t i = 1; i < count; i++) {
        up = up && addresses[i - 1] <= addresses[i];
        down = down && addresses[i - 1] >= addresses[i];
    }
    for (size_t i = 0; i < count; i++)
        pages->order[i] = down && !up ? count - 1 - i : i;
    if (!up && !down)
        qsort_r(pages->order, count, sizeof(*pages->order), compare_addresses, (void *)addresses);
}

void taskrt_pages_place(struct taskrt_pages *pages, const uint64_t *addresses, size_t count)
{
    pages->piece_count = 0;
    pages->page_count = 0;
    sort(pages, addresses, count);
    uint64_t next = 0; /* the page after those that are placed */
    for (size_t i = 0; i < count; i++) {
        uint64_t address = addresses[pages->order[i]];
        uint64_t first = address / PAGE_BYTES * PAGE_BYTES;
        uint64_t end = (address + pages->task_bytes - 1) / PAGE_BYTES * PAGE_BYTES + PAGE_BYTES;
        /* What lies in pages that are placed already ends them; the rest is added to the run. */
        uint64_t from = pages->piece_count && first < next ? next : first;
        size_t behind = (size_t)((from - first) / PAGE_BYTES); /* pages that it shares */
        pages->offsets[pages->order[i]] =
            (pages->page_count - behind) * PAGE_BYTES + (size_t)(address - first);
        for (uint64_t page = from; page < end; page += PAGE_BYTES) {
            size_t used = pages->piece_count;
            if (used && page == next && pages->pieces[used - 1].bytes < RUN_PAGES * PAGE_BYTES)
                pages->pieces[used - 1].bytes += PAGE_BYTES;
            else
                pages->pieces[pages->piece_count++] =
                    (struct mem_piece){.address = page, .bytes = PAGE_BYTES};
            next = page + PAGE_BYTES;
            pages->page_count++;
        }
    }
}

/* A run that could not be read as a whole: page by page. */
static void read_pages(struct mem_reader *memory, const struct mem_piece *run, unsigned char *to)
{
    for (size_t at = 0; at < run->bytes; at += PAGE_BYTES) {
        if (!mem_read(memory, run->address + at, to + at, PAGE_BYTES))
            memset(to + at, 0xff, PAGE_BYTES);
    }
}

void taskrt_pages_read(struct taskrt_pages *pages, struct mem_reader *memory, unsigned char *copy)
{
    unsigned char *to = copy;
    for (size_t i = 0; i < pages->piece_count; i++) {
        pages->pieces[i].to = to;
        to += pages->pieces[i].bytes;
    }
    memory->read(memory, pages->pieces, pages->piece_count);
    for (size_t i = 0; i < pages->piece_count; i++) {
        if (!pages->pieces[i].ok)
            read_pages(memory, &pages->pieces[i], pages->pieces[i].to);
    }
}
