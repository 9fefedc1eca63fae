/* Snapshots: the whole machine, its disks included, in a file. */
/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "frontend/snapshot.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cpu/cpu.h"
#include "frontend/progress.h"
#include "frontend/snapshot_file.h"
#include "frontend/snapshot_ram.h"
#include "hw/device.h"
#include "hw/image/image.h"

enum { DISK_PIECE = 2048 /* sectors */, PERMILLE = 1000 };
/* What a machine's time may be, ns: so far from its end that no chip's sums overflow. */
#define TIME_MOST BIT64(62)

char *snapshot_path(const char *name)
{
    return strchr(name, '/') ? xstrdup(name) : xasprintf("%s.snap", name);
}

/* CPU, then the time by which the chips count, then the chips. */
static void machine_state(struct machine *m, struct state *s)
{
    u64 now = machine_time(m);
    cpu_state(machine_cpu(m), s);
    state_begin(s, "machine", 1);
    state_u64(s, "time", &now);
    state_end(s);
    if (now > TIME_MOST) {
        state_fail(s, "the machine's time is out of range");
        now = TIME_MOST;
    }
    if (state_loading(s))
        machine_set_time(m, now);
    board_state(machine_board(m), s);
}

/* Saving */

static bool all_zero(const u8 *p, size_t size)
{
    return !p[0] && !memcmp(p, p + 1, size - 1);
}

static u64 ram_size(const struct physmem *mem)
{
    struct stat st;
    return fstat(physmem_fd(mem), &st) ? 0 : (u64)st.st_size;
}

/* How far it is. */
struct saving {
    struct progress bar; /* shows it */
    u64 all;             /* bytes of memory and of the drives */
    u64 done;            /* of these */
};

static void start_saving(struct saving *s, struct machine *m)
{
    *s = (struct saving){.all = ram_size(machine_board(m)->mem)};
    for (unsigned n = 0; n < MAX_DRIVES; n++) {
        const struct image *img = machine_disk(m, n);
        s->all += img && !img->read_only ? img->sectors << SECTOR_SHIFT : 0;
    }
    progress_start(&s->bar, "saving");
}

static void saved(struct saving *s, u64 bytes)
{
    s->done += bytes;
    progress_set(&s->bar, (unsigned)(s->done * PERMILLE / s->all));
}

/* Pieces that are not zero; holes of the memfd were never touched. */
static void save_ram(struct machine *m, struct snapshot_writer *w, struct saving *s)
{
    const struct physmem *mem = machine_board(m)->mem;
    u64 size = ram_size(mem);
    physmem_fetch_all(machine_board(m)->mem);
    for (u64 at = 0; at < size;) {
        off_t data = lseek(physmem_fd(mem), (off_t)at, SEEK_DATA);
        u64 next = data < 0 ? size : (u64)data & ~(u64)(RAM_PIECE - 1);
        saved(s, next - at);
        at = next;
        if (at == size)
            return;
        u64 n = size - at < RAM_PIECE ? size - at : RAM_PIECE;
        const u8 *p = physmem_ram(mem, at);
        if (!all_zero(p, n))
            snapshot_add(w, RECORD_RAM, 0, at, p, n);
        at += n;
        saved(s, n);
    }
}

static bool save_disk(struct image *img, u32 index, struct snapshot_writer *w, struct saving *s,
                      struct error *err)
{
    u8 *buf = xmalloc((size_t)DISK_PIECE * SECTOR_SIZE);
    int status = 0;
    snapshot_add(w, RECORD_DISK, index, 0, NULL, img->sectors);
    for (u64 sector = 0; sector < img->sectors && !status;) {
        u64 left = img->sectors - sector;
        u32 run = left < DISK_PIECE ? (u32)left : DISK_PIECE;
        enum image_extent kind = image_extent(img, sector, run, &run);
        if (kind == IMAGE_ZERO) {
            snapshot_add(w, RECORD_ZERO, index, sector, NULL, run);
        } else if (kind == IMAGE_DATA) {
            status = image_read(img, sector, buf, run);
            snapshot_add(w, RECORD_DATA, index, sector, buf, (u64)run * SECTOR_SIZE);
        }
        sector += run;
        saved(s, (u64)run << SECTOR_SHIFT);
    }
    free(buf);
    return !status || error_set(err, "drive %u cannot be read: %s", index, strerror(status));
}

