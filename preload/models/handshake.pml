/* The hand-over of waits from their owner to the sampler and to readers of the recording:
 * wait_publish, wait_publish_passing, wait_begin, wait_end of waits.h, the nested ones of
 * waits.c, look_at, look_at_sleep, look_last_at, moved and take_stack of look.c, find_sleep and
 * kernel_sleep_* of kernel_sleep.c, rec_task_wait and rec_task_is_seen of recording.h.
 *
 * One thread: main (context 0) makes calls that park, some of which it does not publish, and takes
 * locks that were free; a signal handler (context 1) comes at any instruction, in a parked call too,
 * and makes a call that parks.
 * The sampler looks again and again, and once more for the last time. The target may be killed at
 * any moment, so that what the recording says is checked after each store (SAYS_NOTHING_FALSE).
 *
 * Asserted: a wait that is shown has its own call and object, and its own stack once one is told. It
 * had begun when the sampler first looked, which is its age, and was not over when the sampler
 * looked again. A lock is shown as waited for only where the kernel said so. Who parks in a call is
 * seen to.
 *
 * x86-TSO: the owner reads nothing that others write, so that a store buffer, which keeps the order,
 * only has its stores be seen later, as if it ran later. What the sampler stores, readers read who
 * may as well come earlier. By hand: -DBUFFER=2 gives the owner a store buffer, -DBACKWARDS turns
 * around its stores between two fences, as the compiler may.
 *
 * Left out: a handler that takes a free mutex (-DHANDLER_LOCKS; POSIX forbids it) and then hides
 * main's wait, and a second one, which finds that lock published; handlers that park inside handlers
 * that park; handlers that leave by longjmp, which are jump.pml's; weaker processors; numbers that
 * come round after 2^32 waits or sleeps; what becomes of the slot between two tasks; a reader that
 * reads while others write, which compares two readings as the sampler does.
 *
 * Mutants: -DMUTANT=1 to 22, each of which must fail. */
#ifndef MUTANT
#define MUTANT 0
#endif
#ifndef CALLS
#define CALLS 2 /* of main; the handler comes once */
#endif

mtype = { RUNS, IN_CALL, IN_LOCK, IN_OTHER }; /* where the kernel sees the thread */

/* What a slot's first line holds. Calls, objects and stacks bear the name of their wait; FRAME
 * stands for cfa and fp: 1 + the context whose stack it names. STACK: what lies on the stacks. */
#define GEN 0
#define SEQ 1
#define FLAGS 2
#define CALL 3
#define OBJECT 4
#define FRAME 5
#define COPIED 6
#define STACK 6 /* and 7 */
#define FIELDS 8
#define PASSING 1
#define RESTORED 2

byte slot[FIELDS];
byte turn; /* the context that runs */
mtype where = RUNS;
byte where_object, where_frame; /* what it is blocked on; its stack, then */
byte sleeps;                    /* how often it was */
byte names;                     /* given to waits, from 1 */
bool over;                      /* main has made its calls */
bool asks; /* the sampler asks the kernel: of a thread, while it has descriptors of its own */

/* The sampler's line. `passing`, `asleep`, `waits`: REC_DETAIL_PASSING, ASLEEP, WAITS; `key`:
 * detail_b, then. `told`, `told_wait`: the row of what it is asleep in. */
byte seen_gen, wait_site, key, told, told_wait;
bool passing, asleep, waits;

/* Nobody's to read: the wait that took a number last; the waits that had begun when the sampler
 * first looked, by their names. */
byte named[5];
byte begun;
byte lock_sleeps; /* how often it had slept when it last went to sleep in a lock */

#ifdef BUFFER
byte own[FIELDS]; /* as the owner sees it */
chan buffer = [BUFFER] of { byte, byte };
#define OWN own
#define ROOM nfull(buffer)
#define DRAINED empty(buffer)
#define SEND(field) buffer!field, own[field]
#else
#define OWN slot
#define ROOM true
#define DRAINED true
#define SEND(field) SAYS_NOTHING_FALSE
#endif

