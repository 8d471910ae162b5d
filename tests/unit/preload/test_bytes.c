/* The library's own memory and strings do as libc's: for every length up to a few words, at every
 * place in a word, with the difference or what is looked for at every place. */
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/unit/preload/recording_here.h"

#define memcpy own_memcpy
#define memmove own_memmove
#define memset own_memset
#define memcmp own_memcmp
#define memchr own_memchr
#define memmem own_memmem
#define strlen own_strlen
#define strnlen own_strnlen
#define strchr own_strchr
#define strrchr own_strrchr
#define strncmp own_strncmp
#define strcmp own_strcmp
#define strcspn own_strcspn
#define strstr own_strstr
#pragma GCC diagnostic ignored "-Wmissing-prototypes"
#include "preload/bytes.c"
#undef memcpy
#undef memmove
#undef memset
#undef memcmp
#undef memchr
#undef memmem
#undef strlen
#undef strnlen
#undef strchr
#undef strrchr
#undef strncmp
#undef strcmp
#undef strcspn
#undef strstr

enum { LONGEST = 52, PLACES = 9, ROOM = LONGEST + 2 * PLACES };

static void fill(char room[ROOM])
{
    for (int i = 0; i < ROOM; i++)
        room[i] = (char)('A' + i);
}

static void copies__of_every_length_at_every_place__are_the_same(void **state)
{
    (void)state;
    for (size_t bytes = 0; bytes <= LONGEST; bytes++)
        for (size_t from = 0; from < PLACES; from++)
            for (size_t to = 0; to < PLACES; to++) {
                char own[ROOM], libc[ROOM], source[ROOM];
                fill(own), fill(libc), fill(source);
                assert_ptr_equal(own_memcpy(own + to, source + ROOM - LONGEST - from, bytes),
                                 own + to);
                memcpy(libc + to, source + ROOM - LONGEST - from, bytes);
                assert_memory_equal(own, libc, ROOM);
                own_memmove(own + to, own + from, bytes);
                memmove(libc + to, libc + from, bytes);
                assert_memory_equal(own, libc, ROOM);
                own_memset(own + to, 0x100 + 0xa5, bytes);
                memset(libc + to, 0xa5, bytes);
                assert_memory_equal(own, libc, ROOM);
            }
}

static int sign(int number)
{
    return (number > 0) - (number < 0);
}

static void memory__with_a_difference_at_every_place__is_compared(void **state)
{
    (void)state;
    for (size_t bytes = 0; bytes <= LONGEST; bytes++)
        for (size_t at = 0; at < PLACES; at++)
            for (size_t place = 0; place <= bytes; place++) {
                char one[ROOM], other[ROOM];
                fill(one), fill(other);
                one[at + place] = (char)0x80;
                assert_int_equal(sign(own_memcmp(one + at, other + at, bytes)),
                                 sign(memcmp(one + at, other + at, bytes)));
                assert_int_equal(sign(own_memcmp(other + at, one + at, bytes)),
                                 sign(memcmp(other + at, one + at, bytes)));
                assert_ptr_equal(own_memchr(one + at, 0x80, bytes), memchr(one + at, 0x80, bytes));
                for (size_t wanted = 0; wanted < PLACES; wanted++)
                    assert_ptr_equal(own_memmem(one + at, bytes, one + at + place, wanted),
                                     memmem(one + at, bytes, one + at + place, wanted));
            }
}

static const char *const strings[] = {
    "", "a", "ab", "abc", "b", "abcabcabd", "\n", "\xff", "a\xff=", "aaaaaaaab", "Seccomp:\t0"};
#define STRINGS (sizeof strings / sizeof *strings)

static void strings__are_measured_searched_and_compared(void **state)
{
    (void)state;
    for (size_t i = 0; i < STRINGS; i++) {
        const char *one = strings[i];
        assert_int_equal(own_strlen(one), strlen(one));
        for (int value = 0; value < 256; value++) {
            assert_ptr_equal(own_strchr(one, value), strchr(one, value));
            assert_ptr_equal(own_strrchr(one, value), strrchr(one, value));
        }
        for (size_t j = 0; j < STRINGS; j++) {
            const char *other = strings[j];
            assert_int_equal(sign(own_strcmp(one, other)), sign(strcmp(one, other)));
            assert_int_equal(own_strcspn(one, other), strcspn(one, other));
            assert_ptr_equal(own_strstr(one, other), strstr(one, other));
            for (size_t most = 0; most < 12; most++)
                assert_int_equal(sign(own_strncmp(one, other, most)),
                                 sign(strncmp(one, other, most)));
        }
        for (size_t most = 0; most <= strlen(one); most++)
            assert_int_equal(own_strnlen(one, most), strnlen(one, most));
    }
}

/* Nothing behind what is looked for is touched. */
static void search__that_ends_at_the_end_of_memory__reads_no_further(void **state)
{
    (void)state;
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    char *pages = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(pages, MAP_FAILED);
    assert_int_equal(mprotect(pages + page, page, PROT_NONE), 0);
    memset(pages, 'x', page - 1);
    for (size_t length = 0; length <= LONGEST; length++) {
        const char *string = pages + page - 1 - length;
        assert_int_equal(own_strnlen(string, SIZE_MAX), length);
        assert_int_equal(own_strlen(string), length);
        assert_ptr_equal(own_memchr(string, '\0', SIZE_MAX), pages + page - 1);
    }
    munmap(pages, 2 * page);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(copies__of_every_length_at_every_place__are_the_same),
        cmocka_unit_test(memory__with_a_difference_at_every_place__is_compared),
        cmocka_unit_test(strings__are_measured_searched_and_compared),
        cmocka_unit_test(search__that_ends_at_the_end_of_memory__reads_no_further),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