static bool save_all(struct machine *m, struct snapshot_writer *w, struct error *err)
{
    struct saving saving;
    struct state *s = state_new();
    size_t size;
    bool good = true;
    machine_state(m, s);
    const u8 *bytes = state_bytes(s, &size);
    snapshot_add(w, RECORD_DEVICES, 0, ram_size(machine_board(m)->mem), bytes, size);
    state_free(s);
    start_saving(&saving, m);
    save_ram(m, w, &saving);
    for (unsigned n = 0; n < MAX_DRIVES && good; n++) {
        struct image *img = machine_disk(m, n);
        if (img && !img->read_only && !img->ops->empty)
            good = error_set(err, "drive %u is a folder, which no snapshot can hold", n);
        else if (img && !img->read_only)
            good = save_disk(img, n, w, &saving, err);
    }
    progress_end(&saving.bar);
    return good;
}

bool snapshot_save(struct machine *m, const char *name, struct error *err)
{
    char *path = snapshot_path(name);
    struct snapshot_writer *w = snapshot_create(path, err);
    free(path);
    if (!w)
        return false;
    bool was_paused = machine_paused(m);
    machine_pause(m, true);
    bool good = save_all(m, w, err);
    good = snapshot_finish(w, good, err) && good;
    machine_pause(m, was_paused);
    return good;
}

/* Loading */

static bool load_devices(struct machine *m, const u8 *bytes, size_t size, struct error *err)
{
    struct state *s = state_parse(bytes, size, err);
    if (!s)
        return false;
    machine_state(m, s);
    const char *why = state_failed(s);
    if (why)
        error_set(err, "%s", why);
    state_free(s);
    return !why;
}

/* A piece of the machine's memory? Each begins where one may. */
static bool ram_fits(const struct record *record, u64 bytes)
{
    return record->at < bytes && record->at % RAM_PIECE == 0 && record->size <= RAM_PIECE &&
           record->size <= bytes - record->at;
}

/* A part of a drive that is there? */
static bool piece_fits(const struct image *img, const struct record *record)
{
    bool whole = record->kind == RECORD_ZERO || record->size % SECTOR_SIZE == 0;
    u64 count = record->kind == RECORD_ZERO ? record->size : record->size >> SECTOR_SHIFT;
    return img && !img->read_only && whole && count <= UINT32_MAX && record->at < img->sectors &&
           count <= img->sectors - record->at;
}

/* Is it of a machine like this one, with the same drives? */
static bool fits(struct machine *m, struct snapshot_reader *r, struct error *err)
{
    struct record record;
    unsigned drives = 0, ours = 0;
    u64 bytes = ram_size(machine_board(m)->mem);
    for (unsigned n = 0; n < MAX_DRIVES; n++)
        ours += machine_disk(m, n) && !machine_disk(m, n)->read_only;
    snapshot_rewind(r);
    while (snapshot_next(r, &record)) {
        struct image *img = record.index < MAX_DRIVES ? machine_disk(m, record.index) : NULL;
        if (record.kind == RECORD_DEVICES && record.at != bytes)
            return error_set(err, "%s: the snapshot is of a machine with other memory", r->path);
        if (record.kind == RECORD_RAM && !ram_fits(&record, bytes))
            return error_set(err, "%s: a piece of memory outside the machine's", r->path);
        if (record.kind == RECORD_DISK && (!img || img->read_only || img->sectors != record.size))
            return error_set(err, "%s: the snapshot is of a machine with other drives", r->path);
        if ((record.kind == RECORD_DATA || record.kind == RECORD_ZERO) && !piece_fits(img, &record))
            return error_set(err, "%s: data for a place that no drive has", r->path);
        drives += record.kind == RECORD_DISK;
    }
    return drives == ours ||
           error_set(err, "%s: the snapshot is of a machine with other drives", r->path);
}

