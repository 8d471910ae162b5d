/* The life of a slot: slots.c, with what hooks_spawn.c, hooks_join.c, hooks_thread.c,
 * adapter_taskrt.c and libgo_hooks.c do with slots, look_for_end and note_finished of sampler.c.
 *
 * A program spawns threads one after the other, each of which comes to nothing, is joined, or is
 * detached; the tasks of a runtime's worker come and go, in the slot that it kept back, or that they
 * keep; the sampler finds threads that are gone. One slot is there for all of them. The target may
 * be killed at any moment, so that what the recording says is checked after each store (TOLD).
 *
 * Asserted: a slot has one owner; who holds it holds the thread that was asked for, until it is let
 * go (a runtime's task may give way to the next one under a hold: nobody holds those for long); never
 * more finished than spawned; since when a thread has ended is never said of the one before it; in
 * the end the slot is free, and what was spawned has finished or was lost. Locked instructions are
 * in one order for all, and there is no plain store here whose delay could be seen before the next
 * of them: no store buffer is modelled. The inside of the list of free slots is free_list.pml's,
 * that of a wait handshake.pml's.
 * Left out: thread numbers that the kernel gives again. Mutants: -DMUTANT=1 to 13. */
#ifndef MUTANT
#define MUTANT 0
#endif
#ifndef SPAWNS
#define SPAWNS 2
#endif
#ifndef TASKS
#define TASKS 2
#endif

mtype = { FREE, LIVE, ENDING, FINISHED };
mtype = { THREAD, TASK };

/* The slot */
mtype state = FREE;
mtype kind;
byte id;
byte os_tid;   /* that of a thread is its id, once it has begun */
byte holds;    /* these three are one word: flags */
bool released, joinable;
bool seen;     /* seen_gen is REC_SEEN_FINISHED */

bool listed = true; /* it is in the list of free ones */
byte spawned, finished, lost, last_id;
bool gone[7];  /* the kernel has forgotten the thread */
bool program_over, worker_over;
byte threads;

/* Nobody's to read: whose the slot is; whom somebody holds who was told yes; of whom since_ns is. */
byte owner, held, seen_of;

#define COUNTED assert(finished <= spawned)
#define TOLD assert(!(seen && (state == ENDING || state == FINISHED)) || seen_of == id)

/* recorder_prepare, recorder_spawn; `mine`: it has the slot as a spare one */
inline spawn(kind_, hold_, joinable_)
{
    atomic { spawned++; COUNTED };
    if
    :: !mine -> atomic { mine = listed; listed = false }
    :: else
    fi;
    if
    :: !mine -> lost++
    :: else ->
       kind = kind_;
       atomic { holds = holds + hold_; joinable = joinable_ }; /* there may be holds of a moment */
#if MUTANT != 10
       os_tid = 0;
#endif
#if MUTANT == 1
       state = LIVE;
#endif
       atomic { last_id++; id = last_id; assert(owner == 0); owner = id; TOLD };
#if MUTANT == 10
       os_tid = 0;
#endif
       state = LIVE
    fi
}

inline free_slot()
{
#if MUTANT != 12
    seen = false;
#endif
    atomic { state = FREE; owner = 0; assert(held == 0) };
    atomic { holds = 0; released = false; joinable = false };
    atomic { assert(!listed && state == FREE); listed = true }
}

/* recorder_end, but for the check whose slot it is */
inline end()
{
#if MUTANT == 2
    ended = state == LIVE;
    if
    :: ended -> atomic { state = ENDING; TOLD }
    :: else
    fi;
#else
    atomic {
        ended = state == LIVE;
        if
        :: ended -> state = ENDING; TOLD
        :: else
        fi
    };
#endif
    if
    :: ended -> atomic { ended = false; finished++; COUNTED }
    :: else
    fi
}

inline set_released()
{
    atomic {
#if MUTANT == 3
        last = !released;
#else
        last = holds == 0 && !released;
#endif
        released = true
    };
    if
    :: last -> last = false; free_slot()
    :: else
    fi
}

/* recorder_release, but for what it does first for tasks */
inline release()
{
    if
    :: state == FREE
    :: else -> end(); set_released()
    fi
}

inline let_go()
{
    atomic {
        holds--;
#if MUTANT == 4
        last = released;
#else
        last = holds == 0 && released;
#endif
    };
    if
    :: last -> last = false; free_slot()
    :: else
    fi
}

/* Its compare-and-exchange may not see that the word changed and changed back: flags of a task and
 * of the next are alike. So the last of them alone counts, which is one step here. */
inline hold(wanted)
{
    atomic {
        holding = !released;
        if
        :: holding -> holds++
        :: else
        fi
    };
    if
    :: holding ->
#if MUTANT == 5 /* as it was */
       same = id == wanted;
       same = state != FREE && same;
#elif MUTANT == 6
       same = state != FREE;
#else
       same = state != FREE;
       same = id == wanted && same;
#endif
       if
       :: same -> atomic { assert(owner == wanted || kind == TASK); same = false; held++ }
       :: else -> holding = false; let_go()
       fi
    :: else
    fi
}

