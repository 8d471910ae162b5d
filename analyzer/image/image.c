/* What processes and cores have in common: tables, texts, notes, and looking things up. */
#include "analyzer/image/image.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "analyzer/base/ranges.h"
#include "analyzer/base/rows.h"

#define MAX_NOTES 64

struct image_text {
    struct image_text *next;
    char text[];
};

const char *image_text(struct image *image, const char *text, size_t bytes)
{
    if (bytes == 0)
        return "";
    /* Neighbours often have the same name: the mappings of one file. */
    if (image->texts && strncmp(image->texts->text, text, bytes) == 0 &&
        image->texts->text[bytes] == '\0')
        return image->texts->text;
    struct image_text *row = malloc(sizeof(*row) + bytes + 1);
    if (!row)
        return NULL;
    memcpy(row->text, text, bytes);
    row->text[bytes] = '\0';
    row->next = image->texts;
    image->texts = row;
    return row->text;
}

void image_note(struct image *image, const char *format, ...)
{
    va_list arguments;
    char *note;
    va_start(arguments, format);
    int length = vasprintf(&note, format, arguments);
    va_end(arguments);
    if (length < 0)
        return;
    bool known = image->note_count >= MAX_NOTES;
    for (size_t i = 0; i < image->note_count && !known; i++)
        known = strcmp(image->notes[i], note) == 0;
    if (known || !rows_grow(&image->notes, image->note_count, sizeof(*image->notes))) {
        free(note);
        return;
    }
    image->notes[image->note_count++] = note;
}

uint64_t image_room_for(const struct image *image, uint64_t bytes)
{
    struct stat status;
    uint64_t mapped = 0;
    for (size_t i = 0; i < image->mapping_count; i++)
        mapped += image->mappings[i].end - image->mappings[i].start;
    if (image->path && stat(image->path, &status) == 0 && (uint64_t)status.st_size < mapped)
        mapped = (uint64_t)status.st_size;
    return mapped / bytes;
}

const struct image_mapping *image_mapping_at(const struct image *image, uint64_t address)
{
    size_t row =
        ranges_at(image->mappings, image->mapping_count, sizeof(*image->mappings), address);
    return row < image->mapping_count ? &image->mappings[row] : NULL;
}

struct image_thread *image_thread_of(const struct image *image, uint32_t tid)
{
    for (size_t i = 0; i < image->thread_count; i++) {
        if (image->threads[i].tid == tid)
            return &image->threads[i];
    }
    return NULL;
}

uint32_t image_module_at(const struct image *image, uint64_t address)
{
    size_t row = ranges_at(image->modules, image->module_count, sizeof(*image->modules), address);
    return row < image->module_count ? (uint32_t)row : 0;
}

uint64_t image_waited(struct image *image, uint32_t tid, const struct thread_call *call)
{
    if (!call->has_pidfd || !image->functions || !image->functions->process_of_pidfd)
        return call->object;
    return (uint64_t)image->functions->process_of_pidfd(image, tid, call->pidfd);
}

bool image_times_out(struct image *image, uint32_t tid, const struct thread_call *call)
{
    return call->timeout && !call->fds && image->functions && image->functions->fd_times_out &&
           image->functions->fd_times_out(image, tid, (int)call->object, call->timeout);
}

bool image_polls_connection(struct image *image, uint32_t tid, const struct thread_call *call)
{
    return call->fds && call->arg == 1 && image->functions && image->functions->fd_is_connected &&
           image->functions->fd_is_connected(image, tid, (int)call->object);
}

bool image_thread_is_parked_alike(const struct image_thread *a, const struct image_thread *b)
{
    return a->parked && b->parked && a->call == b->call &&
           memcmp(a->args, b->args, sizeof(a->args)) == 0 &&
           a->registers.value[IMAGE_REGISTER_SP] == b->registers.value[IMAGE_REGISTER_SP] &&
           a->registers.value[IMAGE_REGISTER_PC] == b->registers.value[IMAGE_REGISTER_PC];
}

uint32_t image_exe_module(const struct image *image)
{
    for (size_t i = 1; i < image->module_count; i++) {
        if (image->modules[i].is_exe)
            return (uint32_t)i;
    }
    return 0;
}

void image_close(struct image *image)
{
    if (image->functions)
        image->functions->close(image);
    free(image->path);
    free(image->exe);
    for (size_t i = 0; image->cmdline && image->cmdline[i]; i++)
        free(image->cmdline[i]);
    free(image->cmdline);
    free(image->mappings);
    free(image->modules);
    free(image->threads);
    for (size_t i = 0; i < image->note_count; i++)
        free(image->notes[i]);
    free(image->notes);
    while (image->texts) {
        struct image_text *next = image->texts->next;
        free(image->texts);
        image->texts = next;
    }
    memset(image, 0, sizeof(*image));
}
