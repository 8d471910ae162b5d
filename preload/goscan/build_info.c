#include "preload/goscan/build_info.h"

#include <string.h>

#define POINTER_BYTES_AT 14
#define FLAGS_AT 15
#define FLAG_BIG_ENDIAN 1
#define FLAG_INLINE 2 /* since 1.18: the text itself follows */
#define HEADER_BYTES 32

bool go_build_begins(const void *bytes)
{
    return memcmp(bytes, GO_BUILD_MAGIC, sizeof(GO_BUILD_MAGIC) - 1) == 0;
}

/* "go1.24.3", "go1.27rc1 X:…", "devel go1.28-…": 24, 27, 28. */
static unsigned minor_of(const char *version)
{
    const char *at = strstr(version, "go1.");
    if (!at)
        return 0;
    unsigned minor = 0;
    for (at += 4; *at >= '0' && *at <= '9' && minor < 1000; at++)
        minor = minor * 10 + (unsigned)(*at - '0');
    return minor;
}

/* A text without bytes that no version has. */
static bool take_version(struct go_build *ret, const char *text, uint64_t bytes)
{
    if (bytes == 0)
        return false;
    if (bytes >= sizeof(ret->version))
        bytes = sizeof(ret->version) - 1;
    for (uint64_t i = 0; i < bytes; i++) {
        if (text[i] < ' ' || text[i] > '~')
            return false;
    }
    memcpy(ret->version, text, bytes);
    ret->version[bytes] = '\0';
    ret->minor = minor_of(ret->version);
    return true;
}

/* The length is a varint, the text follows. */
static bool read_inline(struct go_build *ret, struct mem_reader *reader, uint64_t address)
{
    uint8_t length[2];
    if (!mem_read(reader, address, length, sizeof(length)))
        return false;
    uint64_t bytes = length[0] & 0x7f;
    address++;
    if ((length[0] & 0x80) != 0) {
        bytes |= (uint64_t)length[1] << 7;
        address++;
    }
    char text[sizeof(ret->version)];
    size_t wanted = bytes < sizeof(text) ? bytes : sizeof(text);
    return mem_read(reader, address, text, wanted) && take_version(ret, text, bytes);
}

/* A pointer to a string header. */
static bool read_pointed(struct go_build *ret, struct mem_reader *reader, uint64_t pointer)
{
    uint64_t string[2];
    char text[sizeof(ret->version)];
    if (!mem_read(reader, pointer, string, sizeof(string)))
        return false;
    size_t wanted = string[1] < sizeof(text) ? string[1] : sizeof(text);
    return mem_read(reader, string[0], text, wanted) && take_version(ret, text, string[1]);
}

bool go_build_read(struct go_build *ret, struct mem_reader *reader, uint64_t address)
{
    uint8_t header[HEADER_BYTES];
    memset(ret, 0, sizeof(*ret));
    if (!mem_read(reader, address, header, sizeof(header)) || !go_build_begins(header) ||
        (header[FLAGS_AT] & FLAG_BIG_ENDIAN) != 0)
        return false;
    if ((header[FLAGS_AT] & FLAG_INLINE) != 0)
        return read_inline(ret, reader, address + HEADER_BYTES);
    uint64_t pointer;
    memcpy(&pointer, header + 16, sizeof(pointer));
    ret->old = true;
    return header[POINTER_BYTES_AT] == 8 && read_pointed(ret, reader, pointer);
}

bool go_build_read_variable(struct go_build *ret, struct mem_reader *reader, uint64_t address)
{
    memset(ret, 0, sizeof(*ret));
    return read_pointed(ret, reader, address) && ret->minor != 0;
}