inline let_go_held(whose) { atomic { assert(owner == whose || kind == TASK); held--; holding = false }; let_go() }

proctype thread(byte own)
{
    bool ended;
    os_tid = own;
    if
    :: end()
    :: true /* left by a bare system call */
    fi;
    atomic { gone[own] = true; threads-- }
}

/* spawned() and recorder_take_back of a thread that cannot be made */
inline come_to_nothing()
{
#if MUTANT == 7
    atomic { spawned--; COUNTED };
    end();
    atomic { finished--; COUNTED };
#else
    atomic {
        ended = state == LIVE;
        if
        :: ended -> state = ENDING; TOLD
        :: else
        fi
    };
    if
    :: ended -> atomic { ended = false; spawned--; COUNTED }
    :: else
    fi;
#endif
    release();
    let_go()
}

inline join() /* joined() */
{
    gone[own];
    hold(own);
    if
    :: holding -> release(); let_go_held(own)
    :: else
    fi
}

inline detach()
{
    hold(own);
    if
    :: holding ->
       joinable = false;
       if
       :: state == FINISHED -> release()
       :: else
       fi;
       let_go_held(own)
    :: else
    fi
}

proctype program()
{
    byte spawns, own;
    bool mine, ended, last, holding, same;
    do
    :: spawns < SPAWNS ->
       spawn(THREAD, 1, true);
       if
       :: !mine
       :: mine -> come_to_nothing()
       :: mine ->
          own = id;
          atomic { threads++; run thread(own) };
          let_go();
          if
          :: join()
          :: detach()
          fi
       fi;
       atomic { spawns++; own = 0; mine = false }
    :: else -> break
    od;
    atomic { spawns = 0; program_over = true }
}

inline look_for_end()
{
#if MUTANT == 11
    tid = os_tid;
    own = id;
#else
    own = id;
    tid = os_tid;
#endif
    if
    :: kind == THREAD && tid != 0 && gone[tid] ->
       hold(own);
       if
       :: holding ->
          assert(tid == own);
          end();
          if
          :: joinable ->
             atomic {
                 if
                 :: state == ENDING -> state = FINISHED; TOLD
                 :: else
                 fi
             }
          :: else
          fi;
#if MUTANT == 8
          if
          :: state != FINISHED -> release()
          :: else
          fi;
#else
          if
          :: !joinable -> release()
          :: else
          fi;
#endif
          let_go_held(own)
       :: else
       fi
    :: else
    fi
}

inline note_finished()
{
    if
    :: !seen ->
#if MUTANT == 13 /* as it was, but for free_slot */
       atomic { seen = true; seen_of = id; TOLD }
#else
       own = id;
       hold(own);
       if
       :: holding ->
          if
          :: state == FINISHED -> seen_of = id; atomic { seen = true; TOLD }
          :: else
          fi;
          let_go_held(own)
       :: else
       fi
#endif
    :: else
    fi
}

proctype sampler()
{
    byte own, tid;
    bool ended, last, holding, same, at_last;
    do
    :: !at_last ->
       at_last = program_over && worker_over && threads == 0;
       if
       :: state == FINISHED -> note_finished()
       :: state == LIVE || state == ENDING -> look_for_end()
       :: state == FREE
       fi;
       atomic { own = 0; tid = 0 }
    :: else -> break
    od
}

/* release_task and put_spare; recorder_keep and recorder_spawn_again; recorder_thread_ends */
proctype worker()
{
    byte tasks;
    bool mine, ended, last, alone;
    do
    :: tasks < TASKS ->
       spawn(TASK, 0, false);
       if
       :: !mine
       :: mine -> /* kept for the next one */
          atomic { state = FREE; owner = 0 };
          atomic { finished++; COUNTED };
          atomic { spawned++; COUNTED };
          atomic { released = false; joinable = false };
          atomic { last_id++; id = last_id; owner = last_id };
          atomic { state = LIVE; TOLD };
          mine = false;
          release()
       :: mine ->
          atomic { finished++; COUNTED };
          state = FREE;
          atomic {
              alone = holds == 0;
              owner = 0;
              if
              :: alone -> joinable = false
              :: else
              fi
          };
          if
          :: alone -> alone = false /* it is spare now */
          :: else -> mine = false; end(); set_released()
          fi
       fi;
       tasks++
    :: else -> break
    od;
#if MUTANT != 9
    if
    :: mine -> atomic { assert(!listed && state == FREE); listed = true }
    :: else
    fi;
#endif
    atomic { mine = false; tasks = 0; worker_over = true }
}

init
{
    atomic { run program(); run worker(); run sampler() };
    atomic { _nr_pr == 1 };
    assert(listed && holds == 0 && !released && !joinable);
    assert(spawned == finished + lost)
}
