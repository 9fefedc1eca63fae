/* qcow2: comparing reference counts with references, and mending them. */
/* SPDX-License-Identifier: MIT */
#include "hw/image/file.h"
#include "hw/image/qcow2_internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SNAPSHOT_ENTRY = 40, MAX_TABLES = 1 << 20, QUICK_TABLES = 1024, PERMILLE = 1000 };

/* One check on its way. */
struct check {
    struct qcow2 *q;             /* the image */
    struct qcow2_report *report; /* what was found */
    enum qcow2_repair repair;    /* what to mend */
    u32 *expected;               /* references that were found, by cluster */
    u8 *seen;                    /* one bit a cluster: an L2 table of the L1 table at hand */
    u8 *l2;                      /* the L2 table at hand */
    u64 tables;                  /* L2 tables read, against images made to take for ever */
    u64 most_tables;             /* as many, and no more */
    image_progress_fn *progress; /* who wants to know how far it is, or NULL */
    void *opaque;                /* its argument */
};

static void fault(struct check *c, u64 *kind, const char *what, u64 where)
{
    if (!c->report->damaged && !c->report->leaked)
        snprintf(c->report->first, sizeof c->report->first, "%s at %#llx", what,
                 (unsigned long long)where);
    ++*kind;
}

static void damaged(struct check *c, const char *what, u64 where)
{
    fault(c, &c->report->damaged, what, where);
}

/* Notes references to each cluster of a range. */
static bool refer(struct check *c, u64 offset, u64 bytes)
{
    u64 first = offset >> c->q->cluster_bits;
    u64 last = (offset + bytes - 1) >> c->q->cluster_bits;
    if (!bytes)
        return true;
    if (offset + bytes < offset || last >= c->q->end)
        return false;
    for (u64 n = first; n <= last; n++)
        c->expected[n] += c->expected[n] < UINT32_MAX;
    return true;
}

/* The flag in the entry must say whether the count is one; that is what lets a writer write. */
static bool flag_wrong(struct check *c, u64 entry)
{
    u64 count = 0;
    if (refcount_get(c->q, (entry & ENTRY_OFFSET) >> c->q->cluster_bits, &count))
        return false; /* told elsewhere */
    return (count == 1) != !!(entry & ENTRY_COPIED);
}

static void check_entry(struct check *c, u64 entry, bool active)
{
    u64 offset = entry & ENTRY_OFFSET;
    if (entry & ENTRY_COMPRESSED) {
        u32 size;
        entry_compressed(c->q, entry, &offset, &size);
        if (!refer(c, offset, size))
            damaged(c, "a compressed cluster outside the file", offset);
        c->report->compressed += active;
        c->report->used += active;
    } else if (offset) {
        if (!offset_good(c->q, offset) || !refer(c, offset, c->q->cluster_size))
            damaged(c, "a reference to no cluster of the file", offset);
        else if (active && flag_wrong(c, entry))
            damaged(c, "a wrong copied flag for the cluster", offset);
        c->report->used += active;
    }
}

static int check_l2(struct check *c, u64 l1_entry, bool active)
{
    struct qcow2 *q = c->q;
    u64 offset = l1_entry & ENTRY_OFFSET, cluster = offset >> q->cluster_bits;
    if (!offset)
        return 0;
    if (!offset_good(q, offset) || !refer(c, offset, q->cluster_size)) {
        damaged(c, "an L2 table that is no cluster of the file", offset);
        return 0;
    }
    if (c->seen[cluster / 8] >> cluster % 8 & 1) {
        damaged(c, "an L2 table that is used twice", offset);
        return 0;
    }
    c->seen[cluster / 8] |= (u8)(1u << cluster % 8);
    if (active && flag_wrong(c, l1_entry))
        damaged(c, "a wrong copied flag for the L2 table", offset);
    if (++c->tables > c->most_tables)
        return EFBIG;
    int status = file_read(q->fd, offset, c->l2, q->cluster_size);
    for (u32 n = 0; n < 1u << q->l2_bits && !status; n++)
        check_entry(c, load_be64(c->l2 + 8 * n), active);
    return status;
}

static int check_l1(struct check *c, u64 offset, const u64 *l1, u32 size, bool active)
{
    int status = 0;
    memset(c->seen, 0, c->q->end / 8 + 1);
    if (!refer(c, offset, (u64)size * 8)) {
        damaged(c, "an L1 table outside the file", offset);
        return 0;
    }
    for (u32 n = 0; n < size && !status; n++) {
        status = check_l2(c, l1[n], active);
        if (active && c->progress)
            c->progress(c->opaque, (unsigned)((n + (u64)1) * PERMILLE / size));
    }
    return status;
}

