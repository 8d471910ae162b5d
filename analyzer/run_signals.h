/* The signals of `leakspy run`. The terminal sends its own to the command itself, so that they are
 * left to it, as shells do; those that somebody sends to this process are passed on. They are
 * waited for, not handled: nothing is interrupted. */
#ifndef LEAKSPY_ANALYZER_RUN_SIGNALS_H
#define LEAKSPY_ANALYZER_RUN_SIGNALS_H

#include <signal.h>
#include <sys/types.h>

/* From now on they wait for run_signals_wait. Before the command is started. */
void run_signals_begin(void);

/* In the command's process, before it executes: everything as this process found it. */
void run_signals_restore(void);

/* Waits for the end of the command, and passes on the signals that come meanwhile; looks at it,
 * where it is recorded from outside. Returns its status, as waitpid does. */
int run_signals_wait(pid_t child);

#endif
