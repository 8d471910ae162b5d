/* Which processes a process has started that live still. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

#include "analyzer/process/file.h"
#include "analyzer/process/process.h"

#define MAX_CHILDREN (1U << 20) /* bytes of their numbers, of one thread */

/* A list of numbers, each with a blank behind it (proc_pid_children(5)). False: `visit` has had
 * enough. */
static bool visit_listed(const char *list, bool (*visit)(pid_t pid, void *arg), void *arg)
{
    char *end;
    for (long pid; (pid = strtol(list, &end, 10)) > 0 && end != list; list = end)
        if (!visit((pid_t)pid, arg))
            return false;
    return true;
}

void process_children(pid_t pid, bool (*visit)(pid_t pid, void *arg), void *arg)
{
    char path[320];
    size_t bytes;
    snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
    DIR *threads = opendir(path);
    struct dirent *entry;
    bool more = true;
    while (threads && more && (entry = readdir(threads)) != NULL) {
        if (entry->d_name[0] == '.')
            continue;
        snprintf(path, sizeof(path), "/proc/%d/task/%s/children", (int)pid, entry->d_name);
        char *list = process_file_read(path, MAX_CHILDREN, &bytes);
        if (list)
            more = visit_listed(list, visit, arg);
        free(list);
    }
    if (threads)
        closedir(threads);
}
