/* The shape of a name decides who decodes it: C++ and Rust say who they are by a prefix and go to
 * libiberty; gccgo's names are told by their alphabet and decoded here, because libiberty would
 * take some of them for something else. Everything may come from a hostile file, so the length of
 * what goes in and of what comes out is bounded (a name of a hundred bytes can stand for
 * terabytes). */
#include "analyzer/debug/demangle.h"

#include <libiberty/demangle.h>
#include <setjmp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* libiberty decodes C++ by recursion over the name, on the stack: at most this many bytes of name
 * keep it within a few MiB. Its own limit, which is not used, would refuse names over 1 KiB. */
#define CPLUS_MAX_BYTES 4096
#define OUTPUT_MAX_BYTES 65536

/* ---- C++ and Rust ---- */

struct output {
    char *text;
    size_t bytes;
    size_t room;
    jmp_buf give_up;
};

/* Called by libiberty with each piece. It keeps nothing on the heap while it prints C++ (and at
 * most one identifier's characters in Rust), so that leaving by longjmp is safe. */
static void output_append(const char *piece, size_t piece_bytes, void *opaque)
{
    struct output *out = opaque;
    if (piece_bytes == 0)
        return;
    if (piece_bytes > OUTPUT_MAX_BYTES - out->bytes)
        longjmp(out->give_up, 1);
    if (piece_bytes >= out->room - out->bytes) {
        size_t room = (out->bytes + piece_bytes + 1) * 2;
        char *text = realloc(out->text, room);
        if (text == NULL)
            longjmp(out->give_up, 1);
        out->text = text;
        out->room = room;
    }
    memcpy(out->text + out->bytes, piece, piece_bytes);
    out->bytes += piece_bytes;
    out->text[out->bytes] = '\0';
}

typedef int demangle_function(const char *, int, demangle_callbackref, void *);

/* Run one of libiberty's demanglers; NULL when it does not know the name, or says too much. */
static char *run_libiberty(demangle_function *function, const char *name, int options)
{
    struct output *out = calloc(1, sizeof(*out));
    if (out == NULL)
        return NULL;
    char *text = NULL;
    if (setjmp(out->give_up) == 0 && function(name, options, output_append, out) != 0 &&
        out->bytes > 0) {
        text = out->text;
        out->text = NULL;
    }
    free(out->text);
    free(out);
    return text;
}

static char *demangle_rust_or_cplus(const char *name)
{
    /* A legacy Rust name is a valid C++ name too; only Rust's demangler knows about its hash. */
    char *text = run_libiberty(rust_demangle_callback, name, DMGL_NO_OPTS);
    if (text == NULL && strlen(name) <= CPLUS_MAX_BYTES)
        text = run_libiberty(cplus_demangle_v3_callback, name, DMGL_NO_RECURSE_LIMIT);
    return text;
}

/* ---- Go, as gccgo spells it ---- */

/* What gccgo writes for characters that a linker's name cannot have. */
static const struct {
    char code;
    char meaning;
    bool in_path; /* may stand in a package's path */
} go_escapes[] = {
    {'_', '_', true},  {'0', '.', true},  {'1', '/', true},  {'2', '*', false}, {'3', ',', false},
    {'4', '{', false}, {'5', '}', false}, {'6', '[', false}, {'7', ']', false}, {'8', '(', false},
    {'9', ')', false}, {'a', '"', false}, {'b', ' ', false}, {'c', ';', false},
};

/* `_x`, `_u` and `_U` are followed by the hexadecimal digits of a character. */
static size_t go_hex_digits(char code)
{
    return code == 'x' ? 2 : code == 'u' ? 4 : code == 'U' ? 8 : 0;
}

