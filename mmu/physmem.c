/* Guest-physical memory: the map of RAM, ROM and MMIO, shadowing below 1 MiB, A20, page marks
 * (i440FX datasheet, system address map and PAM registers). */
/* SPDX-License-Identifier: MIT */
#include "mmu/physmem.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum {
    MIB = 1 << 20,
    SHADOW_PAGES = MIB / PAGE_SIZE,
    MAX_RANGES = 256,
    CHANGING = 64,
    CODE_WRITES = 1024
};
#define GIB4       (4ull << 30)
#define LOW_MAX    0xe0000000ull /* 3.5 GiB: the PCI hole begins here at the latest */
#define HIGH_MAX   (60ull << 30) /* MAXPHYADDR is 36 */
#define EXTRA_ROOM (1ull << 29)  /* kept for extra RAM: with it, less than 64 GiB */
#define NO_RAM     UINT64_MAX

struct range {
    u64 base;                   /* first guest-physical address */
    u64 size;                   /* bytes */
    enum phys_kind kind;        /* RAM, ROM or MMIO */
    u8 *host;                   /* RAM: its first byte */
    const u8 *rom;              /* ROM: its first byte */
    const struct mmio_ops *ops; /* MMIO: handlers */
    void *dev;                  /* MMIO: their first argument */
    char *name;                 /* for people */
};

/* A page below 1 MiB, where ranges and shadowing meet: kept ready for the TLB. */
struct low_page {
    struct phys_page page; /* the answer of physmem_page */
    bool read_ram;         /* shadow: reads go to RAM */
    bool write_ram;        /* shadow: writes go to RAM */
};

struct physmem {
    u8 *ram;                     /* the physical view: the whole memfd, mapped once */
    u64 reserved;                /* bytes of address space at ram */
    u64 size;                    /* bytes of the memfd */
    u64 low;                     /* RAM at 0 */
    u64 high;                    /* RAM at 4 GiB */
    u64 plain;                   /* [1 MiB, plain) is RAM that no range covers */
    u8 *marks;                   /* enum page_mark of each page of the memfd */
    struct code_page **code;     /* those of pages that hold code, by page of the memfd, or NULL */
    struct code_page any;        /* that of pages that were written less often since: all is code */
    u8 code_writes[CODE_WRITES]; /* how often meanwhile, by low bits of their numbers */
    u64 own_code;                /* pages that have another one */
    u64 own_code_most;           /* the most of these at one time */
    /* by low bits of its number: a page that had one until its last code went, and that is likely
     * to be written again if it gets other code; all ones: none */
    u64 changing[CHANGING];
    u64 a20_mask;           /* ANDed to the CPU's addresses */
    int fd;                 /* the memfd */
    unsigned count;         /* ranges in use */
    physmem_entry_tap *tap; /* is told when A and D are set, or NULL */
    void *tap_opaque;       /* its argument */
    struct log *log;        /* oddities */
    void (*remap)(void *, const struct physmem_change *); /* told of changes of the map */
    void *remap_opaque;                                   /* its argument */
    void (*marked_write)(void *opaque, u64 ram_offset, unsigned size, u8 marks); /* write hook */
    void *marked_write_opaque;                                                   /* its argument */
    void (*mark)(void *opaque, u64 ram_offset); /* told that a mark was set */
    void *mark_opaque;                          /* its argument */
    const struct physmem_source *source;    /* brings RAM when it is looked at; NULL: all there */
    void *source_opaque;                    /* its argument */
    struct low_page low_page[SHADOW_PAGES]; /* below 1 MiB, by page */
    struct range range[MAX_RANGES];         /* ascending, disjoint */
};

/* Ranges */