/* An internal snapshot's table; *at is moved behind its entry. */
static int check_snapshot(struct check *c, u64 *at)
{
    u8 entry[SNAPSHOT_ENTRY];
    int status = file_read(c->q->fd, *at, entry, sizeof entry);
    if (status)
        return status;
    u64 offset = load_be64(entry);
    u32 size = load_be32(entry + 8);
    u64 names = (u64)__builtin_bswap16(load_le16(entry + 12)) +
                __builtin_bswap16(load_le16(entry + 14)) + load_be32(entry + 36);
    *at += (SNAPSHOT_ENTRY + names + 7) & ~7ull;
    if (size > MAX_L1_BYTES / 8 || *at >> c->q->cluster_bits > c->q->end) {
        damaged(c, "a snapshot with a table out of range", offset);
        return 0;
    }
    u64 *l1 = xcalloc(size + 1, 8);
    status = file_read(c->q->fd, offset, l1, (size_t)size * 8);
    for (u32 n = 0; n < size; n++)
        l1[n] = __builtin_bswap64(l1[n]);
    if (!status)
        status = check_l1(c, offset, l1, size, false);
    free(l1);
    return status;
}

static int check_snapshots(struct check *c)
{
    u64 at = c->q->snapshots_offset;
    int status = 0;
    for (u32 n = 0; n < c->q->snapshots && !status; n++)
        status = check_snapshot(c, &at);
    if (!status && c->q->snapshots &&
        !refer(c, c->q->snapshots_offset, at - c->q->snapshots_offset))
        damaged(c, "the snapshot table outside the file", at);
    return status;
}

static void refer_counts(struct check *c)
{
    struct qcow2 *q = c->q;
    refer(c, q->table_offset, (u64)q->table_clusters << q->cluster_bits);
    for (u64 n = 0; n < q->table_entries; n++) {
        u64 offset = q->table[n] & ~511ull;
        if (offset && (!offset_good(q, offset) || !refer(c, offset, q->cluster_size)))
            damaged(c, "a refcount block that is no cluster of the file", offset);
    }
}

/* Compares all counts; those too high are mended here. */
static int compare(struct check *c)
{
    struct qcow2 *q = c->q;
    for (u64 n = 0; n < q->end; n++) {
        u64 count;
        int status = refcount_get(q, n, &count);
        if (status || count < c->expected[n]) {
            damaged(c, "a reference count that is too low for the cluster", n << q->cluster_bits);
        } else if (count > c->expected[n]) {
            fault(c, &c->report->leaked, "a lost cluster", n << q->cluster_bits);
            if (c->repair == QCOW2_REPAIR_NONE)
                continue;
            status = refcount_set(q, n, c->expected[n]);
            if (status)
                return status;
            c->report->repaired++;
            if (!c->expected[n])
                file_punch(q->fd, n << q->cluster_bits, q->cluster_size);
        }
    }
    if (c->repair != QCOW2_REPAIR_NONE)
        q->hint = 0;
    return 0;
}

/* Mending: a new set of blocks and a new table for what is really referred to, at the end of the
 * file, put in force by one write to the header. */

static void forget_counts(struct check *c)
{
    struct qcow2 *q = c->q;
    for (u64 n = 0; n < q->table_clusters; n++)
        c->expected[(q->table_offset >> q->cluster_bits) + n]--;
    for (u64 n = 0; n < q->table_entries; n++) {
        u64 offset = q->table[n] & ~511ull;
        if (offset && offset_good(q, offset))
            c->expected[offset >> q->cluster_bits]--;
    }
}

static int write_counts(struct check *c, u64 start, u64 blocks, u64 total, u8 *table)
{
    struct qcow2 *q = c->q;
    u8 *block = xmalloc(q->cluster_size);
    u64 most = q->refcount_order >= 5 ? UINT32_MAX : BIT64(1u << q->refcount_order) - 1;
    int status = 0;
    for (u64 r = 0; r < blocks && !status; r++) {
        u64 first = r << q->block_bits, last = first + BIT64(q->block_bits);
        memset(block, 0, q->cluster_size);
        for (u64 n = first; n < last && n < total; n++) {
            u64 count = n < start ? c->expected[n] : 1;
            if (count > most)
                status = ERANGE;
            refcount_into(q, block, n, count);
        }
        u64 offset = (start + r) << q->cluster_bits;
        if (!status)
            status = file_write(q->fd, offset, block, q->cluster_size);
        store_be64(table + 8 * r, offset);
    }
    free(block);
    return status;
}

static void take_table(struct qcow2 *q, const u8 *raw, u64 offset, u64 clusters)
{
    q->table_entries = clusters << (q->cluster_bits - 3);
    q->table = xrealloc(q->table, q->table_entries * 8);
    for (u64 n = 0; n < q->table_entries; n++)
        q->table[n] = load_be64(raw + 8 * n);
    q->table_offset = offset;
    q->table_clusters = (u32)clusters;
    cache_free(&q->blocks);
    cache_init(&q->blocks, q->cluster_size);
    q->hint = 0;
}