/* rec_task_wait and rec_task_is_seen, and what everybody makes of gen and seq */
#define IS_PARKED (slot[GEN] != 0 && (slot[GEN] == slot[SEQ] || (slot[FLAGS] & RESTORED)))
#if MUTANT == 6
#define IS_SEEN (seen_gen == slot[GEN])
#else
#define IS_SEEN (seen_gen == slot[GEN] && !passing)
#endif
#if MUTANT == 11
#define KEY_OF(fields) (fields[OBJECT] * 4 + fields[FRAME])
#else
#define KEY_OF(fields) (fields[SEQ] * 16 + fields[OBJECT] * 4 + fields[FRAME])
#endif
#define ASLEEP_KEY_OF(fields) (255 - KEY_OF(fields))
#if MUTANT == 9
#define IS_KEY true
#else
#define IS_KEY (key == KEY_OF(slot))
#endif
#define IS_KNOWN (seen_gen != 0 && passing && waits)
#define IS_BLOCKED (slot[GEN] == 0 && (slot[FLAGS] & PASSING) && IS_KNOWN && !asleep && IS_KEY)
#if MUTANT == 19
#define IS_ASLEEP_KEY true
#else
#define IS_ASLEEP_KEY (key == ASLEEP_KEY_OF(slot))
#endif
#define SLEEPS_TOLD (slot[GEN] == 0 && IS_KNOWN && asleep && IS_ASLEEP_KEY && told_wait == seen_gen)
#define HAS_FIELDS_OF(name) (slot[CALL] == (name) && slot[OBJECT] == (name))
#define HAS_STACK_OF(name) (wait_site == 0 || wait_site == (name))
#define SAYS_NOTHING_FALSE                                                                         \
    assert(!IS_PARKED || (HAS_FIELDS_OF(named[slot[GEN]]) &&                                       \
                          (!IS_SEEN || HAS_STACK_OF(named[slot[GEN]]))));             \
    assert(!IS_BLOCKED || (HAS_FIELDS_OF(slot[OBJECT]) && HAS_STACK_OF(slot[OBJECT])));            \
    assert(!SLEEPS_TOLD || HAS_STACK_OF(told))

/* --- the owner ------------------------------------------------------------------------------- */

#define IS_TOLD (OWN[GEN] != 0 && (OWN[GEN] == OWN[SEQ] || (OWN[FLAGS] & RESTORED)))
#define STEP(...) atomic { turn == me && ROOM -> __VA_ARGS__ }
#define STORE(field, value) STEP(OWN[field] = value; SEND(field))
#ifdef BACKWARDS
#define STORES(first, value, second, other) STORE(second, other); STORE(first, value)
#else
#define STORES(first, value, second, other) STORE(first, value); STORE(second, other)
#endif

/* wait_number: one instruction */
inline number()
{
#if MUTANT == 1
    STEP(seq = OWN[SEQ] + 1);
    STEP(OWN[SEQ] = seq; named[seq] = name; SEND(SEQ))
#else
    STEP(OWN[SEQ] = OWN[SEQ] + 1; seq = OWN[SEQ]; named[seq] = name; SEND(SEQ))
#endif
}

/* wait_publish, until gen is stored */
inline put_wait()
{
    number();
#if MUTANT == 4
    STORE(GEN, seq);
#endif
#ifdef BACKWARDS
    STORES(OBJECT, name, FRAME, 1 + me);
    STORES(CALL, name, FLAGS, 0);
#else
    STORES(CALL, name, FLAGS, 0);
    STORES(OBJECT, name, FRAME, 1 + me);
#endif
#if MUTANT == 2
    STORE(GEN, OWN[SEQ])
#else
    STORE(GEN, seq)
#endif
}

/* Has a thread its frames on the stack, and a name for what it is about to do? */
inline begin_call()
{
    STEP(names++; name = names; OWN[STACK + me] = name; SEND(STACK + me))
}

/* In the kernel for a while, or not at all; a handler may come meanwhile, and the call goes on. */
inline block(kind)
{
    if
    :: atomic { turn == me && DRAINED -> where = kind; where_object = name; where_frame = 1 + me;
           sleeps++; lock_sleeps = (kind == IN_LOCK -> sleeps : lock_sleeps) };
       STEP(where = RUNS; where_object = 0; where_frame = 0)
#ifdef BUFFER
    :: true
#endif
    fi
}