/* All of RAM is written: whoever depends on its contents is told, then it is zero but for what
 * was saved. */
static void clear_ram(struct physmem *mem)
{
    u64 size = ram_size(mem);
    physmem_end_source(mem);
    for (u64 at = 0; at < size; at += PAGE_SIZE)
        physmem_before_write(mem, at, PAGE_SIZE);
    if (fallocate(physmem_fd(mem), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, (off_t)size) < 0)
        memset(physmem_ram(mem, 0), 0, size);
}

static int load_disk_piece(struct image *img, const struct record *record)
{
    u8 *buf = NULL;
    int status = 0;
    if (record->kind == RECORD_DISK)
        return image_empty(img);
    if (record->kind == RECORD_ZERO)
        return image_discard(img, record->at, (u32)record->size);
    buf = xmalloc(record->size + 1);
    if (record_unpack(record, buf))
        status = image_write(img, record->at, buf, (u32)(record->size / SECTOR_SIZE));
    free(buf);
    return status;
}

/* From here on nothing but the host's disks can fail. */
static bool load_contents(struct machine *m, struct snapshot_reader *r, struct error *err)
{
    struct physmem *mem = machine_board(m)->mem;
    struct record record;
    struct progress bar;
    int status = 0;
    clear_ram(mem);
    struct snapshot_ram *ram = snapshot_ram_new(mem);
    snapshot_rewind(r);
    progress_start(&bar, "loading");
    while (snapshot_next(r, &record) && !status) {
        if (record.kind == RECORD_RAM)
            snapshot_ram_add(ram, &record);
        else if (record.kind >= RECORD_DISK && record.kind <= RECORD_ZERO)
            status = load_disk_piece(machine_disk(m, record.index), &record);
        progress_set(&bar, (unsigned)(r->next * PERMILLE / r->size));
    }
    progress_end(&bar);
    snapshot_ram_attach(ram);
    return !status || error_set(err, "a disk cannot be written: %s", strerror(status));
}

/* The chips first, with a way back; then memory and disks; then the chips again, which may have
 * looked at memory. */
static bool load_all(struct machine *m, struct snapshot_reader *r, struct error *err)
{
    struct record record;
    struct state *before = state_new();
    size_t size;
    u8 *devices = NULL;
    snapshot_rewind(r);
    while (snapshot_next(r, &record) && record.kind != RECORD_DEVICES)
        ;
    if (record.kind == RECORD_DEVICES)
        devices = xmalloc(record.size + 1);
    machine_state(m, before);
    bool good = devices && record_unpack(&record, devices);
    if (!good)
        error_set(err, "no machine state in it");
    if (good && !load_devices(m, devices, record.size, err)) {
        const u8 *bytes = state_bytes(before, &size);
        load_devices(m, bytes, size, NULL);
        good = false;
    }
    good = good && load_contents(m, r, err) && load_devices(m, devices, record.size, err);
    state_free(before);
    free(devices);
    return good;
}

bool snapshot_load(struct machine *m, const char *name, struct error *err)
{
    struct snapshot_reader r;
    struct error why = {""};
    char *path = snapshot_path(name);
    bool good = snapshot_open(&r, path, err);
    if (good) {
        bool was_paused = machine_paused(m);
        machine_pause(m, true);
        good = fits(m, &r, err);
        if (good && !load_all(m, &r, &why))
            good = error_set(err, "%s: %s", path, why.text);
        machine_pause(m, was_paused);
        snapshot_close(&r);
    }
    free(path);
    return good;
}
