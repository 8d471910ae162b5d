/* What every sample does besides its leak: say that the leak stands, and run on until stdin ends.
 *
 * Each sample is built twice: as it is, with the leak, and with -DFIXED, without. The two differ
 * only where the source says so. A fixed twin has joined all it started before it says "ready".
 */
#ifndef LEAKSPY_SAMPLES_SAMPLE_H
#define LEAKSPY_SAMPLES_SAMPLE_H

#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <unistd.h>

static inline void sample_ready(void)
{
    puts("ready");
    fflush(stdout);
}

/* Whether stdin has ended; waits for it for at most `timeout_ms`. */
static inline bool sample_stdin_ended(int timeout_ms)
{
    struct pollfd in = {.fd = STDIN_FILENO, .events = POLLIN};
    char byte;
    return poll(&in, 1, timeout_ms) > 0 && read(STDIN_FILENO, &byte, 1) <= 0;
}

/* For samples on threads: returns when stdin ends. It looks again and again instead of waiting for
 * ever, since a main thread that waits for ever would be a finding of its own. */
static inline void sample_hold(void)
{
    while (!sample_stdin_ended(100))
        ;
}

#endif
