/* Thread-local storage for the sampler's thread, which libc does not know of: where modules have
 * theirs around the thread pointer, and what a new thread finds there. */
#ifndef LEAKSPY_SAMPLER_TLS_H
#define LEAKSPY_SAMPLER_TLS_H

#include <stdbool.h>
#include <stdint.h>

/* At start, where sampler_tls_init follows later: what the program has, so that storage of
 * libraries which it opens meanwhile is not taken for a part of it. */
void sampler_tls_look_at_start(void);

/* Learns how it is laid out. At start, in the loader's constructors, or before the first thread is
 * made. */
void sampler_tls_init(void);

/* False: not known, or ours lies elsewhere. Then there can be no sampler. */
bool sampler_tls_is_known(void);

/* How much a thread needs of it. */
uint64_t sampler_tls_bytes(void);

/* Makes the sampler's in sampler_tls_bytes() bytes at `at`, and returns its thread pointer: what a
 * new thread finds, so that it has no part in what the calling thread keeps there. The runtime of
 * ThreadSanitizer finds a thread that it has not begun, and does nothing for it. libc is only ever
 * reached through libunwind's few harmless calls, which want a stack canary, an errno, and a mutex.
 */
char *sampler_tls_make(char *at);

#endif