inline parked_call()
{
    do
    :: put_wait();
#if MUTANT == 3
       break
#else
       STEP(again = OWN[SEQ] != seq);
       if
       :: !again -> break
       :: else -> STORE(GEN, 0)
       fi
#endif
    od;
    STEP(assert(IS_TOLD)); /* who parks will be seen */
    block(IN_CALL);
    STORE(GEN, 0)
}

/* wait_begin, the call, wait_end; with wait_begin_nested and wait_end_nested where main waits. No
 * handler comes while it runs, so that it finds its numbers as it left them. */
inline handled_call()
{
    STEP(outer_gen = OWN[GEN]; outer_call = OWN[CALL]; outer_flags = OWN[FLAGS];
         outer_object = OWN[OBJECT]; outer_frame = OWN[FRAME]);
    if
    :: outer_gen != 0 -> STORE(GEN, 0)
    :: else
    fi;
    put_wait();
    block(IN_CALL);
    STORE(GEN, 0);
    if
    :: outer_gen != 0 ->
#if MUTANT == 10
       STORES(CALL, outer_call, FLAGS, outer_flags);
#else
       STORES(CALL, outer_call, FLAGS, outer_flags | RESTORED);
#endif
       STORES(OBJECT, outer_object, FRAME, outer_frame);
       STORE(GEN, outer_gen)
    :: else
    fi
}

/* wait_is_published, wait_publish_passing, and the real lock after them: another thread may be
 * quicker, and the thread may do anything afterwards. It may take the same lock from the same place
 * again, of which nothing is stored. */
inline passing_call()
{
    STEP(again = waits);
    if
    :: again -> number()
    :: else
    fi;
    STORES(FRAME, 1 + me, OBJECT, name);
    STORES(CALL, name, FLAGS, PASSING);
    block(IN_LOCK);
    if
    :: calls + 1 < CALLS ->
       calls++;
       STEP(again = waits);
#if MUTANT != 17
       if
       :: again -> number()
       :: else
       fi;
#endif
       block(IN_LOCK)
    :: true
    fi
}

/* In a function of libc's, which calls the system by itself. */
inline unpublished_call()
{
    block(IN_OTHER)
}

proctype main_context(byte me)
{
    byte calls, name, seq;
    bool again;
    do
    :: calls < CALLS ->
       begin_call();
       if
       :: parked_call()
       :: passing_call()
       :: unpublished_call()
       fi;
       d_step { calls++; seq = 0; again = false; name = 0 }
    :: else -> STEP(over = true); break
    od
}

proctype handler_context(byte me)
{
    bool again;
    byte calls, name, seq, outer_gen, outer_call, outer_flags, outer_object, outer_frame;
    mtype was;
    byte was_object, was_frame;
    if
    :: atomic { turn == 0 && !over ->
           was = where; was_object = where_object; was_frame = where_frame;
           where = RUNS; where_object = 0; where_frame = 0; turn = 1 };
       begin_call();
#ifdef HANDLER_LOCKS
       if
       :: OWN[GEN] == 0 -> passing_call()
       :: handled_call()
       fi;
#else
       handled_call();
#endif
       STEP(assert(was != IN_CALL || IS_TOLD)); /* nor is what it interrupted lost */
       atomic { was == RUNS || DRAINED ->
           where = was; where_object = was_object; where_frame = was_frame; turn = 0;
           sleeps = (was == RUNS -> sleeps : sleeps + 1);
           lock_sleeps = (was == IN_LOCK -> sleeps : lock_sleeps) }
    :: over
    fi
}

#ifdef BUFFER
/* The processor: stores come out of the buffer in order, at any time. */
proctype processor()
{
    byte field, value;
end:
    do
    :: atomic { buffer?field, value -> slot[field] = value; field = 0; value = 0;
           SAYS_NOTHING_FALSE }
    od
}
#endif

/* --- the sampler ----------------------------------------------------------------------------- */

byte copy[COPIED];

/* A store to the sampler's line. While seen_gen is 0, several are as good as one. */
#define TELL(...) d_step { __VA_ARGS__; SAYS_NOTHING_FALSE }

/* The copy's words in order: gen and seq are one, call and flags another. Here, a word is left out
 * where it would not be looked at, and the sampler leaves off as soon as it is to do nothing. */
