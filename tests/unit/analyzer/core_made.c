#include "tests/unit/analyzer/core_made.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "analyzer/core/image.h"

struct made_core made_core = {.fd = -1};
struct own_program own;

int core_start(void **state)
{
    (void)state;
    made_core.builder = core_builder_create();
    made_core.fd = memfd_create("core", MFD_CLOEXEC);
    assert_true(made_core.fd >= 0);
    snprintf(made_core.path, sizeof(made_core.path), "/proc/self/fd/%d", made_core.fd);
    return 0;
}

int core_end(void **state)
{
    (void)state;
    core_builder_destroy(made_core.builder);
    close(made_core.fd);
    return 0;
}

void write_bytes(const void *bytes, size_t count)
{
    assert_int_equal(ftruncate(made_core.fd, 0), 0);
    assert_int_equal(pwrite(made_core.fd, bytes, count, 0), (ssize_t)count);
}

void write_core(void)
{
    size_t count;
    const unsigned char *bytes = core_builder_finish(made_core.builder, 0, &count);
    write_bytes(bytes, count);
}

void open_core(struct image *image, const char *exe)
{
    struct err err = {0};
    if (!image_open_core(image, made_core.path, exe, &err))
        fail_msg("%s: %s", err.what, err.why);
}

void assert_refused(const char *exe, enum err_kind kind, const char *why)
{
    struct image image;
    struct err err = {0};
    assert_false(image_open_core(&image, made_core.path, exe, &err));
    if (err.kind != kind || !strstr(err.why, why))
        fail_msg("kind %d, %s: no \"%s\" in it", err.kind, err.why, why);
}

void assert_noted(const struct image *image, const char *what)
{
    for (size_t i = 0; i < image->note_count; i++) {
        if (strstr(image->notes[i], what))
            return;
    }
    fail_msg("no note says \"%s\" (the first of %zu: %s)", what, image->note_count,
             image->note_count ? image->notes[0] : "none");
}

void add_thread(uint32_t tid, int signal)
{
    struct core_builder_thread thread = {.tid = tid, .signal = signal, .call = -1, .sp = STACK};
    core_builder_thread(made_core.builder, &thread);
}

int read_own_program(void **state)
{
    (void)state;
    struct stat status;
    ssize_t length = readlink("/proc/self/exe", own.path, sizeof(own.path) - 1);
    int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    assert_true(length > 0 && fd >= 0 && fstat(fd, &status) == 0);
    own.count = (size_t)status.st_size;
    own.bytes = malloc(own.count);
    assert_int_equal(read(fd, own.bytes, own.count), status.st_size);
    close(fd);
    own.header = (const Elf64_Ehdr *)own.bytes;
    own.segments = (const Elf64_Phdr *)(own.bytes + own.header->e_phoff);
    return 0;
}

int free_own_program(void **state)
{
    (void)state;
    free(own.bytes);
    return 0;
}

uint64_t page_of(uint64_t address)
{
    return address & ~UINT64_C(4095);
}
