/* The table of branch targets: by some bits of the linear address, shifted for each mode and
 * address space, so that programs at the same addresses do not push out each other's. Programs that
 * have a window have maps as well: by all of the linear address, for one jump id each, so that
 * nothing has to be compared. */
/* SPDX-License-Identifier: MIT */
#include "translate/targets.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "translate/block.h"
#include "translate/link.h"
#include "translate/returns.h"

enum { MAPS = 8, MISSES_MOST = 1 << 14, HOST_PAGES = 1 << 15 };
#define MAP_ENTRIES BIT64(32)

/* Parts of programs whose entries share a page of the host's, which most programs that end soon
 * need not have. */
enum { PART_SHIFT = PAGE_SHIFT - 2, PARTS = 512, PART_MISSES = 8 };
struct jump_part {
    u16 tag;    /* which part of those that fall here, */
    u16 misses; /* and how often it has had no entry, counted to PART_MISSES */
};

/* Offsets in the code cache by linear address, in memory that the host gives when it is used. */
struct jump_maps {
    u32 *memory;                  /* of all of them; the first one stays empty */
    u64 id[MAPS];                 /* jump id that a map is for; [0] has none */
    u64 used[MAPS];               /* when it was last selected, by clock */
    u64 clock;                    /* counts selections of another one */
    u64 misses;                   /* look-ups that found nothing since all were emptied */
    struct jump_part part[PARTS]; /* by hash of the number and the map's id */
    unsigned now;                 /* the one in use */
};

/* Which part of the table a space uses at this privilege: supervisor code by its group, user code
 * by the space itself. */
static unsigned class_of(const struct cpu *cpu)
{
    return cpu->cpl == 3 ? cpu->space->number : SPACE_MAX + cpu->space->group;
}

static struct tjump *first_of(const struct translator *t, unsigned class, unsigned mode)
{
    return t->jump + ((class * 0x9e3779b1u ^ mode * 0x85ebca6bu) >> 16) % JUMP_SHIFTS;
}

/* Of an entry for lin, from the first one on. */
static u32 index_of(u32 lin)
{
    return (lin & JUMP_MASK) >> JUMP_SHIFT;
}

/* Memory for all maps: new, or what there was at that place is given back. */
static u32 *maps_reserve(u32 *place)
{
    const size_t size = MAPS * MAP_ENTRIES * sizeof(u32);
    const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | (place ? MAP_FIXED : 0);
    u32 *memory = mmap(place, size, PROT_READ | PROT_WRITE, flags, -1, 0);
    if (memory == MAP_FAILED)
        return NULL;
    madvise(memory, size, MADV_NOHUGEPAGE);
    return memory;
}

static void maps_new(struct translator *t)
{
    u32 *memory = maps_reserve(NULL);
    if (!memory)
        return;
    t->maps = xcalloc(1, sizeof *t->maps);
    t->maps->memory = memory;
    t->cpu->jump_map = memory;
}

static u32 *map_of(const struct jump_maps *m, unsigned n)
{
    return m->memory + n * MAP_ENTRIES;
}

static void map_clear(struct jump_maps *m, unsigned n)
{
    m->id[n] = 0;
    if (madvise(map_of(m, n), MAP_ENTRIES * sizeof(u32), MADV_DONTNEED) < 0)
        die("the host refuses to empty a map of branch targets");
}

static void maps_clear(struct jump_maps *m)
{
    for (unsigned n = 1; m && n < MAPS; n++) {
        if (m->id[n])
            map_clear(m, n);
    }
}

void targets_release(struct translator *t)
{
    struct jump_maps *m = t->maps;
    for (unsigned n = 1; m && n < MAPS; n++) {
        if (m->id[n] && !spaces_have_code(t->cpu->spaces, (u32)(m->id[n] >> 32) / TMODES))
            map_clear(m, n);
    }
}

/* The map for a jump id; the one that was not used for longest if there is none. */
static unsigned map_for(struct jump_maps *m, u64 id)
{
    unsigned oldest = 1;
    for (unsigned n = 1; n < MAPS; n++) {
        if (m->id[n] == id)
            return n;
        oldest = m->used[n] < m->used[oldest] ? n : oldest;
    }
    if (m->id[oldest])
        map_clear(m, oldest);
    m->id[oldest] = id;
    return oldest;
}

bool targets_mapped(const struct translator *t, unsigned mode)
{
    const u32 program = MODE_WINDOW | MODE_USER;
    return t->maps && (t->mode[mode].bits & program) == program;
}

static void maps_select(struct translator *t, unsigned mode)
{
    struct jump_maps *m = t->maps;
    const u64 id = t->cpu->jump_id;
    if (!targets_mapped(t, mode))
        return;
    if (m->id[m->now] != id) {
        m->now = map_for(m, id);
        m->used[m->now] = ++m->clock;
    }
    t->cpu->jump_map = map_of(m, m->now);
}

/* Each miss may have cost the host a page, and one for its tables: a guest that jumps all over its
 * memory must not take all of the host's. */