/* gccgo writes lower-case digits. Returns false when there is no such character. */
static bool read_hex(const char *text, size_t digits, uint32_t *ret)
{
    uint32_t value = 0;
    for (size_t i = 0; i < digits; i++) {
        if (text[i] >= '0' && text[i] <= '9')
            value = value << 4 | (uint32_t)(text[i] - '0');
        else if (text[i] >= 'a' && text[i] <= 'f')
            value = value << 4 | (uint32_t)(text[i] - 'a' + 10);
        else
            return false;
    }
    *ret = value;
    return value >= ' ' && value <= 0x10ffff && (value < 0xd800 || value > 0xdfff);
}

static size_t write_utf8(uint32_t c, char *to)
{
    if (c < 0x80) {
        to[0] = (char)c;
        return 1;
    }
    size_t more = c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;
    static const uint8_t lead[] = {0, 0xc0, 0xe0, 0xf0};
    to[0] = (char)(lead[more] | c >> (6 * more));
    for (size_t i = 1; i <= more; i++)
        to[i] = (char)(0x80 | (c >> (6 * (more - i)) & 0x3f));
    return more + 1;
}

/* Decode bytes of a name. in_path: they are a package's path. Returns the number of bytes written
 * to `to`, which never exceeds `bytes`, or 0 when gccgo does not write such a name. */