/* Index of the first range that ends behind pa; count if none. */
static unsigned range_find(const struct physmem *pm, u64 pa)
{
    unsigned lo = 0, hi = pm->count;
    while (lo < hi) {
        unsigned mid = (lo + hi) / 2;
        if (pm->range[mid].base + (pm->range[mid].size - 1) < pa)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

/* Main RAM at pa, whatever covers it; NO_RAM if there is none. */
static u64 main_ram(const struct physmem *pm, u64 pa)
{
    if (pa < pm->low)
        return pa;
    return pa >= GIB4 && pa - GIB4 < pm->high ? pa - GIB4 + pm->low : NO_RAM;
}

static struct phys_page ram_page(const struct physmem *pm, u64 offset)
{
    u8 *host = pm->ram + offset;
    return (struct phys_page){PHYS_RAM, host, host, offset};
}

/* The same of RAM that may still have to be brought. */
static struct phys_page fetched_page(const struct physmem *pm, u64 offset)
{
    if (unlikely(pm->source))
        pm->source->fetch(pm->source_opaque, offset);
    return ram_page(pm, offset);
}

/* What the ranges and main RAM say of a page; shadowing apart. */
static struct phys_page page_of_ranges(const struct physmem *pm, u64 pa)
{
    struct phys_page none = {PHYS_NONE, NULL, NULL, NO_RAM};
    pa &= PAGE_MASK;
    unsigned n = range_find(pm, pa);
    const struct range *r = &pm->range[n];
    if (n == pm->count || r->base > pa + (PAGE_SIZE - 1)) {
        u64 offset = main_ram(pm, pa);
        return offset == NO_RAM ? none : fetched_page(pm, offset);
    }
    if (r->kind == PHYS_RAM)
        return fetched_page(pm, (u64)(r->host - pm->ram) + (pa - r->base));
    none.kind = r->kind;
    if (r->kind == PHYS_ROM)
        none.host = (u8 *)(uintptr_t)r->rom + (pa - r->base);
    return none;
}

static struct phys_page page_with_shadow(const struct physmem *pm, const struct low_page *l, u64 pa)
{
    struct phys_page p = page_of_ranges(pm, pa);
    if (pa >= pm->low || !(l->read_ram || l->write_ram))
        return p;
    if (l->read_ram) {
        p.kind = PHYS_RAM;
        p.host = pm->ram + pa;
    }
    if (l->write_ram)
        p.host_write = pm->ram + pa;
    p.ram_offset = pa;
    return p;
}

/* Recomputes what is kept ready. */
static void map_prepare(struct physmem *pm)
{
    for (unsigned n = 0; n < SHADOW_PAGES; n++)
        pm->low_page[n].page = page_with_shadow(pm, &pm->low_page[n], (u64)n << PAGE_SHIFT);
    unsigned above = range_find(pm, MIB);
    pm->plain = pm->source ? 0 : pm->low;
    if (above < pm->count && pm->range[above].base < pm->plain)
        pm->plain = pm->range[above].base & PAGE_MASK;
    if (pm->plain < MIB)
        pm->plain = MIB;
}

/* The same, and the CPU is told. */
static void map_changed_by(struct physmem *pm, const struct physmem_change *change)
{
    map_prepare(pm);
    if (pm->remap)
        pm->remap(pm->remap_opaque, change);
}

static void map_changed(struct physmem *pm)
{
    map_changed_by(pm, &(struct physmem_change){.all = true});
}

static bool holds_code(const struct physmem *pm, u64 ram_offset, u64 size)
{
    for (u64 n = ram_offset >> PAGE_SHIFT; n < (ram_offset + size) >> PAGE_SHIFT; n++) {
        if (pm->marks[n] & PAGE_ANY_CODE)
            return true;
    }
    return false;
}

/* What is stale when the range comes or goes: nobody keeps code of a device, nor of addresses at
 * which nothing is. Systems move the ranges of PCI functions to see how large they are. */
static struct physmem_change change_by(const struct physmem *pm, const struct range *r)
{
    struct physmem_change c = {0};
    const u64 last = r->base + (r->size - 1);
    if (r->kind == PHYS_RAM) {
        c.ram_offset = (u64)(r->host - pm->ram);
        c.size = r->size;
    }
    c.all = r->kind == PHYS_ROM || r->base < pm->low || r->base < MIB ||
            (last >= GIB4 && r->base < GIB4 + pm->high) || holds_code(pm, c.ram_offset, c.size);
    return c;
}

static bool range_add(struct physmem *pm, struct range r, const char *name, struct error *err)
{
    unsigned n = range_find(pm, r.base);
    if (!r.size || r.base + (r.size - 1) < r.base)
        return error_set(err, "%s: no room at %#llx", name, (unsigned long long)r.base);
    if (n < pm->count && pm->range[n].base <= r.base + (r.size - 1))
        return error_set(err, "%s at %#llx overlaps %s", name, (unsigned long long)r.base,
                         pm->range[n].name);
    if (pm->count == MAX_RANGES)
        return error_set(err, "%s: too many memory ranges", name);
    memmove(&pm->range[n + 1], &pm->range[n], (pm->count - n) * sizeof r);
    r.name = xstrdup(name);
    pm->range[n] = r;
    pm->count++;
    const struct physmem_change change = change_by(pm, &r);
    map_changed_by(pm, &change);
    return true;
}

static bool page_multiple(u64 base, u64 size, const char *name, struct error *err)
{
    return !((base | size) & ~PAGE_MASK) ||
           error_set(err, "%s: base and size must be multiples of 4 KiB", name);
}

bool physmem_map_ram(struct physmem *pm, u64 base, u64 size, u64 ram_offset, const char *name,
                     struct error *err)
{
    if (!page_multiple(base | ram_offset, size, name, err))
        return false;
    if (ram_offset > pm->size || size > pm->size - ram_offset)
        return error_set(err, "%s: not within the allocated memory", name);
    struct range r = {.base = base, .size = size, .kind = PHYS_RAM, .host = pm->ram + ram_offset};
    return range_add(pm, r, name, err);
}

bool physmem_map_rom(struct physmem *pm, u64 base, const u8 *data, u64 size, const char *name,
                     struct error *err)
{
    struct range r = {.base = base, .size = size, .kind = PHYS_ROM, .rom = data};
    return page_multiple(base, size, name, err) && range_add(pm, r, name, err);
}

bool physmem_map_mmio(struct physmem *pm, u64 base, u64 size, const struct mmio_ops *ops, void *dev,
                      const char *name, struct error *err)
{
    struct range r = {.base = base, .size = size, .kind = PHYS_MMIO, .ops = ops, .dev = dev};
    return range_add(pm, r, name, err);
}

void physmem_unmap(struct physmem *pm, u64 base, u64 size)
{
    unsigned kept = 0, before = pm->count;
    struct physmem_change change = {0};
    for (unsigned n = 0; n < before; n++) {
        struct range *r = &pm->range[n];
        if (size && r->base >= base && r->base + (r->size - 1) <= base + (size - 1)) {
            change = n == kept ? change_by(pm, r) : (struct physmem_change){.all = true};
            free(r->name);
        } else {
            pm->range[kept++] = *r;
        }
    }
    pm->count = kept;
    if (kept != before)
        map_changed_by(pm, &change);
}

void physmem_shadow(struct physmem *pm, u64 base, u64 size, bool read_ram, bool write_ram)
{
    bool changed = false;
    assert(!((base | size) & ~PAGE_MASK) && base + size <= MIB);
    for (u64 n = base >> PAGE_SHIFT; n < (base + size) >> PAGE_SHIFT; n++) {
        struct low_page *l = &pm->low_page[n];
        changed |= l->read_ram != read_ram || l->write_ram != write_ram;
        l->read_ram = read_ram;
        l->write_ram = write_ram;
    }
    if (changed)
        map_changed(pm);
}

void physmem_set_a20(struct physmem *pm, bool enabled)
{
    u64 mask = enabled ? UINT64_MAX : ~BIT64(20);
    if (mask == pm->a20_mask)
        return;
    pm->a20_mask = mask;
    map_changed(pm);
}

bool physmem_a20(const struct physmem *pm)
{
    return pm->a20_mask == UINT64_MAX;
}

u64 physmem_cpu_address(const struct physmem *pm, u64 pa)
{
    return pa & pm->a20_mask;
}

struct phys_page physmem_page(const struct physmem *pm, u64 pa)
{
    if (likely(pa - MIB < pm->plain - MIB))
        return ram_page(pm, pa & PAGE_MASK);
    if (pa < MIB)
        return pm->low_page[pa >> PAGE_SHIFT].page;
    return page_of_ranges(pm, pa);
}

void physmem_walk(const struct physmem *pm,
                  void (*fn)(void *opaque, u64 base, u64 size, enum phys_kind kind,
                             const char *name),
                  void *opaque)
{
    bool low = pm->low == 0, high = pm->high == 0;
    for (unsigned n = 0; n <= pm->count; n++) {
        u64 base = n < pm->count ? pm->range[n].base : UINT64_MAX;
        if (!low) {
            fn(opaque, 0, pm->low, PHYS_RAM, "ram");
            low = true;
        }
        if (!high && base >= GIB4) {
            fn(opaque, GIB4, pm->high, PHYS_RAM, "ram above 4 GiB");
            high = true;
        }
        if (n < pm->count)
            fn(opaque, base, pm->range[n].size, pm->range[n].kind, pm->range[n].name);
    }
}

/* Creation */

/* Makes the memfd `size` bytes long and maps the new part behind the old. */
static bool grow(struct physmem *pm, u64 size, struct error *err)
{
    if (size > pm->reserved)
        return error_set(err, "guest memory: no address space left for %llu bytes",
                         (unsigned long long)size);
    if (size > pm->size &&
        (ftruncate(pm->fd, (off_t)size) != 0 ||
         mmap(pm->ram + pm->size, size - pm->size, PROT_READ | PROT_WRITE,
              MAP_SHARED | MAP_FIXED | MAP_NORESERVE, pm->fd, (off_t)pm->size) == MAP_FAILED))
        return error_set(err, "guest memory of %llu MiB: %s; try a smaller -m",
                         (unsigned long long)size >> 20, strerror(errno));
    pm->size = size;
    return true;
}

struct physmem *physmem_new(u64 low, u64 high, struct log *log, struct error *err)
{
    if (((low | high) & ~PAGE_MASK) || low > LOW_MAX || high > HIGH_MAX) {
        error_set(err, "guest memory must be a multiple of 4 KiB and less than 64 GiB");
        return NULL;
    }
    struct physmem *pm = xcalloc(1, sizeof *pm);
    pm->low = low;
    pm->high = high;
    pm->log = log;
    pm->a20_mask = UINT64_MAX;
    pm->reserved = low + high + EXTRA_ROOM;
    pm->marks = xcalloc(pm->reserved >> PAGE_SHIFT, 1);
    pm->code = xcalloc(pm->reserved >> PAGE_SHIFT, sizeof *pm->code);
    code_page_add(&pm->any, 0, PAGE_SIZE);
    memset(pm->changing, 0xff, sizeof pm->changing);
    pm->fd = memfd_create("guest-ram", MFD_CLOEXEC);
    void *at =
        mmap(NULL, pm->reserved, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    pm->ram = at == MAP_FAILED ? NULL : at;
    if (pm->fd < 0 || !pm->ram) {
        error_set(err, "guest memory: %s", strerror(errno));
        physmem_free(pm);
        return NULL;
    }
    if (!grow(pm, low + high, err)) {
        physmem_free(pm);
        return NULL;
    }
    map_changed(pm);
    return pm;
}

static void code_free(struct physmem *pm, u64 ram_offset)
{
    struct code_page *own = physmem_own_code(pm, ram_offset);
    pm->own_code -= own != NULL;
    free(own);
}

void physmem_free(struct physmem *pm)
{
    if (!pm)
        return;
    physmem_end_source(pm);
    if (pm->ram)
        munmap(pm->ram, pm->reserved);
    if (pm->fd >= 0)
        close(pm->fd);
    for (unsigned n = 0; n < pm->count; n++)
        free(pm->range[n].name);
    for (u64 n = 0; n < pm->size >> PAGE_SHIFT; n++)
        code_free(pm, n << PAGE_SHIFT);
    free(pm->code);
    free(pm->marks);
    free(pm);
}

u8 *physmem_add_ram(struct physmem *pm, u64 size, const char *name, u64 *ram_offset,
                    struct error *err)
{
    u64 offset = pm->size;
    if (!page_multiple(0, size, name, err) || !grow(pm, offset + size, err))
        return NULL;
    *ram_offset = offset;
    return pm->ram + offset;
}

u64 physmem_low(const struct physmem *pm)
{
    return pm->low;
}

u64 physmem_high(const struct physmem *pm)
{
    return pm->high;
}

int physmem_fd(const struct physmem *pm)
{
    return pm->fd;
}

/* Marks and hooks */

void physmem_on_remap(struct physmem *pm,
                      void (*fn)(void *opaque, const struct physmem_change *change), void *opaque)
{
    pm->remap = fn;
    pm->remap_opaque = opaque;
}

void physmem_on_marked_write(struct physmem *pm,
                             void (*fn)(void *opaque, u64 ram_offset, unsigned size, u8 marks),
                             void *opaque)
{
    pm->marked_write = fn;
    pm->marked_write_opaque = opaque;
}

void physmem_on_mark(struct physmem *pm, void (*fn)(void *opaque, u64 ram_offset), void *opaque)
{
    pm->mark = fn;
    pm->mark_opaque = opaque;
}

static u64 *changing_of(struct physmem *pm, u64 ram_offset)
{
    return &pm->changing[(ram_offset >> PAGE_SHIFT) % CHANGING];
}

static struct code_page *code_new(struct physmem *pm)
{
    pm->own_code++;
    pm->own_code_most = pm->own_code > pm->own_code_most ? pm->own_code : pm->own_code_most;
    return xcalloc(1, sizeof(struct code_page));
}

void physmem_mark(struct physmem *pm, u64 ram_offset, u8 marks)
{
    assert(ram_offset < pm->size);
    u8 *m = &pm->marks[ram_offset >> PAGE_SHIFT];
    struct code_page **code = &pm->code[ram_offset >> PAGE_SHIFT];
    bool fresh = *m == 0 || (!(*m & ~PAGE_ANY_CODE) && (marks & ~PAGE_ANY_CODE));
    *m |= marks;
    if ((marks & PAGE_ANY_CODE) && !*code)
        *code = *changing_of(pm, ram_offset) == ram_offset >> PAGE_SHIFT ? code_new(pm) : &pm->any;
    if (fresh && marks && pm->mark)
        pm->mark(pm->mark_opaque, ram_offset & PAGE_MASK);
}

/* Gives a page another map, or none. */
static void code_set(struct physmem *pm, u64 ram_offset, struct code_page *code)
{
    if (pm->mark)
        pm->mark(pm->mark_opaque, ram_offset & PAGE_MASK);
    code_free(pm, ram_offset);
    pm->code[ram_offset >> PAGE_SHIFT] = code;
}

void physmem_unmark(struct physmem *pm, u64 ram_offset, u8 marks)
{
    assert(ram_offset < pm->size);
    u8 *m = &pm->marks[ram_offset >> PAGE_SHIFT];
    struct code_page **code = &pm->code[ram_offset >> PAGE_SHIFT];
    *m &= (u8)~marks;
    if (!*code || (*m & PAGE_ANY_CODE))
        return;
    if (physmem_own_code(pm, ram_offset))
        *changing_of(pm, ram_offset) = ram_offset >> PAGE_SHIFT;
    code_set(pm, ram_offset, NULL);
}

struct code_page *physmem_own_code(const struct physmem *pm, u64 ram_offset)
{
    struct code_page *code = pm->code[ram_offset >> PAGE_SHIFT];
    return code == &pm->any ? NULL : code;
}

bool physmem_code_hit(const struct physmem *pm, u64 ram_offset, unsigned size,
                      struct code_span *gone)
{
    const struct code_page *code = physmem_code(pm, ram_offset);
    const unsigned from = ram_offset & ~PAGE_MASK;
    *gone = (struct code_span){from, from + size};
    return code && !code_page_free(code, from, size);
}

bool physmem_code_gone(struct physmem *pm, u64 ram_offset, unsigned size, struct code_span *gone)
{
    u8 *writes = &pm->code_writes[(ram_offset >> PAGE_SHIFT) % CODE_WRITES];
    if (!physmem_code(pm, ram_offset) || size == PAGE_SIZE)
        return false;
    if (!physmem_own_code(pm, ram_offset)) {
        if (++*writes < CODE_PAGE_WRITES)
            return false;
        *writes = 0;
        code_set(pm, ram_offset, code_new(pm));
        *gone = (struct code_span){0, PAGE_SIZE};
    }
    code_page_remove(physmem_own_code(pm, ram_offset), gone->from, gone->end - gone->from);
    return true;
}

void physmem_code_forget(struct physmem *pm, u64 ram_offset)
{
    if (physmem_own_code(pm, ram_offset))
        code_set(pm, ram_offset, &pm->any);
}

u64 physmem_code_bytes(const struct physmem *pm, bool most)
{
    return (most ? pm->own_code_most : pm->own_code) * sizeof(struct code_page);
}

const struct code_page *physmem_code(const struct physmem *pm, u64 ram_offset)
{
    assert(ram_offset < pm->size);
    return pm->code[ram_offset >> PAGE_SHIFT];
}

u8 physmem_marks(const struct physmem *pm, u64 ram_offset)
{
    assert(ram_offset < pm->size);
    return pm->marks[ram_offset >> PAGE_SHIFT];
}

u8 *physmem_ram(const struct physmem *pm, u64 ram_offset)
{
    assert(ram_offset < pm->size);
    if (unlikely(pm->source))
        pm->source->fetch(pm->source_opaque, ram_offset);
    return pm->ram + ram_offset;
}

/* RAM that comes later */

void physmem_set_source(struct physmem *pm, const struct physmem_source *source, void *opaque)
{
    physmem_end_source(pm);
    pm->source = source;
    pm->source_opaque = opaque;
    map_changed(pm);
}

void physmem_end_source(struct physmem *pm)
{
    const struct physmem_source *source = pm->source;
    pm->source = NULL;
    map_prepare(pm);
    if (source)
        source->free(pm->source_opaque);
}

void physmem_fetch_all(struct physmem *pm)
{
    for (u64 at = 0; pm->source && at < pm->low + pm->high; at += PAGE_SIZE)
        pm->source->fetch(pm->source_opaque, at);
}

u64 physmem_ram_offset(const struct physmem *pm, const u8 *host)
{
    return (u64)(host - pm->ram);
}

void physmem_before_write(struct physmem *pm, u64 ram_offset, unsigned size)
{
    while (size) {
        unsigned n = PAGE_SIZE - (unsigned)(ram_offset & (PAGE_SIZE - 1));
        n = n < size ? n : size;
        u8 *m = &pm->marks[ram_offset >> PAGE_SHIFT];
        if (unlikely(*m)) {
            if ((*m & (PAGE_ANY_CODE | PAGE_TRACED)) && pm->marked_write)
                pm->marked_write(pm->marked_write_opaque, ram_offset, n, *m);
            *m &= (u8) ~(PAGE_CLEAN_VGA | PAGE_CLEAN_SAVE);
        }
        ram_offset += n;
        size -= n;
    }
}

/* Accesses */

static u32 ones(unsigned size)
{
    return size == 4 ? UINT32_MAX : BIT(size * 8) - 1;
}

/* Bytes that one bus cycle at pa moves: naturally aligned, at most 4. */
static unsigned cycle_size(u64 pa, size_t left)
{
    unsigned n = left >= 4 ? 4 : left >= 2 ? 2 : 1;
    while (pa & (n - 1))
        n /= 2;
    return n;
}

static const struct range *range_at(const struct physmem *pm, u64 pa)
{
    unsigned n = range_find(pm, pa);
    return n < pm->count && pm->range[n].base <= pa ? &pm->range[n] : NULL;
}

enum phys_kind physmem_kind(const struct physmem *pm, u64 pa)
{
    const struct range *r = range_at(pm, pa);
    return r ? r->kind : PHYS_NONE;
}

static u32 cycle_read(struct physmem *pm, u64 pa, unsigned size)
{
    const struct range *r = range_at(pm, pa);
    if (!r) {
        log_once(pm->log, pa >> 20, "read of unmapped memory at %#llx", (unsigned long long)pa);
        return ones(size);
    }
    if (r->kind != PHYS_MMIO || !r->ops->read || r->size - (pa - r->base) < size)
        return ones(size);
    return r->ops->read(r->dev, pa - r->base, size) & ones(size);
}

static void cycle_write(struct physmem *pm, u64 pa, u32 value, unsigned size)
{
    const struct range *r = range_at(pm, pa);
    if (!r)
        log_once(pm->log, pa >> 20, "write of unmapped memory at %#llx", (unsigned long long)pa);
    else if (r->kind == PHYS_MMIO && r->ops->write && r->size - (pa - r->base) >= size)
        r->ops->write(r->dev, pa - r->base, value & ones(size), size);
}

/* Bytes from pa that lie in one page, at most `size`. */
static size_t within_page(u64 pa, size_t size)
{
    size_t n = PAGE_SIZE - (pa & (PAGE_SIZE - 1));
    return n < size ? n : size;
}

/* The page at pa, and in *n how many of `size` bytes can be moved at once. Where MMIO covers a page
 * in part, the rest of it is RAM if RAM is there. */
static struct phys_page page_at(const struct physmem *pm, u64 pa, size_t size, bool write,
                                size_t *n)
{
    struct phys_page p = physmem_page(pm, pa);
    *n = within_page(pa, size);
    if (write ? p.host_write != NULL : p.host != NULL)
        return p;
    *n = cycle_size(pa, size);
    if (p.kind == PHYS_MMIO && !p.host_write && !range_at(pm, pa) && main_ram(pm, pa) != NO_RAM)
        p = fetched_page(pm, main_ram(pm, pa) & PAGE_MASK);
    return p;
}

void dma_read(struct physmem *pm, u64 pa, void *buf, size_t size)
{
    u8 *to = buf;
    while (size) {
        size_t n;
        struct phys_page p = page_at(pm, pa, size, false, &n);
        if (p.host) {
            memcpy(to, p.host + (pa & (PAGE_SIZE - 1)), n);
        } else {
            u32 v = cycle_read(pm, pa, (unsigned)n);
            memcpy(to, &v, n);
        }
        to += n;
        pa += n;
        size -= n;
    }
}

void dma_write(struct physmem *pm, u64 pa, const void *buf, size_t size)
{
    const u8 *from = buf;
    while (size) {
        size_t n;
        struct phys_page p = page_at(pm, pa, size, true, &n);
        if (p.host_write) {
            u8 *host = p.host_write + (pa & (PAGE_SIZE - 1));
            physmem_before_write(pm, physmem_ram_offset(pm, host), (unsigned)n);
            memcpy(host, from, n);
        } else {
            u32 v = 0;
            memcpy(&v, from, n);
            cycle_write(pm, pa, v, (unsigned)n);
        }
        from += n;
        pa += n;
        size -= n;
    }
}

/* Host address of [pa, +size) in RAM or ROM where that is simple, else NULL. */
static const u8 *simple_read(const struct physmem *pm, u64 pa, unsigned size)
{
    u64 room = pm->plain - MIB, in = pa & (PAGE_SIZE - 1);
    if (likely(pa - MIB < room && room - (pa - MIB) >= size))
        return pm->ram + pa;
    if (pa >= MIB || in + size > PAGE_SIZE)
        return NULL;
    const u8 *host = pm->low_page[pa >> PAGE_SHIFT].page.host;
    return host ? host + in : NULL;
}

/* The same for a write to a page without marks. */
static u8 *simple_write(const struct physmem *pm, u64 pa, unsigned size)
{
    u64 in = pa & (PAGE_SIZE - 1);
    if (in + size > PAGE_SIZE || pa >= pm->plain)
        return NULL;
    u8 *host = pa >= MIB ? pm->ram + (pa - in) : pm->low_page[pa >> PAGE_SHIFT].page.host_write;
    return host && !pm->marks[(u64)(host - pm->ram) >> PAGE_SHIFT] ? host + in : NULL;
}

u64 phys_read(struct physmem *pm, u64 pa, unsigned size)
{
    u64 v = 0;
    pa &= pm->a20_mask;
    const u8 *p = simple_read(pm, pa, size);
    if (unlikely(!p))
        dma_read(pm, pa, &v, size);
    else if (size == 4)
        v = load_le32(p);
    else if (size == 8)
        v = load_le64(p);
    else
        v = size == 1 ? *p : load_le16(p);
    return v;
}

void phys_write(struct physmem *pm, u64 pa, u64 value, unsigned size)
{
    pa &= pm->a20_mask;
    u8 *p = simple_write(pm, pa, size);
    if (unlikely(!p))
        dma_write(pm, pa, &value, size);
    else if (size == 4)
        store_le32(p, (u32)value);
    else if (size == 8)
        store_le64(p, value);
    else if (size == 2)
        store_le16(p, (u16)value);
    else
        *p = (u8)value;
}

void physmem_tap_entries(struct physmem *pm, physmem_entry_tap *tap, void *opaque)
{
    pm->tap = tap;
    pm->tap_opaque = opaque;
}

void physmem_write_entry(struct physmem *pm, u64 pa, u64 value, unsigned size)
{
    struct phys_page p = physmem_page(pm, pa & pm->a20_mask);
    if (unlikely(pm->tap) && p.ram_offset != UINT64_MAX)
        pm->tap(pm->tap_opaque, pm->ram + p.ram_offset + (pa & (PAGE_SIZE - 1)), size);
    if (!p.host_write || (pm->marks[p.ram_offset >> PAGE_SHIFT] & PAGE_ANY_CODE)) {
        phys_write(pm, pa, value, size);
        return;
    }
    u8 *host = p.host_write + (pa & (PAGE_SIZE - 1));
    pm->marks[p.ram_offset >> PAGE_SHIFT] &= PAGE_TRACED;
    if (size == 4)
        store_le32(host, (u32)value);
    else
        store_le64(host, value);
}
