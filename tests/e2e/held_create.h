/* What happens while pthread_create is on its way. */
#ifndef LEAKSPY_E2E_HELD_CREATE_H
#define LEAKSPY_E2E_HELD_CREATE_H

#include <pthread.h>
#include <stdbool.h>

/* Called by the next pthread_create, before and after the C library's own, and then forgotten. */
extern void (*held_create_before)(void), (*held_create_after)(void);

/* The next thread begins when this is false again. */
extern bool held_create_holds;

#endif
