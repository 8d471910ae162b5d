#include "analyzer/base/descriptor_text.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analyzer/base/text.h"

static bool begins_with(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

/* Printable, and with its end marked where that is missing. */
static void put_name(const char *name, char *to, size_t bytes)
{
    static const char cut[] = "...";
    char *whole = text_printable_dup(name);
    text_printable(name, to, bytes);
    if (whole && strlen(whole) >= bytes && bytes > sizeof(cut))
        strcat(text_printable(name, to, bytes - strlen(cut)), cut);
    free(whole);
}

void descriptor_text_link(const char *link, char *to, size_t bytes)
{
    static const char anonymous[] = "anon_inode:";
    if (begins_with(link, "socket:[")) {
        snprintf(to, bytes, "socket");
    } else if (begins_with(link, "pipe:[")) {
        snprintf(to, bytes, "pipe");
    } else if (begins_with(link, anonymous)) { /* "anon_inode:[eventfd]", "anon_inode:inotify" */
        char name[64];
        const char *from = link + strlen(anonymous) + (link[strlen(anonymous)] == '[');
        snprintf(name, sizeof(name), "%.*s", (int)strcspn(from, "]"), from);
        put_name(name, to, bytes);
    } else {
        put_name(link, to, bytes);
    }
}

void descriptor_text_socket(const char *kind, const char *local, const char *peer, bool listens,
                            char *to, size_t bytes)
{
    char text[512];
    snprintf(text, sizeof(text), "%s%s%s%s%s%s", kind, local[0] ? " " : "", local,
             peer[0] ? " -> " : "", peer, listens ? " listening" : "");
    put_name(text, to, bytes);
}

void descriptor_text_address(int family, const void *address, unsigned port,
                             char to[DESCRIPTOR_ADDRESS])
{
    char text[INET6_ADDRSTRLEN] = "?";
    inet_ntop(family, address, text, sizeof(text));
    snprintf(to, DESCRIPTOR_ADDRESS, family == AF_INET6 ? "[%s]:%u" : "%s:%u", text, port);
}
