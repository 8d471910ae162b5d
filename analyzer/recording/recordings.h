/* Where recordings are: the folder of a user, and the processes that have one. */
#ifndef LEAKSPY_ANALYZER_RECORDING_RECORDINGS_H
#define LEAKSPY_ANALYZER_RECORDING_RECORDINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "analyzer/base/err.h"
#include "preload/recording.h"

struct recording_entry {
    char *path;
    uint32_t pid;
    bool this_boot;
    uint64_t started_ns; /* by a clock that nobody sets; of another boot, by CLOCK_REALTIME */
};

struct recording_list {
    struct recording_entry *rows; /* newest first */
    size_t count;
    size_t unreadable; /* files with the name of a recording that are none, or damaged */
};

/* The folder where a user's programs record. Returns `to`. */
char *recordings_folder(uid_t uid, char to[64]);

/* The recordings in a folder; one that does not exist has none. Errors: it belongs to somebody
 * other than `uid`, is a link, may not be read. */
bool recordings_list(const char *folder, uid_t uid, struct recording_list *ret, struct err *err);

/* The same, of one process only; pid 0: of all. */
bool recordings_list_of(const char *folder, uid_t uid, pid_t pid, struct recording_list *ret,
                        struct err *err);

/* Adds the recordings that processes of `uid` are writing elsewhere (LEAKSPY_OUT), and sorts anew.
 */
void recordings_add_live(struct recording_list *list, uid_t uid);
void recordings_list_deinit(struct recording_list *list);

/* The path of the newest recording of a list, to be freed; of a process that a recorded program
 * started, itself or by others, that of the first such program which had more than one task; where
 * none had, of the first.
 * *ret_relatives: there were others on the way to it. NULL: the list is empty, or no memory. */
char *recordings_newest(const struct recording_list *list, bool *ret_relatives);

/* Recordings of programs that the process of the recording at `path` started, itself or by others,
 * as far as they lie in the same folder, those of the most tasks first: what their headers say so
 * of, and FILE.PID-N beside FILE. Left out is what can hold nothing: of programs that ended by
 * themselves and never had a second task, and of those that executed another one, which is there.
 * Nothing is found where `path` is no recording. False: no memory. */
bool recordings_started_by(const char *path, struct recording_list *ret);

/* Of several recordings of one process, which executed one program after the other. */
enum recordings_pick { RECORDINGS_OLDEST, RECORDINGS_NEWEST };

/* The path of one recording of a process that stands in the folder of `path`, `path` itself
 * included, to be freed; NULL: there is none, or no memory. A program that executes another leaves
 * one of itself, and the other's has a number behind it: PID-N.rec, or FILE.PID-N.
 *
 * start_ticks: of the process, as in rec_header; 0: not known, but of this boot. since_ns:
 * recordings that began earlier by CLOCK_MONOTONIC are those of others. */
char *recordings_beside(const char *path, uint32_t pid, uint64_t start_ticks, uint64_t since_ns,
                        enum recordings_pick pick);

/* Whether a process, which has the number `here`, still writes the recording of this header, as
 * that says. False: it has executed a program that the library is not in. True also where it cannot
 * be known. */
bool recordings_is_written_by(pid_t here, const struct rec_header *header);

/* Whether the process of a recording that says that it exited lives still, more than a second
 * later: what libc does last, as to write out its streams, blocks. Of that nothing is recorded.
 * False also where it cannot be known. */
bool recordings_exit_hangs(const struct rec_header *header);

/* The path of the newest recording of a process, to be freed: in the folder of its user, or
 * wherever it, or the parent that records it from outside, has one mapped. Errors: there is no such
 * process, it was not recorded, its exit hangs, or that cannot be seen. */
char *recordings_of_pid(pid_t pid, struct err *err);

#endif
