/* What a fork child inherits, and makes of it: unwind_before_fork, unwind_after_fork, unwind_forget
 * and the lock of unwind_lock.c; recorder_forget, open_in_child and recorder_adopt of recorder.c;
 * sampler_forget, the turn and the start of sampler_thread.c; lifecycle.c.
 *
 * A program has three threads: two of them fork, by libc or past it, or use the unwinder, or start
 * the sampler; the second one does so with a lock of libc's, which a fork waits for. The third is
 * the sampler. One of the forks has a child, whose memory is a copy of that moment; it may have been
 * made by a handler in a parked call, so that a wait is taken back in the child. The child starts a
 * thread, and both wait and spawn.
 *
 * Asserted: nothing that the child does reaches its parent's recording, handlers included; it has
 * one recording of its own at most, and one sampler; it does not enter a libunwind that somebody was
 * in when it was copied, and is kept from it by nothing else; nobody waits for ever.
 *
 * Left out: vfork; system call filters; children of children; handlers of a fork that fork; how the
 * recording is made.
 * Mutants: -DMUTANT=1 to 10, each of which must fail. */
#ifndef MUTANT
#define MUTANT 0
#endif

#define PARENT 0
#define CHILD 1

/* Threads; the child's first one has the number of the one that forked. */
#define FIRST 1
#define SECOND 2
#define SAMPLER 3
#define STARTED 4 /* by the child */

mtype = { NONE, PENDING, OPENING };
mtype = { NOWHERE, PARENTS, PRIVATE, CHILDS }; /* whose recording, or whose slot */

typedef memory {
    byte lock; /* the unwinder's: the thread that has it; 0: free */
    bool by_fork;
    bool usable;     /* libunwind may be entered */
    byte turn;       /* with the sampler: the thread that has it; 0: free */
    bool running;    /* there is a sampler */
    mtype recording; /* recorder.header */
    mtype old;       /* what lies where the parent's recording was mapped */
    mtype due;       /* `child` of recorder.c: one of its own */
    bool known       /* wiped by a fork */
};
memory process[2];

byte libc; /* the parent's lock of libc's; libc frees it in children itself */
byte whose; /* fork has a child */

/* Nobody's to read */
bool somebody_inside; /* libunwind, but who forked, when the child was copied */
byte recordings, samplers; /* of the child */

/* --- the unwinder's lock --------------------------------------------------------------------- */

/* take_lock. Who waits while a fork has it gives up at any time, unless it is the sampler. */
inline take(p, me)
{
    got = false;
    if
    :: atomic { process[p].lock == 0 -> process[p].lock = me; got = true }
#if MUTANT != 1
    :: process[p].lock != 0 && process[p].by_fork && me != SAMPLER
#endif
    fi
}

inline give_back(p, me)
{
    atomic { assert(process[p].lock == me); process[p].lock = 0 }
}

/* A stack is taken: a rule is learned with the lock. */
inline unwind(p, me)
{
    take(p, me);
    if
    :: got ->
       if
       :: process[p].usable -> assert(p == PARENT || !somebody_inside)
       :: else
       fi;
       give_back(p, me)
    :: else
    fi;
    got = false
}

/* sampler_ensure */
inline ensure_sampler(p, me)
{
    if
    :: !process[p].running ->
       atomic { process[p].turn == 0 -> process[p].turn = me };
       if
       :: !process[p].running ->
          process[p].running = true;
          if
          :: p == CHILD -> samplers++
          :: else
          fi
       :: else
       fi;
       process[p].turn = 0
    :: else
    fi
}

/* --- the child ------------------------------------------------------------------------------- */

/* recorder_adopt, and a wait in the slot that it gives */
inline wait_somewhere(me)
{
    slot = NOWHERE;
    if
    :: process[CHILD].recording == NOWHERE ->
#if MUTANT == 2
       if
       :: process[CHILD].due == PENDING -> process[CHILD].due = OPENING; ours = true
       :: else
       fi;
#else
       atomic {
           if
           :: process[CHILD].due == PENDING -> process[CHILD].due = OPENING; ours = true
           :: else
           fi
       };
#endif
       if
       :: ours ->
          atomic { recordings++; process[CHILD].recording = CHILDS };
          process[CHILD].due = NONE;
          ours = false
       :: else
       fi
    :: else
    fi;
    slot = process[CHILD].recording;
    assert(slot != PARENTS);
    if
    :: slot == CHILDS -> ensure_sampler(CHILD, me)
    :: else
    fi;
    slot = NOWHERE
}

proctype started()
{
    mtype slot;
    bool got, ours;
    wait_somewhere(STARTED);
    unwind(CHILD, STARTED)
}

