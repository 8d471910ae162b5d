/* Call stacks, stored once: stack -> row of the recording's site table. */
#ifndef LEAKSPY_SITES_H
#define LEAKSPY_SITES_H

#include <stddef.h>
#include <stdint.h>

/* The site of a stack of `count` return addresses, innermost first; `flags` is of enum
 * rec_site_flag. 0: the stack is empty, or there is no room (counted). Lock-free, also where the
 * site is new; no allocation. Any thread, any context. */
uint32_t site_store(const uint64_t *pcs, size_t count, uint16_t flags);

/* For a new recording (also after fork): forgets all sites. */
void site_reset(void);

#endif
