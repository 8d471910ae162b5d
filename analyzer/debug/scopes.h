/* The namespaces, classes and functions around a declaration. */
#ifndef LEAKSPY_ANALYZER_DEBUG_SCOPES_H
#define LEAKSPY_ANALYZER_DEBUG_SCOPES_H

#include <elfutils/libdw.h>

struct debug_scopes;

/* The scopes of one unit, whose topmost entry is given. NULL when there is no memory. */
struct debug_scopes *debug_scopes_create(Dwarf_Die *unit);

/* NULL is fine. */
void debug_scopes_destroy(struct debug_scopes *scopes);

/* The scope that a function was declared in, "shop::Box<int>", for its entry in the unit or that of
 * one of its inlined calls. NULL when it was declared in none, or in another unit. Lives as long as
 * `scopes`. */
const char *debug_scopes_of(struct debug_scopes *scopes, Dwarf_Die *function);

#endif
