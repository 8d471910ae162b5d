/* What throwing.cc does, for tests in C. */
#ifndef LEAKSPY_TEST_THROWING_H
#define LEAKSPY_TEST_THROWING_H

struct throwing {
    int value; /* what is thrown */
    int turns;
    int on_the_way; /* exceptions, before a wait in a destructor, and after it */
    int still_on_the_way;
    int wrong; /* what was not as it should be */
};

/* A task: throws, waits in a destructor, catches, waits, throws the same again and waits. `arg`:
 * struct throwing. */
void wait_while_handling(void *arg);

/* Calls run(arg) in a block that handles `value`. Returns what is handled there afterwards. */
int run_while_handling(void (*run)(void *), void *arg, int value);

#endif
