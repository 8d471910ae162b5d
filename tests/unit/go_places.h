/* The fixture go_places (analyzer/fixtures/go_places.go): what a Go program says of itself. */
#ifndef LEAKSPY_TEST_GO_PLACES_H
#define LEAKSPY_TEST_GO_PLACES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct told_call {
    uint64_t pc; /* return address, of a scene */
    char *function, *file;
    int line;
};

struct told {
    struct told_call *calls;
    size_t count;
    char *text; /* that the calls point into */
};

void told_deinit(struct told *told);

/* The path of the fixture as it was built in that mode; not there: that mode is not offered. */
const char *go_places_program(const char *mode);
bool go_places_is_there(const char *mode);

/* What the program says of addresses of its file. anchor: that of main.anchor. Fails the test when
 * the program does not answer each. */
void go_places_ask(const char *program, uint64_t anchor, const uint64_t *pcs, size_t count,
                   struct told *ret);

/* The program, down its stack and blocked there. */
struct scene {
    pid_t pid, tid;
    int in, out;
    uint64_t anchor; /* where main.anchor is in its memory */
    uint64_t sp, pc; /* of the blocked thread */
    struct told told;
};

void scene_start(const char *program, const char *name, struct scene *ret);
void scene_end(struct scene *scene);

/* The value of a symbol of a file; 0: it has none of that name. */
uint64_t symbol_value(const char *path, const char *name);

#endif
