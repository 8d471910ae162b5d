/* Names as the programmer wrote them, from names as the linker knows them. */
#ifndef LEAKSPY_ANALYZER_DEBUG_DEMANGLE_H
#define LEAKSPY_ANALYZER_DEBUG_DEMANGLE_H

/* Longer names than this, in bytes, are returned as they are. */
#define DEMANGLE_MAX_BYTES 65536

/* Demangle a linker's name: C++ (namespaces and template arguments are kept, parameter lists and
 * return types are not), Rust (legacy, without its hash, and v0), and gccgo (`net_1http.Get` is
 * `net/http.Get`). A name that is none of these, a plain C name for one, comes back unchanged.
 * Symbol versions ("@GLIBC_2.34") and the suffixes of compiler-made copies (".part.0",
 * ".constprop.1",
 * ".cold", ".llvm.123") are cut off.
 *
 * linker_name: not NULL; may be anything at all, it is not trusted.
 * Returns a string to be freed by the caller, or NULL when there is no memory. Any thread. */
char *demangle(const char *linker_name);

/* Finish a Go name that is spelt as in gccgo's debug information: already decoded, but with the
 * compiler's own suffixes, so that `main.main..func1` reads `main.main.func1`.
 *
 * Returns a string to be freed by the caller, or NULL when there is no memory. Any thread. */
char *demangle_go_spelling(const char *name);

#endif
