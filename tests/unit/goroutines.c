#include "tests/unit/goroutines.h"

#include <inttypes.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

const char *goroutines_program(const char *mode)
{
    static char path[4096];
    snprintf(path, sizeof(path), "%s/goroutines_%s", GOROUTINES_FOLDER, mode);
    return path;
}

bool goroutines_is_there(const char *mode)
{
    return access(goroutines_program(mode), X_OK) == 0;
}

static void take_line(struct goroutines *it, const char *line)
{
    struct told_wait *told = &it->told[it->told_count];
    char object[32];
    assert_in_range(it->told_count, 0, MAX_TOLD - 1);
    if (sscanf(line, "%47s case %23s %31s", told->function, told->op, object) == 3)
        memmove(told->op + 5, told->op, sizeof(told->op) - 5), memcpy(told->op, "case ", 5);
    else
        assert_int_equal(sscanf(line, "%47s %23s %31s", told->function, told->op, object), 3);
    told->any = strcmp(object, "any") == 0;
    told->object = told->any ? 0 : strtoull(object, NULL, 16);
    for (char *at = told->op; *at; at++)
        *at = *at == '_' ? ' ' : *at;
    it->told_count++;
}

/* The mappings of the program's file, and its zeroed variables, which follow it. */
static void take_ranges(struct goroutines *it, const char *program)
{
    char path[64], line[4096 + 256], name[4096];
    uint64_t last = 0;
    snprintf(path, sizeof(path), "/proc/%d/maps", it->pid);
    FILE *maps = fopen(path, "r");
    assert_non_null(maps);
    while (fgets(line, sizeof(line), maps)) {
        uint64_t start, end;
        char access[5];
        name[0] = '\0';
        assert_true(sscanf(line, "%" SCNx64 "-%" SCNx64 " %4s %*s %*s %*s %4095s", &start, &end,
                           access, name) >= 3);
        bool follows = it->range_count > 0 && start == last && name[0] == '\0';
        if ((strcmp(name, program) != 0 && !follows) || it->range_count == MAX_RANGES)
            continue;
        it->ranges[it->range_count++] =
            (struct go_range){start, end, access[0] == 'r', access[1] == 'w', access[2] == 'x'};
        last = end;
    }
    fclose(maps);
}

void goroutines_start(struct goroutines *ret, const char *mode, const char *debug)
{
    const char *program = goroutines_program(mode);
    int in[2], out[2];
    char line[256], real[4096];
    memset(ret, 0, sizeof(*ret));
    assert_int_equal(pipe(in), 0);
    assert_int_equal(pipe(out), 0);
    ret->pid = fork();
    assert_true(ret->pid >= 0);
    if (ret->pid == 0) {
        dup2(in[0], STDIN_FILENO);
        dup2(out[1], STDOUT_FILENO);
        close(in[1]);
        close(out[0]);
        setenv("GODEBUG", debug, 1);
        execl(program, program, (char *)NULL);
        _exit(127);
    }
    close(in[0]);
    close(out[1]);
    ret->in = in[1];
    FILE *said = fdopen(out[0], "r");
    assert_non_null(said);
    for (;;) {
        if (!fgets(line, sizeof(line), said))
            fail_msg("%s ended", program);
        if (strcmp(line, "ready\n") == 0)
            break;
        take_line(ret, line);
    }
    fclose(said);
    assert_non_null(realpath(program, real));
    take_ranges(ret, real);
}

void goroutines_end(struct goroutines *it)
{
    close(it->in);
    kill(it->pid, SIGKILL);
    waitpid(it->pid, NULL, 0);
}

static bool read_now(pid_t pid, uint64_t address, void *to, size_t bytes)
{
    struct iovec here = {to, bytes};
    struct iovec there = {(void *)address, bytes};
    return process_vm_readv(pid, &here, 1, &there, 1, 0) == (ssize_t)bytes;
}

static void read_process(struct mem_reader *reader, struct mem_piece *pieces, size_t count)
{
    struct page_reader *process = (struct page_reader *)reader;
    process->pieces += count;
    for (size_t i = 0; i < count; i++)
        pieces[i].ok = read_now(process->pid, pieces[i].address, pieces[i].to, pieces[i].bytes);
}

void process_reader_init(struct page_reader *ret, pid_t pid)
{
    *ret = (struct page_reader){.reader = {read_process}, .pid = pid};
}

/* ---- Pages that stay ---- */

static struct page *page_of(struct page_reader *reader, uint64_t address)
{
    size_t mask = reader->page_room - 1;
    size_t at = (address / PAGE_BYTES * UINT64_C(0x9e3779b97f4a7c15) >> 20) & mask;
    while (reader->pages[at].bytes && reader->pages[at].address != address)
        at = (at + 1) & mask;
    struct page *page = &reader->pages[at];
    if (page->bytes)
        return page;
    if (reader->pid == 0 || reader->page_count > reader->page_room / 2)
        return NULL;
    page->address = address;
    page->bytes = calloc(1, PAGE_BYTES);
    assert_non_null(page->bytes);
    page->readable = read_now(reader->pid, address, page->bytes, PAGE_BYTES);
    reader->page_count++;
    return page;
}

static bool read_from_pages(struct page_reader *reader, uint64_t address, uint8_t *to, size_t bytes)
{
    if (bytes > UINT64_MAX - PAGE_BYTES - address)
        return false;
    while (bytes > 0) {
        size_t offset = address % PAGE_BYTES;
        size_t some = PAGE_BYTES - offset < bytes ? PAGE_BYTES - offset : bytes;
        struct page *page = page_of(reader, address - offset);
        if (!page || !page->readable)
            return false;
        memcpy(to, page->bytes + offset, some);
        address += some;
        to += some;
        bytes -= some;
    }
    return true;
}

static void read_pages(struct mem_reader *reader, struct mem_piece *pieces, size_t count)
{
    struct page_reader *pages = (struct page_reader *)reader;
    pages->pieces += count;
    for (size_t i = 0; i < count; i++) {
        pieces[i].ok = read_from_pages(pages, pieces[i].address, pieces[i].to, pieces[i].bytes);
        if (pages->asked && pieces[i].ok && pieces[i].bytes > 0 && pieces[i].bytes <= PAGE_BYTES &&
            pages->asked_count < pages->asked_room)
            pages->asked[pages->asked_count++] = pieces[i];
    }
}

uint8_t *page_reader_at(struct page_reader *reader, uint64_t address)
{
    struct page *page = page_of(reader, address - address % PAGE_BYTES);
    return page && page->readable ? page->bytes + address % PAGE_BYTES : NULL;
}

void page_reader_init(struct page_reader *ret, pid_t pid)
{
    *ret = (struct page_reader){.reader = {read_pages}, .pid = pid, .page_room = 1 << 15};
    ret->pages = calloc(ret->page_room, sizeof(*ret->pages));
    assert_non_null(ret->pages);
}

void page_reader_deinit(struct page_reader *reader)
{
    for (size_t i = 0; i < reader->page_room; i++)
        free(reader->pages[i].bytes);
    free(reader->pages);
}