#define COPY_NUMBERS d_step { copy[GEN] = slot[GEN]; copy[SEQ] = slot[SEQ] }
#define COPY_FLAGS d_step { copy[CALL] = slot[CALL]; copy[FLAGS] = slot[FLAGS] }
#define COPY_REST copy[OBJECT] = slot[OBJECT]; copy[FRAME] = slot[FRAME]
#define LEAVE_IF(condition) if :: condition -> goto looked_at :: else fi

/* blocked_in_lock, blocked_below: what the kernel says */
#if MUTANT == 8
#define THERE true
#else
#define THERE (where == IN_LOCK && where_object == copy[OBJECT] && where_frame == copy[FRAME])
#endif
#define BELOW (where != RUNS || !asks)

#define HAD_BEGUN(name) ((name) <= begun)

/* find_sleep: one that is told */
#define IN_ITS_LOCK ((copy[FLAGS] & PASSING) && THERE)
#define IS_ASLEEP (copy[GEN] == 0 && (IN_ITS_LOCK || where == IN_OTHER))
#define KEY_NOW (kind -> ASLEEP_KEY_OF(copy) : KEY_OF(copy))
#define COPY COPY_NUMBERS; COPY_FLAGS; COPY_REST

/* kernel_sleep_find: `slept` names the sleep, 0: none; `other`: it is not in a lock, but asleep in
 * `what`. The kernel is asked where the thread is and how often it slept one after the other. */
inline ask_for_sleep()
{
    slept = 0;
    COPY;
    if
    :: atomic { IS_ASLEEP -> other = !IN_ITS_LOCK; what = (other -> where_object : 0) };
       slept = sleeps;
       COPY;
#if MUTANT != 12
       if
       :: !IS_ASLEEP || other == IN_ITS_LOCK -> slept = 0
#if MUTANT == 20
       :: else
#else
       :: atomic { else -> what = (other -> where_object : 0) } /* of the sleep that was counted */
#endif
       fi;
#endif
#if MUTANT != 14
       if
       :: sleeps != slept -> slept = 0
       :: else
       fi
#endif
    :: else
    fi
}

/* find_sleep, of the sleep with the key that was noted */
#define IS_NOTED (IS_ASLEEP && key == (IN_ITS_LOCK -> KEY_OF(copy) : ASLEEP_KEY_OF(copy)))

/* kernel_sleep_goes_on, and the second half of kernel_sleep_is_told: asked once, in this order */
inline ask_whether_on(slept_then)
{
#if MUTANT == 21
    moved = sleeps != slept_then;
    COPY;
    moved = moved || !IS_NOTED
#else
    COPY;
    moved = !IS_NOTED;
#if MUTANT != 22
    if
    :: !moved -> moved = sleeps != slept_then
    :: else
    fi
#endif
#endif
}

#define SAME(field) :: moved || slot[field] != copy[field] -> moved = true :: else

/* moved; `sleep`: of a wait that was not published, whose sleep has what is compared else */
inline look_again(sleep)
{
    moved = false;
#if MUTANT != 5
    if
    :: sleep == 0 ->
       if SAME(GEN) fi;
       if SAME(SEQ) fi
#if MUTANT != 13
    :: else -> ask_whether_on(sleep)
#else
    :: else
#endif
    fi
#endif
}

inline take_stack(sleep)
{
    if
    :: sleep != 0 && kind -> stack = slot[STACK] /* by the kernel's stack pointer */
    :: else -> stack = (copy[FRAME] == 0 -> 0 : slot[STACK + copy[FRAME] - 1])
    fi;
    look_again(sleep);
    if
    :: moved -> stack = 0
    :: else -> TELL(wait_site = stack; stack = 0)
    fi
}

