/* Which of many a look is for that cannot be for all of them: for so many, from the one on at which
 * the last look stopped. They are met in the same order in every look, more or less. */
#ifndef LEAKSPY_TURNS_H
#define LEAKSPY_TURNS_H

#include <stdbool.h>
#include <stdint.h>

struct turns {
    uint32_t first, met; /* of those that the look meets: whose turn it is begins there */
};

/* A look begins; `most`: that the last one was for. */
static inline void turns_begin(struct turns *turns, uint32_t most)
{
    turns->first = turns->first + most < turns->met ? turns->first + most : 0;
    turns->met = 0;
}

/* The look meets one: is it its turn? */
static inline bool turns_meet(struct turns *turns, uint32_t most)
{
    uint32_t number = turns->met++;
    return number >= turns->first && number - turns->first < most;
}

#endif
