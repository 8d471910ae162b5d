/* A thread that nobody saw begin gets its slot when it first waits: recorder_adopt of recorder.c,
 * with a signal handler that waits at any instruction of it, and so adopts the thread too. Slots may
 * run out, and the thread may be one that was counted as lost when it was spawned. One that began
 * before the recording is given a slot meanwhile by who begins it: early.c.
 *
 * Asserted: one slot a thread, or none and one loss; as many spawned as there are threads; never
 * more finished than spawned, at any moment. Left out: a handler that leaves by longjmp, which
 * leaves what it interrupted undone. Mutants: -DMUTANT=1 to 7. */
#ifndef MUTANT
#define MUTANT 0
#endif
#define SINK 9

byte room;          /* slots that are free */
short spawned, finished, lost, lost_threads;
short live;         /* slots that hold a task */
byte task;          /* recorder_thread.task: 0, a slot, or SINK */
byte slots;         /* numbers given to slots */
byte turn;
bool was_lost;
bool over;
bool early;         /* it began before the recording */
byte entry;         /* of early.c: 0, BY_ITSELF, or the slot that it was given */
#define BY_ITSELF 8

#define STEP(...) atomic { turn == me -> __VA_ARGS__ }
#define COUNTED assert(finished <= spawned && finished >= 0 && lost >= 0)

/* recorder_spawn */
inline spawn()
{
    STEP(spawned++; COUNTED);
    STEP(got = (room > 0 -> 1 : 0); room = room - got);
    if
    :: got -> STEP(slots++; own = slots; live++)
    :: else -> STEP(lost++; COUNTED); own = SINK
    fi
}

/* recorder_take_back */
inline take_back()
{
#if MUTANT == 1 /* as it was: both are counted back, and the release counts the end */
    STEP(spawned--; COUNTED);
    STEP(finished--; COUNTED);
    STEP(finished++; COUNTED);
#else
    STEP(spawned--; COUNTED);
#endif
    STEP(live--; room++)
}

inline take_back_loss()
{
    STEP(spawned--; COUNTED);
    STEP(lost--; COUNTED)
}

/* early_own_task */
inline ask_entry()
{
    mine = 0;
    if
    :: early ->
#if MUTANT == 5 /* it does not say that it has asked */
       STEP(mine = (entry == BY_ITSELF -> 0 : entry))
#else
       STEP(mine = (entry == BY_ITSELF -> 0 : entry); entry = (entry == 0 -> BY_ITSELF : entry))
#endif
    :: else
    fi
}

inline adopt()
{
    ask_entry();
    if
    :: mine != 0 -> STEP(task = mine)
    :: else -> adopt_itself()
    fi
}

inline adopt_itself()
{
    spawn();
    known = 0;
#if MUTANT == 2 /* as it was */
    STEP(task = own);
#else
    STEP(known = task; if :: task == 0 -> task = own :: else fi);
#endif
    if
#if MUTANT == 4
    :: known != 0 && own != SINK -> take_back()
#else
    :: known != 0 && own != SINK && known != SINK -> take_back()
    :: known == SINK && own != SINK -> take_back_loss(); STEP(task = own)
#endif
    :: known != 0 && own == SINK ->
#if MUTANT != 3
       take_back_loss()
#else
       skip
#endif
    :: known == 0 ->
       STEP(had_lost = lost_threads > 0; lost_threads = lost_threads - had_lost);
       if
       :: had_lost -> take_back_loss()
       :: else
       fi
    fi
}

proctype context(byte me)
{
    byte own, known, mine;
    bool got, had_lost, need;
    if
    :: me == 0
    :: atomic { me == 1 && turn == 0 && !over -> turn = 1 }
    :: me == 1 && over -> goto done
    fi;
    STEP(need = task == 0); /* recorder_self */
    if
    :: need -> adopt()
    :: else
    fi;
    if
    :: me == 1 -> turn = 0
    :: else -> STEP(over = true)
    fi;
done:
    skip
}

/* early_record: in another thread, so that it goes on at any moment. */
proctype giver()
{
    bool got, given, had_lost;
    byte own;
    spawned++;
    atomic { got = (room > 0 -> 1 : 0); room = room - got };
    if
    :: !got ->
       lost++;
       spawned--;
       lost--
    :: else ->
       atomic { slots++; own = slots; live++ };
#if MUTANT == 6 /* whatever it has done meanwhile */
       atomic { given = true; entry = own };
#else
       atomic { given = entry == 0; entry = (given -> own : entry) };
#endif
       if
       :: given ->
          atomic { had_lost = lost_threads > 0; lost_threads = lost_threads - had_lost };
#if MUTANT != 7
          if
          :: had_lost -> spawned--; lost--
          :: else
          fi
#endif
       :: else -> spawned--; atomic { live--; room++ }
       fi
    fi
}

init
{
    bool none;
    atomic {
        select(room : 0 .. 2);
        if
        :: was_lost = true; lost_threads = 1; lost = 1; spawned = 1
        :: was_lost = true; lost_threads = 1; lost = 1; spawned = 1; early = true; run giver()
        :: true
        fi;
        /* The last slot may be in the giver's hand when the thread asks for one. */
        none = room == 0 || early;
        run context(0); run context(1)
    };
    atomic { _nr_pr == 1 };
    assert(task != 0 && spawned == 1 && (none || task != SINK));
    assert(live == (task == SINK -> 0 : 1));
    assert(lost == (task == SINK -> 1 : 0))
}
