/* Rules for waits that are expected, however long they last: for whatever comes next. */
#ifndef LEAKSPY_ANALYZER_VERDICT_RULES_IDLE_H
#define LEAKSPY_ANALYZER_VERDICT_RULES_IDLE_H

#include <stdbool.h>
#include <stdint.h>

#include "analyzer/verdict/judge.h"

/* Whether a task belongs to the runtime itself, or is a worker of one without work. */
bool idle_system(const struct judge *judge, uint32_t index);
void idle_explain_system(const struct judge *judge, struct group *group);

/* Whether the functions on its stack say that its wait is expected (see waits_name). */
bool idle_by_stack(const struct judge *judge, uint32_t index);
void idle_explain_stack(const struct judge *judge, struct group *group);

/* Whether libc reads standard input for a line: whatever comes next. What the program itself reads
 * from there may be one answer. */
bool idle_input(const struct judge *judge, uint32_t index);
void idle_explain_input(const struct judge *judge, struct group *group);

/* Whether it polls, accepts, or reads a queue of events; not where it is known to want one answer.
 */
bool idle_poller(const struct judge *judge, uint32_t index);
void idle_explain_poller(const struct judge *judge, struct group *group);

/* Whether it is a poller in whose poll or select no descriptor was found: there is none, or they
 * could not be read. A ring that was registered has a number instead. */
bool idle_polls_nothing_known(const struct judge *judge, uint32_t index);
void idle_explain_nothing_known(const struct judge *judge, struct group *group);

/* Whether it waits for a signal. */
bool idle_signal(const struct judge *judge, uint32_t index);
void idle_explain_signal(const struct judge *judge, struct group *group);

#endif
