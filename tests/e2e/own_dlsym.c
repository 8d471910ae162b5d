/* dlsym and dlvsym as a library that is preloaded, or a program, has them that looks at what others
 * ask for: they pass it on to libc's, for which RTLD_NEXT is then what comes after this file. */
#include <dlfcn.h>
#include <elf.h>
#include <link.h>
#include <stdlib.h>
#include <string.h>

/* As those do it that cannot ask dlsym: a function in libc's own table of symbols, which ends where
 * that of their names begins. */
static void *find_in_libc(const char *name)
{
    const struct link_map *libc = dlopen("libc.so.6", RTLD_LAZY | RTLD_NOLOAD);
    const ElfW(Sym) *symbol = NULL;
    const char *names = NULL;
    for (const ElfW(Dyn) *entry = libc->l_ld; entry->d_tag != DT_NULL; entry++) {
        if (entry->d_tag == DT_SYMTAB)
            symbol = (const ElfW(Sym) *)entry->d_un.d_ptr;
        else if (entry->d_tag == DT_STRTAB)
            names = (const char *)entry->d_un.d_ptr;
    }
    for (; (const char *)symbol < names; symbol++)
        if (strcmp(names + symbol->st_name, name) == 0)
            return (void *)(libc->l_addr + symbol->st_value);
    abort();
}

void *dlsym(void *handle, const char *symbol)
{
    static void *(*libcs)(void *, const char *);
    if (!libcs)
        *(void **)&libcs = find_in_libc("dlsym");
    void *found = libcs(handle, symbol);
    __asm__ volatile(""); /* a call that is the last thing would have our caller as its own */
    return found;
}

void *dlvsym(void *handle, const char *symbol, const char *version)
{
    static void *(*libcs)(void *, const char *, const char *);
    if (!libcs)
        *(void **)&libcs = find_in_libc("dlvsym");
    void *found = libcs(handle, symbol, version);
    __asm__ volatile("");
    return found;
}
