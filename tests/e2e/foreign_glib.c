/* A GLib thread that pops from a queue into which nobody pushes. */
#include <glib.h>

#include "samples/sample.h"

static GAsyncQueue *queue;

static gpointer serve_queue(gpointer data)
{
    gpointer job = g_async_queue_pop(queue);
    return job ? job : data;
}

__attribute__((noinline)) static GThread *start_server(void)
{
    return g_thread_new("server", serve_queue, NULL);
}

int main(void)
{
    queue = g_async_queue_new();
    GThread *thread = start_server();
    sample_ready();
    sample_hold();
    g_async_queue_push(queue, queue);
    g_thread_join(thread);
    return 0;
}
