/* The leaking servers of the samples: what is to be found after they have answered requests. */
#ifndef LEAKSPY_E2E_SERVERS_H
#define LEAKSPY_E2E_SERVERS_H

#include "tests/e2e/harness.h"

struct server {
    const char *program;
    const char *source;
    const char *runtime; /* as the report names it */
    const char *comment; /* how a comment begins in the source */
    struct expected_group leak;
    const char *handler; /* of the request; farther out in the spawn stack */
    const char *handler_file;
    const char *handler_mark; /* in the source; NULL: it is not of the sample */
    const char *own_words;    /* what the server itself says of each task that was left */
};

/* That of libtaskrt, and that of libgo, which is only built where there is gccgo. */
enum { SERVER_TASKRT, SERVER_LIBGO, SERVERS };
extern const struct server servers[SERVERS];

/* Starts a server, as target_start does, and says which port it listens on. */
struct target *server_start(bool preload, const struct server *server, const char *const env[],
                            char port[16]);

/* The group that 50 requests leave, as a recording tells it. */
struct expected_group server_leak(const struct server *server);

#endif