static void maps_bound(struct translator *t)
{
    struct jump_maps *m = t->maps;
    if (++m->misses < MISSES_MOST)
        return;
    if (!maps_reserve(m->memory))
        die("the host refuses to empty the maps of branch targets");
    m->misses = 0;
    memset(m->id, 0, sizeof m->id);
    maps_select(t, t->mode_now);
}

/* One more miss in this part: is it time for entries? */
static bool part_is_worth(struct jump_maps *m, u32 lin)
{
    const u64 hash = ((lin >> PART_SHIFT) ^ m->id[m->now] >> 12) * 0x9e3779b97f4a7c15ull;
    struct jump_part *p = &m->part[hash >> 48 & (PARTS - 1)];
    const u16 tag = (u16)(hash >> 32) | 1;
    if (p->tag != tag)
        *p = (struct jump_part){tag, 0};
    p->misses += p->misses < PART_MISSES;
    return p->misses == PART_MISSES;
}

void targets_missed(struct translator *t, u32 lin, u64 code)
{
    t->cpu->jump_missed = 0;
    if (t->unchained || !targets_mapped(t, t->mode_now))
        return;
    maps_bound(t);
    if (code && part_is_worth(t->maps, lin))
        map_of(t->maps, t->maps->now)[lin] = (u32)(code - (u64)(uintptr_t)t->rx);
}

void targets_hide(struct translator *t)
{
    t->cpu->jump_id = (u64)UINT32_MAX << 32;
    if (t->maps)
        t->cpu->jump_map = t->maps->memory;
}

void targets_new(struct translator *t)
{
    t->jump = xcalloc(JUMP_ENTRIES, sizeof *t->jump);
    t->cpu->jump_table = t->jump;
    maps_new(t);
}

/* Bytes of [at, +HOST_PAGES) that have entries: what was only read is the host's page of zeros. */
static u64 used_bytes(const u8 *at, size_t page)
{
    unsigned char there[HOST_PAGES] = {0};
    u64 bytes = 0;
    mincore((void *)(uintptr_t)at, page * HOST_PAGES, there);
    for (unsigned n = 0; n < HOST_PAGES; n++, at += page) {
        if (there[n] & 1 && (*at || memcmp(at, at + 1, page - 1) != 0))
            bytes += page;
    }
    return bytes;
}

u64 targets_bytes(const struct translator *t)
{
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    u64 bytes = 0;
    for (unsigned n = 1; t->maps && n < MAPS; n++) {
        const u8 *first = (const u8 *)map_of(t->maps, n);
        for (u64 at = 0; t->maps->id[n] && at < MAP_ENTRIES * sizeof(u32); at += HOST_PAGES * page)
            bytes += used_bytes(first + at, page);
    }
    return bytes;
}

void targets_free(struct translator *t)
{
    if (t->maps)
        munmap(t->maps->memory, MAPS * MAP_ENTRIES * sizeof(u32));
    free(t->maps);
    free(t->jump);
}

void translate_forget_targets(struct translator *t)
{
    memset(t->jump, 0, JUMP_ENTRIES * sizeof *t->jump);
    maps_clear(t->maps);
    links_forget_ids(t);
    returns_forget(t);
}

void targets_select(struct translator *t, unsigned mode)
{
    struct cpu *cpu = t->cpu;
    u32 space = cpu->space->code_id[cpu->cpl == 3];
    links_select(t, space);
    cpu->jump_id = (u64)(space * TMODES | mode) << 32;
    cpu->jump_table = first_of(t, class_of(cpu), mode);
    maps_select(t, mode);
}

u64 target_find(const struct translator *t, u32 lin)
{
    const struct tjump *j = &t->cpu->jump_table[index_of(lin)];
    return j->tag + t->cpu->jump_id + lin == 0 ? j->code : 0;
}

void target_add(struct translator *t, u32 lin, struct tblock *b)
{
    t->cpu->jump_table[index_of(lin)] = (struct tjump){-(t->cpu->jump_id + lin), tblock_code(t, b)};
    b->found = true;
}

/* What is in a map has been in the table. Only maps of the block's mode are looked at: to read an
 * entry may cost the host a page. */
static void maps_drop(struct translator *t, const struct tblock *b)
{
    for (unsigned n = 1; targets_mapped(t, tblock_mode(t, b)) && n < MAPS; n++) {
        u32 *entry = &map_of(t->maps, n)[tblock_lin(t, b)];
        const u64 id = t->maps->id[n];
        if (id && (id >> 32) % TMODES == tblock_mode(t, b) && *entry == tblock_start(t, b))
            *entry = 0;
    }
}

void targets_drop(struct translator *t, struct tblock *b)
{
    const unsigned first = tblock_user(t, b) ? 0 : SPACE_MAX; /* of the classes that it may be in */
    if (!b->found)
        return;
    for (unsigned class = first; class < first + SPACE_MAX; class ++) {
        struct tjump *j = &first_of(t, class, tblock_mode(t, b))[index_of(tblock_lin(t, b))];
        if (j->code == tblock_code(t, b))
            j->tag = 0;
    }
    maps_drop(t, b);
    b->found = false;
}
