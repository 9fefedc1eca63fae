/* Direct windows: filled on demand in runs, dropped by page, protected by RAM page. */
/* SPDX-License-Identifier: MIT */
#include "mmu/window.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { WINDOWS = 12, PAGES = 1 << 20, AREA_SHIFT = 10 };
#define GUARD        BIT64(WINDOW_GUARD_SHIFT)
#define WINDOW_BYTES BIT64(32)

/* An entry of window.page: RAM page number + 1 or 0, whether it is mapped for writing, when it was
 * mapped, by the low bits of window.epoch, whether it is in window.listed, whether it is to be
 * settled, and whether it has lost the right to be written meanwhile. */
#define ENTRY_WRITABLE BIT(31)
enum {
    EPOCH_SHIFT = 29,
    EPOCHS = 4,
    ENTRY_LISTED = BIT(28),
    ENTRY_SUSPECT = BIT(27),
    ENTRY_LOST = BIT(26),
    ENTRY_PAGE = ENTRY_LOST - 1
};

/* Where a RAM page is mapped: a list per RAM page, and back from the linear page. */
struct place {
    u32 lin_page; /* linear page number */
    u32 window;   /* index of the window */
    u32 next;     /* next place of the same RAM page, or next free one; 0: none */
};

struct window {
    struct windows *set;             /* whose it is */
    u8 *base;                        /* host address of linear 0; NULL: not made yet */
    u32 *page;                       /* by linear page: ENTRY_* + RAM page + 1 */
    u64 key;                         /* address space */
    u32 epoch;                       /* counts window_age */
    u64 used;                        /* when it was last asked for */
    u16 mapped[PAGES >> AREA_SHIFT]; /* pages mapped, by area of 4 MiB */
    u32 *listed;                     /* linear pages that were mapped since the last drop */
    u32 count, max;                  /* entries of listed, room */
    u32 *suspect;                    /* linear pages that may have changed */
    u32 suspects, suspects_max;      /* entries of suspect, room */
    unsigned operations; /* mmap and mprotect calls since then: at most 2 areas more each */
};

/* What is known of a RAM page. One that was protected BUSY_MAX times is code that changes or the
 * like: it is mapped for reading only, until some writes have missed it for that. Mapped elsewhere,
 * it is something else. */
enum { BUSY_MAX = 4, BUSY_MISSES = 8 };
struct ram_page {
    u32 place;    /* first place, or 0 */
    u32 lin_page; /* where it was mapped when it was protected last, */
    u8 busy;      /* and how often, below BUSY_MAX; else how many writes must miss it there */
};

struct windows {
    struct physmem *pm; /* whose memfd is mapped */
    struct window window[WINDOWS];
    struct place *place;         /* pool; [0] is not used */
    u32 place_count, place_max;  /* of the pool */
    u32 place_free;              /* list of free ones */
    struct ram_page *ram;        /* by number */
    u64 ram_count;               /* entries of ram */
    u64 clock;                   /* counts uses */
    unsigned budget;             /* operations that all windows together may have done */
    struct window_counts counts; /* for people */
};

/* Half of the memory areas that the host allows the process, two for each operation. */
static unsigned read_budget(void)
{
    unsigned long areas = 65530;
    FILE *f = fopen("/proc/sys/vm/max_map_count", "r");
    if (f) {
        if (fscanf(f, "%lu", &areas) != 1)
            areas = 65530;
        fclose(f);
    }
    return (unsigned)(areas / 5 * 2);
}

struct windows *windows_new(struct physmem *pm)
{
    struct windows *ws = xcalloc(1, sizeof *ws);
    ws->pm = pm;
    ws->place_count = 1;
    ws->budget = read_budget();
    return ws;
}

