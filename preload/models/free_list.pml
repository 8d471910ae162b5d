/* The list of free slots: pop_free and push_free of slots.c, by threads that are stopped anywhere.
 *
 * Asserted: nobody gets a slot that another has, and in the end all are in the list, once each.
 * Every step is one atomic instruction or one plain load, in order: pop's load of next_free comes
 * before its compare-and-exchange by acquire, push's store before its own by release.
 * Left out: the tag comes round after 2^32 changes. Mutants: -DMUTANT=1 to 3. */
#ifndef MUTANT
#define MUTANT 0
#endif
#define THREADS 3
#define SLOTS 3 /* from 1; 0 is no slot */
#ifndef TURNS
#define TURNS 1 /* of each; more take minutes */
#endif

byte head, tag;           /* one word: free_list */
byte next_free[SLOTS + 1];
byte owners[SLOTS + 1];   /* ghost: who has the slot; must be one or none */
byte ended;

inline exchange(new_row) /* the compare-and-exchange of both loops */
{
    atomic {
        if
#if MUTANT == 1
        :: head == row -> head = new_row; done = true
#else
        :: head == row && tag == own_tag -> head = new_row; tag++; done = true
#endif
        :: else -> row = head; own_tag = tag
        fi
    }
}

inline pop()
{
    done = false;
    atomic { row = head; own_tag = tag };
    do
    :: done || row == 0 -> break
    :: else -> next = next_free[row];
       mine = row;
       exchange(next)
    od;
    if
    :: row == 0 -> mine = 0
    :: else ->
       atomic { owners[mine]++; assert(owners[mine] == 1) }
    fi
}

inline push()
{
    done = false;
#if MUTANT != 2
    atomic { owners[mine]-- };
#endif
    atomic { row = head; own_tag = tag };
#if MUTANT == 3
    next_free[mine] = row;
#endif
    do
    :: done -> break
    :: else ->
#if MUTANT != 3
       next_free[mine] = row;
#endif
       exchange(mine)
    od;
#if MUTANT == 2
    atomic { owners[mine]-- };
#endif
    mine = 0
}

proctype thread()
{
    byte turns, row, own_tag, next, mine, other;
    bool done;
    do
    :: turns < TURNS ->
       pop();
       if
       :: mine == 0
       :: mine != 0 -> push()
       :: mine != 0 && other == 0 -> other = mine; mine = 0 /* it keeps one for a while */
       fi;
       turns++
    :: else -> break
    od;
    if
    :: other != 0 -> mine = other; other = 0; push()
    :: else
    fi;
    ended++
}

init
{
    byte left;
    atomic {
        next_free[1] = 2; next_free[2] = 3; head = 1;
        run thread(); run thread(); run thread()
    };
    ended == THREADS;
    atomic {
        do
        :: head != 0 -> left++; assert(left <= SLOTS); head = next_free[head]
        :: else -> break
        od
    };
    assert(left == SLOTS)
}
