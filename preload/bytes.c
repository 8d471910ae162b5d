/* What <string.h> promises, as far as the library uses it, without libc: hidden, so that these are
 * the library's alone, and whatever it calls, and the compiler has it call, ends here.
 *
 * A sanitizer's runtime, or the program itself, may have put functions of its own in libc's place.
 * Those of ThreadSanitizer would take what the library does in memory that it alone knows for the
 * program's doing, and report races; and they keep books of the calling thread, which the sampler's
 * is not. These are also there before libc has chosen its own for the processor.
 *
 * Most of what they are given is a few dozen bytes. They are compiled so that no loop becomes a
 * call of the function that it is in. */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef uint8_t piece __attribute__((vector_size(16), aligned(1), may_alias));
typedef uint64_t word __attribute__((aligned(1), may_alias));

/* Also right where the two overlap and `to` is the lower one. */
static inline void copy_upwards(char *to, const char *from, size_t bytes)
{
    for (; bytes >= sizeof(piece); bytes -= sizeof(piece)) {
        *(piece *)to = *(const piece *)from;
        to += sizeof(piece);
        from += sizeof(piece);
    }
    if (bytes >= sizeof(word)) {
        *(word *)to = *(const word *)from;
        to += sizeof(word);
        from += sizeof(word);
        bytes -= sizeof(word);
    }
    while (bytes-- > 0)
        *to++ = *from++;
}

void *memcpy(void *to, const void *from, size_t bytes)
{
    copy_upwards(to, from, bytes);
    return to;
}

void *memmove(void *to, const void *from, size_t bytes)
{
    if ((uintptr_t)to - (uintptr_t)from >= bytes)
        copy_upwards(to, from, bytes);
    else
        while (bytes-- > 0)
            ((char *)to)[bytes] = ((const char *)from)[bytes];
    return to;
}

void *memset(void *to, int value, size_t bytes)
{
    char *at = to;
    word filled = (uint8_t)value * UINT64_C(0x0101010101010101);
    for (; bytes >= sizeof(word); bytes -= sizeof(word)) {
        *(word *)at = filled;
        at += sizeof(word);
    }
    while (bytes-- > 0)
        *at++ = (char)value;
    return to;
}

int memcmp(const void *one, const void *other, size_t bytes)
{
    const uint8_t *a = one, *b = other;
    for (; bytes >= sizeof(word) && *(const word *)a == *(const word *)b; bytes -= sizeof(word)) {
        a += sizeof(word);
        b += sizeof(word);
    }
    for (; bytes > 0; bytes--, a++, b++)
        if (*a != *b)
            return *a - *b;
    return 0;
}

void *memchr(const void *in, int value, size_t bytes)
{
    const uint64_t ones = UINT64_C(0x0101010101010101), tops = ones << 7;
    const uint8_t *at = in;
    uint8_t wanted = (uint8_t)value;
    /* What is wanted may stand before the end of what may be read: no word crosses a page. */
    for (; bytes > 0 && (uintptr_t)at % sizeof(word) != 0; bytes--, at++)
        if (*at == wanted)
            return (void *)(uintptr_t)at;
    for (; bytes >= sizeof(word); bytes -= sizeof(word), at += sizeof(word)) {
        uint64_t zero_if_wanted = *(const word *)at ^ (wanted * ones);
        if ((zero_if_wanted - ones) & ~zero_if_wanted & tops) /* a byte of it is zero */
            break;
    }
    for (; bytes > 0; bytes--, at++)
        if (*at == wanted)
            return (void *)(uintptr_t)at;
    return NULL;
}

void *memmem(const void *in, size_t bytes, const void *wanted, size_t wanted_bytes)
{
    const uint8_t *at = in, *end = at + bytes;
    if (wanted_bytes == 0)
        return (void *)(uintptr_t)in;
    for (; (size_t)(end - at) >= wanted_bytes; at++) {
        at = memchr(at, *(const uint8_t *)wanted, (size_t)(end - at) - wanted_bytes + 1);
        if (at == NULL)
            return NULL;
        if (memcmp(at, wanted, wanted_bytes) == 0)
            return (void *)(uintptr_t)at;
    }
    return NULL;
}

size_t strlen(const char *string)
{
    size_t length = 0;
    while (string[length] != '\0')
        length++;
    return length;
}

size_t strnlen(const char *string, size_t most)
{
    const char *end = memchr(string, '\0', most);
    return end != NULL ? (size_t)(end - string) : most;
}

char *strchr(const char *string, int value)
{
    for (; *string != (char)value; string++)
        if (*string == '\0')
            return NULL;
    return (char *)(uintptr_t)string;
}

char *strrchr(const char *string, int value)
{
    for (size_t left = strlen(string) + 1; left > 0; left--)
        if (string[left - 1] == (char)value)
            return (char *)(uintptr_t)&string[left - 1];
    return NULL;
}

int strncmp(const char *one, const char *other, size_t most)
{
    for (; most > 0; most--, one++, other++)
        if (*one != *other || *one == '\0')
            return (uint8_t)*one - (uint8_t)*other;
    return 0;
}

int strcmp(const char *one, const char *other)
{
    return strncmp(one, other, SIZE_MAX);
}

size_t strcspn(const char *string, const char *any)
{
    size_t length = 0;
    while (string[length] != '\0' && strchr(any, string[length]) == NULL)
        length++;
    return length;
}

char *strstr(const char *string, const char *wanted)
{
    return memmem(string, strlen(string), wanted, strlen(wanted));
}