static int rebuild(struct check *c)
{
    struct qcow2 *q = c->q;
    u64 start = q->end, blocks = 1, clusters = 1, total;
    forget_counts(c);
    for (;;) {
        total = start + blocks + clusters;
        if (blocks << q->block_bits < total)
            blocks = div_up(total, BIT64(q->block_bits));
        else if (clusters << (q->cluster_bits - 3) < blocks)
            clusters++;
        else
            break;
    }
    u8 *raw = xcalloc(clusters, q->cluster_size);
    u64 offset = (start + blocks) << q->cluster_bits;
    int status = write_counts(c, start, blocks, total, raw);
    if (!status)
        status = file_write(q->fd, offset, raw, clusters << q->cluster_bits);
    if (!status) {
        take_table(q, raw, offset, clusters);
        q->end = total;
        q->file_end = total << q->cluster_bits;
        status = set_meta(q, start, total - start, true) ? header_write_table(q) : ENOMEM;
    }
    free(raw);
    return status;
}

/* Sets the copied flags of a table in memory to what the counts say. */
static int fix_flags(struct qcow2 *q, u8 *table, u32 entries, bool l2, bool *changed)
{
    for (u32 n = 0; n < entries; n++) {
        u64 entry = load_be64(table + 8 * n), count, offset = entry & ENTRY_OFFSET;
        if (!offset || (l2 && entry & ENTRY_COMPRESSED) || !offset_good(q, offset))
            continue;
        int status = refcount_get(q, offset >> q->cluster_bits, &count);
        if (status)
            return status;
        u64 good = (entry & ~ENTRY_COPIED) | (count == 1 ? ENTRY_COPIED : 0);
        *changed |= good != entry;
        store_be64(table + 8 * n, good);
    }
    return 0;
}

static int fix_all_flags(struct check *c)
{
    struct qcow2 *q = c->q;
    size_t bytes = (size_t)q->l1_size * 8;
    u8 *l1 = xmalloc(bytes + 1);
    bool changed = false;
    int status = file_read(q->fd, q->l1_offset, l1, bytes);
    if (!status)
        status = fix_flags(q, l1, q->l1_size, false, &changed);
    if (!status && changed)
        status = file_write(q->fd, q->l1_offset, l1, bytes);
    for (u32 n = 0; n < q->l1_size && !status; n++) {
        u64 offset = (q->l1[n] = load_be64(l1 + 8 * n)) & ENTRY_OFFSET;
        if (!offset || !offset_good(q, offset))
            continue;
        changed = false;
        status = file_read(q->fd, offset, c->l2, q->cluster_size);
        if (!status)
            status = fix_flags(q, c->l2, 1u << q->l2_bits, true, &changed);
        if (!status && changed)
            status = file_write(q->fd, offset, c->l2, q->cluster_size);
        cache_drop(&q->l2, offset);
    }
    free(l1);
    return status;
}

static int repair_all(struct check *c)
{
    int status = rebuild(c);
    if (!status)
        status = fix_all_flags(c);
    if (status)
        return status;
    c->report->repaired = c->report->damaged + c->report->leaked;
    c->q->incompatible = c->q->autoclear = 0;
    return header_write_features(c->q);
}

static int check_run(struct check *c)
{
    struct qcow2 *q = c->q;
    refer(c, 0, q->cluster_size);
    int status = check_l1(c, q->l1_offset, q->l1, q->l1_size, true);
    if (!status)
        status = check_snapshots(c);
    if (status)
        return status;
    refer_counts(c);
    bool all = c->repair == QCOW2_REPAIR_ALL, dirty = q->incompatible & INCOMPATIBLE_DIRTY;
    if (all && !dirty)
        c->repair = QCOW2_REPAIR_NONE; /* look first */
    status = compare(c);
    if (!status && all && (dirty || c->report->damaged || c->report->leaked))
        status = repair_all(c);
    return status;
}

static int check_image(struct check *c)
{
    struct qcow2 *q = c->q;
    c->expected = calloc(q->end + 1, sizeof(u32));
    c->seen = calloc(q->end / 8 + 1, 1);
    c->l2 = xmalloc(q->cluster_size);
    *c->report = (struct qcow2_report){.total = div_up(q->size, q->cluster_size)};
    int status = c->expected && c->seen ? check_run(c) : ENOMEM;
    free(c->expected);
    free(c->seen);
    free(c->l2);
    return status;
}

int qcow2_check(struct image *img, enum qcow2_repair repair, struct qcow2_report *report,
                image_progress_fn *progress, void *opaque)
{
    struct check c = {.q = qcow2_of(img),
                      .report = report,
                      .repair = img->read_only ? QCOW2_REPAIR_NONE : repair,
                      .most_tables = MAX_TABLES,
                      .progress = progress,
                      .opaque = opaque};
    return check_image(&c);
}

int qcow2_find_lost(struct qcow2 *q)
{
    struct qcow2_report report;
    struct check c = {.q = q, .report = &report, .most_tables = QUICK_TABLES};
    int status = check_image(&c);
    if (status || !report.leaked || report.damaged)
        return status == EFBIG ? 0 : status;
    c.repair = QCOW2_REPAIR_LEAKS;
    c.tables = 0;
    return check_image(&c);
}