static size_t go_decode(const char *from, size_t bytes, bool in_path, char *to)
{
    size_t written = 0;
    for (size_t i = 0; i < bytes; i++) {
        if (from[i] != '_') {
            to[written++] = from[i];
            continue;
        }
        if (++i == bytes)
            return 0;
        size_t digits = go_hex_digits(from[i]);
        uint32_t c;
        if (digits > 0) {
            if (bytes - i <= digits || !read_hex(from + i + 1, digits, &c))
                return 0;
            written += write_utf8(c, to + written);
            i += digits;
            continue;
        }
        size_t row = 0;
        while (row < sizeof(go_escapes) / sizeof(go_escapes[0]) && go_escapes[row].code != from[i])
            row++;
        if (row == sizeof(go_escapes) / sizeof(go_escapes[0]) ||
            (in_path && !go_escapes[row].in_path))
            return 0;
        to[written++] = go_escapes[row].meaning;
    }
    return written;
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool brackets_match(const char *text)
{
    int round = 0, square = 0, curly = 0;
    for (; *text != '\0'; text++) {
        round += (*text == '(') - (*text == ')');
        square += (*text == '[') - (*text == ']');
        curly += (*text == '{') - (*text == '}');
        if (round < 0 || square < 0 || curly < 0)
            return false;
    }
    return round == 0 && square == 0 && curly == 0;
}

/* gccgo writes the package's path twice before some suffixes: in "main.main..init0", and in the
 * "fmt.fmt.pp.catchPanic..r" of a method. Returns the name from its second path on. */
static const char *go_skip_repeated_path(const char *name)
{
    const size_t longest_path = 1024;
    for (const char *dot = strchr(name, '.'); dot != NULL; dot = strchr(dot + 1, '.')) {
        size_t path_bytes = (size_t)(dot - name);
        if (path_bytes > longest_path)
            break;
        const char *rest = dot + 1;
        if (strncmp(rest, name, path_bytes) != 0)
            continue;
        const char *after = rest + path_bytes;
        bool init = strncmp(after, "..init", 6) == 0;
        bool method = after[0] == '.' && after[1] != '.' && strcmp(strrchr(after, '.'), ".r") == 0;
        if (init || method)
            return rest;
    }
    return name;
}

/* Go's spelling of what a compiler-made suffix begins with. */
static const struct {
    const char *gccgo;
    const char *go;
    bool last; /* it is the whole rest of the name */
} go_suffixes[] = {
    {"..stub", "", true},                 /* a method that only calls an embedded type's */
    {"..r", "", true},                    /* the part of a function that may recover */
    {"..go..func", ".glob..func", false}, /* a closure in the value of a package's variable */
    {"..init", ".init.", false},
    {"..", ".", false}, /* "main.main..func1" is "main.main.func1" */
};

char *demangle_go_spelling(const char *name)
{
    const char *from = go_skip_repeated_path(name);
    char *text = malloc(2 * strlen(from) + 1);
    if (text == NULL)
        return NULL;
    char *to = text;
    while (*from != '\0') {
        if (from == name || from[0] != '.' || from[1] != '.') {
            *to++ = *from++;
            continue;
        }
        size_t row = 0;
        while (go_suffixes[row].last
                   ? strcmp(from, go_suffixes[row].gccgo) != 0
                   : strncmp(from, go_suffixes[row].gccgo, strlen(go_suffixes[row].gccgo)) != 0)
            row++;
        to = stpcpy(to, go_suffixes[row].go);
        from += strlen(go_suffixes[row].gccgo);
    }
    *to = '\0';
    return text;
}

/* Decode a linker's name that gccgo may have written: a package's path and what is in it, with a
 * dot between. Returns NULL when this one has another shape. */
static char *demangle_go(const char *name)
{
    size_t bytes = strlen(name);
    const char *dot = strchr(name, '.');
    if (dot == NULL || !is_letter(name[0]) || !(is_letter(dot[1]) || dot[1] == '.') ||
        strncmp(name, "caml", 4) == 0) /* OCaml's names would pass */
        return NULL;
    for (size_t i = 0; i < bytes; i++)
        if (!is_letter(name[i]) && !is_digit(name[i]) && name[i] != '.')
            return NULL;

    char *decoded = malloc(bytes + 1);
    if (decoded == NULL)
        return NULL;
    size_t path_bytes = (size_t)(dot - name);
    size_t head = go_decode(name, path_bytes, true, decoded);
    size_t tail = head == 0 ? 0 : go_decode(dot, bytes - path_bytes, false, decoded + head);
    char *text = NULL;
    decoded[head + tail] = '\0';
    if (tail > 0 && brackets_match(decoded))
        text = demangle_go_spelling(decoded);
    free(decoded);
    return text;
}

/* ---- All names ---- */

/* How many bytes of a name remain without the suffixes that compilers give to the copies and parts
 * of a function: a word of this table, and maybe a dot and a number. */
static size_t bytes_without_copies(const char *name, size_t bytes)
{
    static const char *const words[] = {".part",     ".constprop",  ".isra", ".cold", ".llvm",
                                        ".lto_priv", ".localalias", ".warm", ".hot"};
    for (;;) {
        size_t end = bytes;
        while (end > 0 && is_digit(name[end - 1]))
            end--;
        end = end > 0 && end < bytes && name[end - 1] == '.' ? end - 1 : bytes;
        size_t row = 0;
        size_t shorter = bytes;
        for (; row < sizeof(words) / sizeof(words[0]) && shorter == bytes; row++) {
            size_t word_bytes = strlen(words[row]);
            if (end > word_bytes && memcmp(name + end - word_bytes, words[row], word_bytes) == 0)
                shorter = end - word_bytes;
        }
        if (shorter == bytes)
            return bytes;
        bytes = shorter;
    }
}

/* The same without the version that a dynamic symbol has in some tools: "read@@GLIBC_2.2.5". */
static size_t bytes_without_version(const char *name, size_t bytes)
{
    const char *at = memchr(name, '@', bytes);
    return at != NULL && at != name && memchr(at, '/', bytes - (size_t)(at - name)) == NULL
               ? (size_t)(at - name)
               : bytes;
}

char *demangle(const char *linker_name)
{
    size_t bytes = strnlen(linker_name, DEMANGLE_MAX_BYTES + 1);
    if (bytes > DEMANGLE_MAX_BYTES)
        return strdup(linker_name);
    char *name = strndup(
        linker_name, bytes_without_copies(linker_name, bytes_without_version(linker_name, bytes)));
    if (name == NULL)
        return NULL;
    bool prefixed = name[0] == '_' && (name[1] == 'Z' || name[1] == 'R');
    char *text = prefixed ? demangle_rust_or_cplus(name) : demangle_go(name);
    if (text == NULL)
        return name;
    free(name);
    return text;
}
