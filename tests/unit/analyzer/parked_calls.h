/* System calls that a child (child.h) parks in, without an end by themselves. */
#ifndef LEAKSPY_TESTS_PARKED_CALLS_H
#define LEAKSPY_TESTS_PARKED_CALLS_H

struct parked_call {
    const char *name;
    long (*in)(void); /* parks in it, and returns what it returned */
};

/* Those that go on after a stop, as analyzer/process/calls.c says; and those that a stop would end
 * with EINTR, or after a part. Each ends with a row of NULL. */
extern const struct parked_call parked_unharmed[];
extern const struct parked_call parked_harmed[];

/* Some of them. */
long parked_in_pause(void);
long parked_in_timed_poll(void);
long parked_in_recv(void);
long parked_in_socket_read(void);
long parked_in_accept(void);

/* Frees what the calls made that outlives the child: keeps shared->words[0] to [2] for that. */
void parked_undo(void);

#endif