/* The place of a window with its guards, or NULL. */
static u8 *reserve(void)
{
    int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
    size_t size = 2 * WINDOW_BYTES + 2 * GUARD;
    u8 *p = mmap(NULL, size, PROT_NONE, flags, -1, 0);
    if (p == MAP_FAILED)
        return NULL;
    u8 *base = (u8 *)(((uintptr_t)p + GUARD + WINDOW_BYTES - 1) & ~(WINDOW_BYTES - 1));
    u8 *end = base + WINDOW_BYTES + GUARD;
    munmap(p, (size_t)(base - GUARD - p));
    munmap(end, (size_t)(p + size - end));
    return base;
}

static bool window_make(struct windows *ws, struct window *w)
{
    u8 *base = reserve();
    if (!base)
        return false;
    u32 *page = mmap(NULL, PAGES * sizeof *page, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (page == MAP_FAILED) {
        munmap(base - GUARD, WINDOW_BYTES + 2 * GUARD);
        return false;
    }
    w->set = ws;
    w->base = base;
    w->page = page;
    return true;
}

void windows_free(struct windows *ws)
{
    for (unsigned n = 0; ws && n < WINDOWS; n++) {
        struct window *w = &ws->window[n];
        if (w->base) {
            munmap(w->base - GUARD, WINDOW_BYTES + 2 * GUARD);
            munmap(w->page, PAGES * sizeof *w->page);
        }
        free(w->listed);
        free(w->suspect);
    }
    if (ws) {
        free(ws->place);
        free(ws->ram);
    }
    free(ws);
}

struct window *windows_get(struct windows *ws, u64 key)
{
    struct window *oldest = &ws->window[0], *have = windows_find(ws, key);
    if (have)
        return have;
    for (unsigned n = 0; n < WINDOWS; n++) {
        if (ws->window[n].used < oldest->used)
            oldest = &ws->window[n];
    }
    if (!oldest->base && !window_make(ws, oldest))
        return NULL;
    if (oldest->used)
        ws->counts.evictions++;
    window_drop(oldest);
    oldest->key = key;
    oldest->used = ++ws->clock;
    return oldest;
}

struct window *windows_find(struct windows *ws, u64 key)
{
    for (unsigned n = 0; n < WINDOWS; n++) {
        struct window *w = &ws->window[n];
        if (w->used && w->key == key) {
            w->used = ++ws->clock;
            return w;
        }
    }
    return NULL;
}

void windows_release(struct windows *ws, u64 key)
{
    struct window *w = windows_find(ws, key);
    if (!w)
        return;
    window_drop(w);
    w->used = 0;
}

u8 *window_base(const struct window *w)
{
    return w->base;
}

/* Places */

static struct ram_page *ram_at(struct windows *ws, u64 ram_page)
{
    if (ram_page >= ws->ram_count) {
        u64 count = 2 * ram_page + 1024;
        ws->ram = xrealloc(ws->ram, count * sizeof *ws->ram);
        memset(ws->ram + ws->ram_count, 0, (count - ws->ram_count) * sizeof *ws->ram);
        ws->ram_count = count;
    }
    return &ws->ram[ram_page];
}

static u32 place_new(struct windows *ws)
{
    u32 n = ws->place_free;
    if (n) {
        ws->place_free = ws->place[n].next;
        return n;
    }
    if (ws->place_count >= ws->place_max) {
        ws->place_max = 2 * ws->place_max + 1024;
        ws->place = xrealloc(ws->place, ws->place_max * sizeof *ws->place);
    }
    return ws->place_count++;
}

static void place_add(struct window *w, u32 lin_page, u32 ram_page)
{
    struct windows *ws = w->set;
    u32 *head = &ram_at(ws, ram_page)->place, n = place_new(ws);
    ws->place[n] = (struct place){lin_page, (u32)(w - ws->window), *head};
    *head = n;
}

static void place_remove(struct window *w, u32 lin_page, u32 ram_page)
{
    struct windows *ws = w->set;
    u32 *at = &ram_at(ws, ram_page)->place, window = (u32)(w - ws->window);
    while (ws->place[*at].lin_page != lin_page || ws->place[*at].window != window) {
        assert(*at);
        at = &ws->place[*at].next;
    }
    u32 n = *at;
    *at = ws->place[n].next;
    ws->place[n].next = ws->place_free;
    ws->place_free = n;
}

static bool is_mapped(const struct window *w, u32 lin_page)
{
    return w->page[lin_page] & ENTRY_PAGE;
}

static u32 ram_page_of(u32 entry)
{
    return (entry & ENTRY_PAGE) - 1;
}

/* Host mappings */

static bool map_none(struct window *w, u32 lin_page, u32 pages)
{
    int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED;
    const u64 from = __builtin_ia32_rdtsc();
    w->operations++;
    bool good = mmap(w->base + ((u64)lin_page << PAGE_SHIFT), (u64)pages << PAGE_SHIFT, PROT_NONE,
                     flags, -1, 0) != MAP_FAILED;
    w->set->counts.loss_cycles += __builtin_ia32_rdtsc() - from;
    return good;
}

static void forget(struct window *w, u32 lin_page)
{
    place_remove(w, lin_page, ram_page_of(w->page[lin_page]));
    w->set->counts.churn += (w->epoch - (w->page[lin_page] >> EPOCH_SHIFT)) % EPOCHS < 2;
    w->page[lin_page] &= ENTRY_LISTED;
    w->mapped[lin_page >> AREA_SHIFT]--;
    w->set->counts.drops++;
}

static bool map_readonly(struct window *w, u32 lin_page, u32 pages)
{
    const u64 from = __builtin_ia32_rdtsc();
    w->operations++;
    bool good =
        !mprotect(w->base + ((u64)lin_page << PAGE_SHIFT), (u64)pages << PAGE_SHIFT, PROT_READ);
    w->set->counts.loss_cycles += __builtin_ia32_rdtsc() - from;
    return good;
}

/* The host refuses to split an area when it has too many: then everything goes, which it does not
 * refuse. A page that is to be settled goes then. */
static void make_readonly(struct window *w, u32 lin_page)
{
    w->page[lin_page] &= ~ENTRY_WRITABLE;
    if (w->page[lin_page] & ENTRY_SUSPECT)
        w->page[lin_page] |= ENTRY_LOST;
    else if (!map_readonly(w, lin_page, 1))
        window_drop(w);
}

void window_age(struct window *w)
{
    w->epoch++;
}

/* The part of [first, +pages) that lies in one area. */
static void drop_in_area(struct window *w, u32 first, u32 pages)
{
    u32 low = first + pages, high = first;
    for (u32 n = first; n < first + pages && w->mapped[first >> AREA_SHIFT]; n++) {
        if (!is_mapped(w, n))
            continue;
        low = low < n ? low : n;
        high = n + 1;
        forget(w, n);
    }
    if (low < high && !map_none(w, low, high - low))
        window_drop(w);
}

void window_drop_range(struct window *w, u32 lin, u64 size)
{
    u32 first = lin >> PAGE_SHIFT, pages = (u32)(size >> PAGE_SHIFT), area = 1 << AREA_SHIFT;
    for (u32 n = first; n < first + pages; n += area)
        drop_in_area(w, n, pages < area ? pages : area);
}

void window_drop(struct window *w)
{
    if (!w->count)
        return;
    for (u32 n = 0; n < w->count; n++) {
        if (is_mapped(w, w->listed[n]))
            forget(w, w->listed[n]);
        w->page[w->listed[n]] = 0;
    }
    w->count = w->suspects = 0;
    if (!map_none(w, 0, PAGES))
        die("the host refuses to unmap guest memory");
    w->operations = 0;
}

/* Pages that may have changed */

static void suspect(struct window *w, u32 lin_page)
{
    if (!is_mapped(w, lin_page) || w->page[lin_page] & ENTRY_SUSPECT)
        return;
    if (w->suspects == w->suspects_max) {
        w->suspects_max = 2 * w->suspects_max + 256;
        w->suspect = xrealloc(w->suspect, w->suspects_max * sizeof *w->suspect);
    }
    w->page[lin_page] |= ENTRY_SUSPECT;
    w->suspect[w->suspects++] = lin_page;
}

void window_suspect(struct window *w, u32 lin, u64 size)
{
    const u32 first = lin >> PAGE_SHIFT, end = first + (u32)(size >> PAGE_SHIFT);
    for (u32 n = first; n < end; n++) {
        if (w->mapped[n >> AREA_SHIFT])
            suspect(w, n);
        else
            n |= (1 << AREA_SHIFT) - 1;
    }
}

/* What is to be done with pages in a row. */
enum settling { SETTLE_KEEP, SETTLE_READONLY, SETTLE_UNMAP };
struct settle_run {
    enum settling what; /* for all of them */
    u32 first, end;     /* linear pages; none if they are equal */
    unsigned asked;     /* runs that the host was asked for */
    bool refused;       /* it has too many areas */
};

static enum settling judge(struct window *w, u32 lin_page, window_peek *peek, void *opaque)
{
    struct window_page page;
    const bool good = peek(opaque, lin_page << PAGE_SHIFT, &page);
    const u32 have = w->page[lin_page];
    if (!good || have & ENTRY_LOST || page.ram_offset >> PAGE_SHIFT != ram_page_of(have))
        return SETTLE_UNMAP;
    return have & ENTRY_WRITABLE && !page.writable ? SETTLE_READONLY : SETTLE_KEEP;
}

static void run_end(struct window *w, struct settle_run *r)
{
    const u32 pages = r->end - r->first;
    if (!pages || r->refused)
        return;
    r->asked++;
    r->refused =
        r->what == SETTLE_UNMAP ? !map_none(w, r->first, pages) : !map_readonly(w, r->first, pages);
    r->end = r->first;
}

/* Are these pages, which lie between two that go, not mapped? */
static bool is_gap(const struct window *w, u32 from, u32 to)
{
    while (from < to && to - from <= WINDOW_RUN && !is_mapped(w, from))
        from++;
    return from == to;
}

static void run_add(struct window *w, struct settle_run *r, u32 lin_page, enum settling what)
{
    if (what == SETTLE_UNMAP)
        forget(w, lin_page);
    else
        w->page[lin_page] &= ~ENTRY_WRITABLE;
    if (r->end == r->first || r->what != what ||
        !(what == SETTLE_UNMAP ? is_gap(w, r->end, lin_page) : r->end == lin_page)) {
        run_end(w, r);
        r->what = what;
        r->first = lin_page;
    }
    r->end = lin_page + 1;
}

static int by_number(const void *a, const void *b)
{
    const u32 x = *(const u32 *)a, y = *(const u32 *)b;
    return (x > y) - (x < y);
}

/* All are judged first: that may mark pages, and so take rights of others. */
static unsigned settle(struct window *w, u32 *page, u32 count, window_peek *peek, void *opaque)
{
    struct settle_run r = {0};
    u8 *what = xcalloc(count, sizeof *what);
    qsort(page, count, sizeof *page, by_number);
    for (u32 n = 0; n < count; n++)
        if (w->page[page[n]] & ENTRY_SUSPECT)
            what[n] = (u8)judge(w, page[n], peek, opaque);
    for (u32 n = 0; n < count; n++) {
        const bool known = w->page[page[n]] & ENTRY_SUSPECT, lost = w->page[page[n]] & ENTRY_LOST;
        w->page[page[n]] &= ~(u32)(ENTRY_SUSPECT | ENTRY_LOST);
        if (known && (lost || what[n] != SETTLE_KEEP))
            run_add(w, &r, page[n], lost ? SETTLE_UNMAP : what[n]);
    }
    run_end(w, &r);
    free(what);
    if (r.refused)
        window_drop(w);
    return r.asked;
}

unsigned window_settle(struct window *w, window_peek *peek, void *opaque)
{
    u32 *page = w->suspect, count = w->suspects;
    if (likely(!count))
        return 0;
    w->suspect = NULL;
    w->suspects = w->suspects_max = 0;
    const unsigned asked = settle(w, page, count, peek, opaque);
    free(page);
    return asked;
}

void windows_drop(struct windows *ws)
{
    for (unsigned n = 0; n < WINDOWS; n++)
        window_drop(&ws->window[n]);
}

bool windows_map(const struct windows *ws, u64 ram_offset, u64 size)
{
    const u64 end = (ram_offset + size) >> PAGE_SHIFT;
    for (u64 n = ram_offset >> PAGE_SHIFT; n < end && n < ws->ram_count; n++) {
        if (ws->ram[n].place)
            return true;
    }
    return false;
}

/* A place where the RAM page is mapped for writing, or 0. */
static u32 writable_place(const struct windows *ws, u64 ram_page)
{
    u32 n = ws->ram[ram_page].place;
    while (n && !(ws->window[ws->place[n].window].page[ws->place[n].lin_page] & ENTRY_WRITABLE))
        n = ws->place[n].next;
    return n;
}

static void note_protected(struct ram_page *r, u32 lin_page)
{
    if (r->lin_page != lin_page)
        r->busy = 0;
    r->lin_page = lin_page;
    r->busy = r->busy < BUSY_MAX - 1 ? r->busy + 1 : BUSY_MAX - 1 + BUSY_MISSES;
}

void windows_protect(struct windows *ws, u64 ram_offset)
{
    u64 ram_page = ram_offset >> PAGE_SHIFT;
    u8 marks = physmem_marks(ws->pm, ram_offset);
    bool is_code = !marks || marks & ~(PAGE_CLEAN_VGA | PAGE_CLEAN_SAVE);
    u32 n;
    if (ram_page >= ws->ram_count)
        return;
    while ((n = writable_place(ws, ram_page)) != 0) {
        ws->counts.protections++;
        if (is_code)
            note_protected(&ws->ram[ram_page], ws->place[n].lin_page);
        make_readonly(&ws->window[ws->place[n].window], ws->place[n].lin_page);
    }
}

/* Keeps the number of memory areas below what the host allows. */
static void keep_budget(struct windows *ws, struct window *w)
{
    unsigned sum = 0;
    struct window *oldest = w;
    for (unsigned n = 0; n < WINDOWS; n++) {
        sum += ws->window[n].operations;
        if (ws->window[n].operations && ws->window[n].used < oldest->used)
            oldest = &ws->window[n];
    }
    if (sum < ws->budget)
        return;
    ws->counts.evictions++;
    window_drop(oldest);
}

static void list(struct window *w, u32 lin_page)
{
    if (w->count == w->max) {
        w->max = 2 * w->max + 1024;
        w->listed = xrealloc(w->listed, w->max * sizeof *w->listed);
    }
    w->listed[w->count++] = lin_page;
}

/* Will the host make one area of such pages and the one before them? */
static bool joins(const struct window *w, u32 first, const struct window_page *page)
{
    const u32 before = first ? w->page[first - 1] : 0, ram_page = page->ram_offset >> PAGE_SHIFT;
    return before & ENTRY_PAGE && ram_page_of(before) + 1 == ram_page && !is_mapped(w, first) &&
           !(before & ENTRY_LOST) && !(before & ENTRY_WRITABLE) == !page->writable;
}

/* Maps pages [from, to) of a group, which lie in a row in the memfd and have equal rights. */
static bool map_run(struct window *w, u32 first, const struct window_page *page, unsigned count)
{
    int rights = PROT_READ | (page->writable ? PROT_WRITE : 0);
    int flags = MAP_SHARED | MAP_FIXED | (count <= WINDOW_RUN ? MAP_POPULATE : 0);
    void *at = w->base + ((u64)first << PAGE_SHIFT);
    w->operations += !joins(w, first, page);
    if (mmap(at, (size_t)count << PAGE_SHIFT, rights, flags, physmem_fd(w->set->pm),
             (off_t)page->ram_offset) == MAP_FAILED)
        return false;
    for (unsigned n = 0; n < count; n++) {
        u32 ram_page = (u32)(page[n].ram_offset >> PAGE_SHIFT), lin_page = first + n;
        if (is_mapped(w, lin_page))
            place_remove(w, lin_page, ram_page_of(w->page[lin_page]));
        else
            w->mapped[lin_page >> AREA_SHIFT]++;
        place_add(w, lin_page, ram_page);
        if (!(w->page[lin_page] & ENTRY_LISTED))
            list(w, lin_page);
        w->page[lin_page] = (ram_page + 1) | w->epoch % EPOCHS << EPOCH_SHIFT | ENTRY_LISTED |
                            (page[n].writable ? ENTRY_WRITABLE : 0);
    }
    w->set->counts.pages += count;
    return true;
}

static bool follows(const struct window_page *a, const struct window_page *b)
{
    return b->ram_offset == a->ram_offset + PAGE_SIZE && a->writable == b->writable;
}

/* May the page be mapped for writing, as often as it was protected? missed: a write has missed it.
 */
static bool is_quiet(struct windows *ws, u32 lin_page, const struct window_page *page, bool missed)
{
    struct ram_page *r = ram_at(ws, page->ram_offset >> PAGE_SHIFT);
    bool quiet = r->busy < BUSY_MAX || r->lin_page != lin_page;
    r->busy -= !quiet && missed;
    return quiet;
}

bool window_fill(struct window *w, u32 lin, bool write, unsigned count, window_peek *peek,
                 void *opaque)
{
    struct window_page page[WINDOW_RUN_MAX];
    u32 first = lin >> PAGE_SHIFT & ~(u32)(count - 1), at = (lin >> PAGE_SHIFT) - first;
    bool useful[WINDOW_RUN_MAX];
    const u64 from = __builtin_ia32_rdtsc();
    keep_budget(w->set, w);
    for (unsigned n = 0; n < count; n++) {
        u32 have = w->page[first + n] & (ENTRY_PAGE | ENTRY_WRITABLE);
        useful[n] = (!have || (n == at && write && !(have & ENTRY_WRITABLE))) &&
                    peek(opaque, (first + n) << PAGE_SHIFT, &page[n]);
        if (useful[n] && page[n].writable)
            page[n].writable = is_quiet(w->set, first + n, &page[n], n == at && write);
        useful[n] = useful[n] && (!have || page[n].writable);
    }
    for (unsigned n = 0, end; n < count; n = end) {
        for (end = n + 1;
             end < count && useful[n] && useful[end] && follows(&page[end - 1], &page[end]); end++)
            ;
        if (useful[n] && !map_run(w, first + n, page + n, end - n)) {
            window_drop(w);
            return false;
        }
    }
    w->set->counts.fills++;
    w->set->counts.fill_cycles += __builtin_ia32_rdtsc() - from;
    u32 have = w->page[first + at] & (ENTRY_PAGE | ENTRY_WRITABLE);
    return write ? (have & ENTRY_WRITABLE) != 0 : have != 0;
}

bool window_worth(u16 *filled, u64 spent, u64 cycles, bool room)
{
    if (!room && spent > cycles / WINDOW_FILL_PART)
        ++*filled;
    else if (*filled)
        --*filled;
    return *filled < WINDOW_FILLED_MAX;
}

struct window_counts windows_counts(const struct windows *ws)
{
    return ws->counts;
}
