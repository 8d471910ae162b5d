/* Writes small cores, good and bad ones. */
#ifndef LEAKSPY_TEST_CORE_BUILDER_H
#define LEAKSPY_TEST_CORE_BUILDER_H

#include <elf.h>
#include <stddef.h>
#include <stdint.h>

struct core_builder;

struct core_builder *core_builder_create(void);
void core_builder_destroy(struct core_builder *b);

/* To be changed before it is written. */
Elf64_Ehdr *core_builder_header(struct core_builder *b);

/* A PT_LOAD of which `file_bytes` bytes were dumped; flags: PF_R … */
void core_builder_load(struct core_builder *b, uint64_t address, uint64_t memory_bytes,
                       const void *bytes, size_t file_bytes, uint32_t flags);

/* A row of NT_FILE; in the order of addresses. */
void core_builder_file(struct core_builder *b, uint64_t start, uint64_t end, uint64_t offset,
                       const char *path);

/* What a thread was in. call -1: in no system call. result: rax. */
struct core_builder_thread {
    uint32_t tid;
    int signal;
    int64_t call, result;
    uint64_t args[6];
    uint64_t pc, sp, thread_pointer;
};

void core_builder_thread(struct core_builder *b, const struct core_builder_thread *thread);

/* NT_PRPSINFO. */
void core_builder_process(struct core_builder *b, uint32_t pid, const char *name,
                          const char *arguments);

/* NT_AUXV: `count` pairs. */
void core_builder_vector(struct core_builder *b, const uint64_t (*pairs)[2], size_t count);

/* Puts it together; the bytes are the builder's. many: the count of program headers stands where
 * there is room for more than 65535. */
const unsigned char *core_builder_finish(struct core_builder *b, int many, size_t *ret_bytes);

#endif
