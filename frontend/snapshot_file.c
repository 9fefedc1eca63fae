/* The snapshot file: a header and records, each with a checksum. All numbers are little-endian.
 * Header: "PSNAPSH1". Record: kind, index (u32 each), at, size (u64 each), packed, CRC-32 (u32
 * each) of what stands before it and of the data, data (zlib). */
/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "frontend/snapshot_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "frontend/snapshot_pack.h"
#include "hw/image/deflate.h"

enum { MAGIC_SIZE = 8, HEAD = 32, CRC_AT = 28, WRITE_AHEAD = 8 << 20 };
static const char magic[MAGIC_SIZE + 1] = "PSNAPSH1";

struct snapshot_writer {
    char *path;           /* what the file will be called */
    char *temporary;      /* what it is called now */
    FILE *file;           /* the file */
    struct packers *pack; /* threads that compress */
    u64 written;          /* bytes */
    u64 started;          /* bytes that the host was asked to write to its disk */
    bool failed;          /* a write has failed: errno is in error */
    int error;            /* why */
};

static void write_bytes(struct snapshot_writer *w, const void *p, size_t size)
{
    if (!w->failed && size && fwrite(p, 1, size, w->file) != size) {
        w->failed = true;
        w->error = errno;
    }
    w->written += size;
}

/* Lets the host's disk begin early, so that there is less to wait for at the end. */
static void start_write(struct snapshot_writer *w)
{
    if (w->failed || w->written - w->started < WRITE_AHEAD || fflush(w->file))
        return;
    sync_file_range(fileno(w->file), (off_t)w->started, (off_t)(w->written - w->started),
                    SYNC_FILE_RANGE_WRITE);
    w->started = w->written;
}

static void write_record(void *opaque, const struct record *record)
{
    struct snapshot_writer *w = opaque;
    u8 head[HEAD];
    store_le32(head, record->kind);
    store_le32(head + 4, record->index);
    store_le64(head + 8, record->at);
    store_le64(head + 16, record->size);
    store_le32(head + 24, record->packed);
    store_le32(head + CRC_AT, crc32_add(crc32_add(0, head, CRC_AT), record->data, record->packed));
    write_bytes(w, head, HEAD);
    write_bytes(w, record->data, record->packed);
    start_write(w);
}

struct snapshot_writer *snapshot_create(const char *path, struct error *err)
{
    struct snapshot_writer *w = xcalloc(1, sizeof *w);
    w->path = xstrdup(path);
    w->temporary = xasprintf("%s.new", path);
    w->file = fopen(w->temporary, "wbe");
    if (w->file) {
        write_bytes(w, magic, MAGIC_SIZE);
        w->pack = packers_new(write_record, w);
        return w;
    }
    error_set(err, "%s: %s", w->temporary, strerror(errno));
    free(w->path);
    free(w->temporary);
    free(w);
    return NULL;
}

void snapshot_add(struct snapshot_writer *w, enum record_kind kind, u32 index, u64 at,
                  const u8 *data, u64 size)
{
    struct record record = {.kind = kind, .index = index, .at = at, .size = size, .data = data};
    packers_add(w->pack, &record);
}

bool snapshot_finish(struct snapshot_writer *w, bool keep, struct error *err)
{
    if (keep)
        snapshot_add(w, RECORD_END, 0, 0, NULL, 0);
    packers_finish(w->pack);
    bool good = !w->failed && !fflush(w->file) && !fdatasync(fileno(w->file));
    w->error = w->failed ? w->error : errno;
    good = !fclose(w->file) && good;
    good = good && (!keep || !rename(w->temporary, w->path));
    if (!good || !keep)
        unlink(w->temporary);
    if (!good && keep)
        error_set(err, "%s: %s", w->path, strerror(w->error));
    free(w->path);
    free(w->temporary);
    free(w);
    return good;
}

/* Reading */

void snapshot_rewind(struct snapshot_reader *r)
{
    r->next = MAGIC_SIZE;
}

/* Sizes are checked against the file, and against what a record may hold. */
bool snapshot_next(struct snapshot_reader *r, struct record *record)
{
    if (r->size - r->next < HEAD)
        return false;
    const u8 *head = r->data + r->next;
    *record = (struct record){.kind = load_le32(head),
                              .index = load_le32(head + 4),
                              .at = load_le64(head + 8),
                              .size = load_le64(head + 16),
                              .packed = load_le32(head + 24),
                              .data = head + HEAD};
    if (record->packed > r->size - r->next - HEAD || (record->packed && record->size > RECORD_MAX))
        return false;
    r->next += HEAD + record->packed;
    return true;
}

/* Every checksum, and the record that ends the file. */
static bool whole(struct snapshot_reader *r)
{
    struct record record = {.kind = RECORD_DEVICES};
    if (r->size < MAGIC_SIZE || memcmp(r->data, magic, MAGIC_SIZE))
        return false;
    snapshot_rewind(r);
    while (snapshot_next(r, &record)) {
        const u8 *head = record.data - HEAD;
        u32 crc = crc32_add(crc32_add(0, head, CRC_AT), record.data, record.packed);
        if (crc != load_le32(head + CRC_AT))
            return false;
    }
    return record.kind == RECORD_END && r->next == r->size;
}

bool snapshot_open(struct snapshot_reader *r, const char *path, struct error *err)
{
    struct stat st;
    *r = (struct snapshot_reader){.path = xstrdup(path)};
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    void *p = MAP_FAILED;
    if (fd >= 0 && !fstat(fd, &st) && st.st_size > 0)
        p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    int why = errno;
    if (fd >= 0)
        close(fd);
    if (p != MAP_FAILED) {
        r->data = p;
        r->size = (size_t)st.st_size;
        if (whole(r))
            return true;
    }
    if (fd < 0)
        error_set(err, "%s: %s", path, strerror(why));
    else
        error_set(err, "%s: not a snapshot, or a damaged one", path);
    snapshot_close(r);
    return false;
}

bool record_unpack(const struct record *record, u8 *to)
{
    return record->packed && inflate_zlib(to, record->size, record->data, record->packed);
}

void snapshot_close(struct snapshot_reader *r)
{
    if (r->data)
        munmap((void *)r->data, r->size);
    free(r->path);
    *r = (struct snapshot_reader){NULL, NULL, 0, 0};
}