/* lifecycle_forked, with recorder_forget. `inside`: it has the unwinder's lock */
inline forget(inside)
{
    if
#if MUTANT == 10
    :: true ->
#else
    :: process[CHILD].known
    :: else ->
#endif
       process[CHILD].known = true;
#if MUTANT != 3
       process[CHILD].old = PRIVATE;
#endif
       atomic { process[CHILD].recording = NOWHERE; process[CHILD].due = PENDING };
       if
       :: !inside ->
          atomic {
              if
#if MUTANT == 4
              :: false
#elif MUTANT == 5
              :: process[CHILD].lock != 0 -> process[CHILD].usable = false
#else
              :: process[CHILD].lock != 0 && !process[CHILD].by_fork -> process[CHILD].usable = false
#endif
              :: else
              fi;
              assert(process[CHILD].usable || somebody_inside);
#if MUTANT != 6
              process[CHILD].lock = 0;
#endif
              process[CHILD].by_fork = false
          }
       :: else -> assert(!somebody_inside)
       fi;
       atomic {
#if MUTANT != 7
           process[CHILD].turn = 0;
#endif
#if MUTANT != 8
           process[CHILD].running = false
#endif
       };
    fi
}

/* `in_wait`: the fork was made in a handler, which interrupted a wait */
proctype child(byte me; bool inside, blocked, in_wait)
{
    mtype slot;
    bool got, ours;
    if
    :: !blocked -> assert(process[CHILD].old != PARENTS) /* a handler waits in its thread's slot */
    :: true
    fi;
    forget(inside);
    /* A program that clones runs the handlers itself, ours among them. */
    if
    :: true ->
       if
       :: !inside -> wait_somewhere(me) /* else it publishes nowhere */
       :: else
       fi;
       forget(inside)
    :: true
    fi;
    /* unwind_after_fork */
    if
    :: inside -> process[CHILD].by_fork = false; give_back(CHILD, me)
    :: else
    fi;
    run started();
    if
    :: in_wait -> assert(process[CHILD].old != PARENTS) /* wait_end */
    :: else
    fi;
    wait_somewhere(me);
    unwind(CHILD, me);
    wait_somewhere(me);
    assert(recordings <= 1 && samplers <= 1)
}

/* --- the parent ------------------------------------------------------------------------------ */

/* clone: what the child has is a copy */
inline copy(me, inside, blocked)
{
    atomic {
        if
        :: whose == me ->
           process[CHILD].lock = process[PARENT].lock;
           process[CHILD].by_fork = process[PARENT].by_fork;
           process[CHILD].usable = process[PARENT].usable;
           process[CHILD].turn = process[PARENT].turn;
           process[CHILD].running = process[PARENT].running;
           process[CHILD].recording = PARENTS;
           process[CHILD].old = PARENTS;
           process[CHILD].due = NONE;
           process[CHILD].known = false;
           somebody_inside = process[PARENT].lock != 0 && process[PARENT].lock != me &&
                             !process[PARENT].by_fork;
           if
           :: run child(me, inside, blocked, true)
           :: run child(me, inside, blocked, false)
           fi
        :: else
        fi
    }
}

/* fork of libc, with handlers before and after; `has`: the thread has libc's lock */
inline fork_by_libc(me, has)
{
#if MUTANT != 9
    blocked = true;
#endif
    take(PARENT, me);
    inside = got;
    if
    :: inside -> blocked = true; process[PARENT].by_fork = true
    :: else
    fi;
    if
    :: !has -> atomic { libc == 0 -> libc = me }
    :: else
    fi;
    copy(me, inside, blocked);
    if
    :: !has -> libc = 0
    :: else
    fi;
    if
    :: inside -> process[PARENT].by_fork = false; give_back(PARENT, me)
    :: else
    fi;
    atomic { blocked = false; inside = false; got = false }
}

proctype first()
{
    bool got, inside, blocked;
    if
    :: true -> fork_by_libc(FIRST, false)
    :: true -> copy(FIRST, false, true) /* _Fork, or a system call of the program's */
    :: true -> ensure_sampler(PARENT, FIRST)
    fi
}

/* It has a stream's lock, for one, while it writes by functions of the program's. */
proctype second()
{
    bool got, inside, blocked;
    atomic { libc == 0 -> libc = SECOND };
    if
    :: true -> fork_by_libc(SECOND, true)
    :: true -> copy(SECOND, false, true)
    :: true -> unwind(PARENT, SECOND)
    fi;
    libc = 0;
    if
    :: true -> ensure_sampler(PARENT, SECOND)
    :: true -> unwind(PARENT, SECOND)
    fi
}

proctype sampler()
{
    bool got;
    unwind(PARENT, SAMPLER)
}

init
{
    atomic {
        process[PARENT].usable = true;
        process[PARENT].recording = PARENTS;
        process[PARENT].old = PARENTS;
        process[PARENT].due = NONE;
        select(whose : FIRST .. SECOND);
        run first(); run second(); run sampler()
    };
    atomic { _nr_pr == 1 };
    assert(recordings <= 1 && samplers == recordings)
}
