/* Waits that a jump has left: wait_begin, wait_begin_nested and wait_end_nested of waits.h and
 * waits.c, unwind_own_stack_has_ours, blocked_below, look_at of look.c.
 *
 * One thread makes calls that are recorded, and calls that are not, from within functions of the
 * program's. A handler comes while it is parked in a call, makes a recorded call itself or not, and
 * returns, or leaves by longjmp, also in the middle of its own call; then the thread goes on from a
 * function further out, and builds other frames where those were that are gone. The sampler looks
 * all the time.
 *
 * Asserted: a handler that returns leaves the wait that it interrupted as it found it. What the
 * sampler tells is under way, or was left by a jump since when the thread has made no recorded
 * call, and it is parked in one that is not recorded, further in: that is the one lie that is left.
 *
 * The stores of a wait one by one are handshake.pml's: here, it is published, and taken back, at
 * once. Left out: handlers in handlers; numbers that come round.
 * Mutants: -DMUTANT=1 to 7, each of which must fail. */
#ifndef MUTANT
#define MUTANT 0
#endif
#ifndef CALLS
#define CALLS 4 /* of the thread, recorded ones and others */
#endif
#ifndef HANDLERS
#define HANDLERS 2 /* that come */
#endif
#define DEEPEST 4

/* The stack, by depth; a frame's cfa is its depth. What a frame is: nothing, a function of the
 * program's, or the wrapper of the wait with that number. */
#define NOTHING 0
#define FUNCTION 100
byte frames[DEEPEST + 2];
byte depth;

/* The slot */
byte gen, seq, cfa;
bool restored;

mtype = { RUNS, PARKED };
mtype where = RUNS; /* as the kernel sees it; what it is parked in has its frame at `depth` */

mtype = { MAIN, HANDLER };
mtype turn = MAIN;
bool jumped; /* the handler did, and main's call is no more */
bool over;

/* Nobody's to read: a jump has left the wait in the slot, and no recorded call was made since. */
bool left;

#define IS_WAIT(frame) (frame != NOTHING && frame != FUNCTION)

/* Is the wait `number` under way? */
#define IS_UNDER_WAY(number)                                                                       \
    (frames[1] == number || frames[2] == number || frames[3] == number || frames[4] == number)

/* unwind_own_stack_has_ours: the frame of whoever asks is there as well */
#if MUTANT == 1 /* as it was */
#define HAS_OURS(place) (place <= depth && frames[place] != NOTHING)
#elif MUTANT == 2
#define HAS_OURS(place) true
#else
#define HAS_OURS(place) (place <= depth && IS_WAIT(frames[place]))
#endif

#if MUTANT == 3
#define IS_OWN_PLACE false
#else
#define IS_OWN_PLACE (cfa == depth)
#endif

/* Into a frame, and out of it */
#define ENTER(frame) depth++; frames[depth] = frame
#define LEAVE frames[depth] = NOTHING; depth--

/* wait_begin; the registers outer_* are the caller's */
inline begin()
{
    atomic {
        ENTER(seq + 1);
        outer_gen = gen; outer_cfa = cfa;
        if
        :: outer_gen != 0 && (IS_OWN_PLACE || !HAS_OURS(outer_cfa)) -> outer_gen = 0
        :: else
        fi;
        gen = 0; left = false
    };
    atomic { seq++; cfa = depth; restored = false; gen = seq }
}

/* wait_end */
inline end()
{
    atomic {
        if
#if MUTANT != 4
        :: outer_gen != 0 -> gen = outer_gen; cfa = outer_cfa; restored = true
        :: else -> gen = 0
#else
        :: gen = 0
#endif
        fi;
        LEAVE;
        outer_gen = 0; outer_cfa = 0
    }
}

proctype thread()
{
    byte calls, outer_gen, outer_cfa;
    do
    :: calls < CALLS && depth < DEEPEST - 1 -> /* a recorded call */
       begin();
       where = PARKED;
       atomic { turn == MAIN -> where = RUNS };
       if
       :: jumped -> jumped = false
       :: else -> end()
       fi;
       atomic { calls++; outer_gen = 0; outer_cfa = 0 }
    :: calls < CALLS && depth < DEEPEST - 1 -> /* one that is not */
       atomic { ENTER(FUNCTION); where = PARKED };
       atomic { turn == MAIN -> where = RUNS };
       if
       :: jumped -> jumped = false
       :: else -> atomic { LEAVE }
       fi;
       calls++
    :: atomic { depth < 2 -> ENTER(FUNCTION) }
    :: atomic { depth > 0 -> LEAVE }
    :: calls == CALLS -> break
    od;
    over = true
}

/* It runs below what it interrupts, in a frame of its own, and comes while that is parked. */
proctype handler()
{
    byte count, outer_gen, outer_cfa, was_gen, was_depth;
    do
    :: atomic { count < HANDLERS && turn == MAIN && where == PARKED && depth < DEEPEST - 1 ->
           turn = HANDLER; where = RUNS; was_gen = gen; was_depth = depth };
       atomic { ENTER(FUNCTION) };
       if
       :: begin();
          if
          :: where = PARKED; where = RUNS; end()
          :: where = PARKED; where = RUNS; goto jumps
          fi
       :: true
       fi;
       if
       :: atomic { LEAVE }
       :: goto jumps
       fi;
       /* It returns, and the call goes on. */
       atomic {
           assert(depth == was_depth);
           assert(!IS_UNDER_WAY(was_gen) || was_gen == 0 || gen == was_gen);
           where = PARKED; turn = MAIN
       };
       goto returned;
jumps: /* to a function of the thread's, from which the call was made */
       atomic {
           left = (gen != 0);
           do
           :: depth >= was_depth -> LEAVE
           :: depth > 0 && depth < was_depth -> LEAVE
           :: depth < was_depth -> break
           od;
           jumped = true; where = RUNS; turn = MAIN
       };
returned:
       atomic { count++; outer_gen = 0; outer_cfa = 0; was_gen = 0; was_depth = 0 }
    :: over || count == HANDLERS -> break
    od
}

#if MUTANT == 5
#define BELOW true
#elif MUTANT == 6
#define BELOW (where == PARKED)
#else
#define BELOW (where == PARKED && depth >= copied_cfa)
#endif

proctype sampler()
{
    byte seen, copied, copied_seq, copied_cfa;
    bool below, right;
    do
    :: !over ->
       atomic { copied = gen; copied_seq = seq };
       if
       :: copied == 0 || copied != seen -> seen = copied /* the first look */
       :: else ->
          copied_cfa = cfa;
          atomic {
              below = BELOW;
              right = IS_UNDER_WAY(copied) || (left && where == PARKED && depth >= copied_cfa)
          };
          if
          :: below -> /* what it tells, if that has not moved meanwhile */
#if MUTANT == 7
             assert(right)
#else
             assert(gen != copied || seq != copied_seq || right)
#endif
          :: else -> seen = 0
          fi
       fi;
       atomic { copied = 0; copied_seq = 0; copied_cfa = 0; below = false; right = false }
    :: over -> break
    od
}

init
{
    atomic { run thread(); run handler(); run sampler() }
}
