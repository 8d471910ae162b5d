/* A program with an allocator of its own, which takes a lock, as such ones do: whoever allocates in
 * a wrapper of pthread_mutex_lock comes back to where it is. */
#include <pthread.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/e2e/check.h"

enum { HEAP = 64 << 20, ALIGNMENT = 16, THREADS = 4, ROUNDS = 1000 };

static pthread_mutex_t heap_lock = PTHREAD_MUTEX_INITIALIZER;
static _Alignas(ALIGNMENT) char heap[HEAP];
static size_t used;

/* Each piece has its size before it; none is ever used again. */
static void *take(size_t bytes, size_t alignment)
{
    void *piece = NULL;
    pthread_mutex_lock(&heap_lock);
    size_t at = (used + ALIGNMENT + alignment - 1) & ~(alignment - 1);
    if (bytes < HEAP && at < HEAP - bytes) {
        used = (at + bytes + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1);
        piece = heap + at;
        ((size_t *)piece)[-1] = bytes;
    }
    pthread_mutex_unlock(&heap_lock);
    return piece;
}

void *malloc(size_t bytes)
{
    return take(bytes, ALIGNMENT);
}

void *calloc(size_t count, size_t bytes)
{
    return take(count * bytes, ALIGNMENT); /* static memory is 0 */
}

void *realloc(void *old, size_t bytes)
{
    char *piece = take(bytes, ALIGNMENT);
    size_t had = old ? ((size_t *)old)[-1] : 0;
    for (size_t i = 0; piece && i < had && i < bytes; i++)
        piece[i] = ((char *)old)[i];
    return piece;
}

void *aligned_alloc(size_t alignment, size_t bytes)
{
    return take(bytes, alignment < ALIGNMENT ? ALIGNMENT : alignment);
}

void free(void *piece)
{
    (void)piece;
}

static void *allocate(void *unused)
{
    for (int i = 0; i < ROUNDS; i++)
        free(malloc((size_t)i % 100));
    return unused;
}

int main(void)
{
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        CHECK(pthread_create(&threads[i], NULL, allocate, NULL) == 0);
    for (int i = 0; i < THREADS; i++)
        CHECK(pthread_join(threads[i], NULL) == 0);
    puts("went on");
    return 0;
}