/* look_at, of a task whose gen is not 0 */
inline look_at_parked()
{
    if
#if MUTANT == 16
    :: seen_gen != gen ->
#else
    :: seen_gen != gen || passing ->
#endif
       TELL(seen_gen = 0);
#if MUTANT != 15
       TELL(wait_site = 0; passing = false; asleep = false; waits = false; key = 0);
#else
       TELL(passing = false; asleep = false; waits = false; key = 0);
#endif
       TELL(seen_gen = gen; begun = names);
       LEAVE_IF(!last)
    :: else
    fi;
    LEAVE_IF(wait_site != 0);
    COPY_NUMBERS;
    LEAVE_IF(copy[GEN] != gen || copy[SEQ] != seq);
    COPY_FLAGS;
#if MUTANT != 7
    LEAVE_IF(gen != seq && !(copy[FLAGS] & RESTORED));
#endif
    COPY_REST;
    look_again(0);
    LEAVE_IF(moved);
    if
    :: BELOW ->
       take_stack(0);
       assert(moved || (wait_site == named[gen] && HAD_BEGUN(wait_site)));
       assert(moved || (copy[OBJECT] == wait_site && copy[CALL] == wait_site))
    :: else -> TELL(seen_gen = 0)
    fi
}

inline look_at_sleep()
{
    LEAVE_IF(!asks);
    if
    :: passing && waits && wait_site != 0 ->
       ask_whether_on(seen_gen);
       LEAVE_IF(!moved);
       moved = false
    :: else
    fi;
    ask_for_sleep();
    if
    :: slept == 0 ->
       if
       :: passing ->
          TELL(seen_gen = 0);
          TELL(wait_site = 0; passing = false; asleep = false; waits = false; key = 0)
       :: else
       fi;
       goto looked_at
    :: else
    fi;
    sleep = slept;
    kind = other;
    if
    :: seen_gen != sleep || !passing || key != KEY_NOW ->
       TELL(seen_gen = 0);
       TELL(wait_site = 0; passing = true; asleep = kind; waits = false; key = KEY_NOW;
            begun = names);
       TELL(seen_gen = sleep);
       assert(kind || (copy[CALL] == copy[OBJECT] && HAD_BEGUN(copy[OBJECT])));
       LEAVE_IF(!last)
    :: else
    fi;
    if
    :: kind && !waits -> TELL(told_wait = 0); TELL(told = what; told_wait = sleep)
    :: else
    fi;
    if
    :: wait_site == 0 ->
       take_stack(sleep);
       assert(moved || (wait_site == (kind -> told : copy[OBJECT]) && HAD_BEGUN(wait_site)))
    :: else
    fi;
    TELL(waits = true);
#if MUTANT != 18
    look_again(sleep);
    if
    :: moved ->
       TELL(seen_gen = 0);
       TELL(wait_site = 0; passing = false; asleep = false; waits = false; key = 0)
    :: else
    fi;
#endif
    assert(!IS_BLOCKED || lock_sleeps == sleep); /* nor has it taken the lock again since, */
    assert(!SLEEPS_TOLD || lock_sleeps <= sleep) /* or any; it may sleep unpublished by now */
}

inline look_last()
{
    if
    :: passing && waits && slot[GEN] == 0 ->
       ask_for_sleep();
       if
       :: slept != seen_gen || key != (other -> ASLEEP_KEY_OF(copy) : KEY_OF(copy)) ->
          TELL(seen_gen = 0);
          TELL(wait_site = 0; passing = false; asleep = false; waits = false; key = 0)
       :: else
       fi;
       assert(!IS_BLOCKED || lock_sleeps == seen_gen)
    :: else
    fi
}

proctype sampler()
{
    byte gen, seq, stack, slept, sleep, what;
    bool moved, last, other, kind;
    do
    :: !last ->
       if
       :: seq = slot[SEQ]
       :: last = true; seq = slot[SEQ]
       fi;
       gen = slot[GEN];
       if
       :: gen != 0 -> look_at_parked()
       :: else -> seq = 0; look_at_sleep()
       fi;
looked_at:
       atomic {
           gen = 0; seq = 0; moved = false; slept = 0; sleep = 0; stack = 0;
           other = false; kind = false; what = 0;
           copy[GEN] = 0; copy[SEQ] = 0; copy[FLAGS] = 0; copy[CALL] = 0;
           copy[OBJECT] = 0; copy[FRAME] = 0
       }
    :: last -> look_last(); break
    od
}

init
{
    atomic {
        select(asks : 0 .. 1);
        run main_context(0); run handler_context(1); run sampler();
#ifdef BUFFER
        run processor()
#endif
    }
}
