/* Guest memory accesses off the fast path: TLB misses, page crossings, MMIO, marked and watched
 * pages, alignment checks (SDM vol. 3, chapters 4, 5.11, 6.15 #AC, 17.2). */
/* SPDX-License-Identifier: MIT */
#include "cpu/mem.h"

#include <assert.h>
#include <string.h>

#include "cpu/breakpoint.h"
#include "cpu/interp.h"

/* One page's part of an access, after translation. */
struct piece {
    u8 *host;   /* where its bytes are, or NULL: by phys_read and phys_write */
    u64 pa;     /* physical address of its first byte */
    unsigned n; /* bytes */
};

void seg_fault(struct cpu *cpu, unsigned seg)
{
    const char *why = "an access outside its segment's limit or against its rights";
    cpu_raise_error(cpu, seg == SEG_SS ? VEC_SS : VEC_GP, 0, why);
}

/* Debug registers as data breakpoints */

/* A device, or a data breakpoint, may have asked for attention: the instruction is the last of its
 * block. */
static void look_up(struct cpu *cpu)
{
    if (unlikely(cpu_must_stop(cpu)))
        interp_stop_soon(cpu);
}

/* Length in bytes of breakpoint n, and whether it watches an access that writes or not. */
static unsigned watch_size(const struct cpu *cpu, unsigned n)
{
    static const u8 size[4] = {1, 2, 8, 4};
    return size[cpu->dr[7] >> (18 + 4 * n) & 3];
}

static bool watch_matches(const struct cpu *cpu, unsigned n, u64 lin, unsigned size)
{
    u64 from = cpu->dr[n] & ~(u64)(watch_size(cpu, n) - 1);
    return lin < from + watch_size(cpu, n) && from < lin + size;
}

/* Is breakpoint n on, and for data: on writes (1) or on reads and writes (3)? */
static unsigned watch_kind(const struct cpu *cpu, unsigned n)
{
    unsigned kind = cpu->dr[7] >> (16 + 4 * n) & 3;
    return cpu->dr[7] >> (2 * n) & 3 && kind & 1 ? kind : 0;
}

/* By the guest's debug registers or by a debugger outside. */
static bool watch_page(void *opaque, u64 page, u64 pa)
{
    const struct cpu *cpu = opaque;
    if (cpu->debugger && debugger_watches(cpu, page, pa))
        return true;
    for (unsigned n = 0; n < 4; n++)
        if (watch_kind(cpu, n) && watch_matches(cpu, n, page, PAGE_SIZE))
            return true;
    return false;
}

static bool watching(const struct cpu *cpu)
{
    return (cpu->dr[7] & 0xff) || (cpu->debugger && cpu->debugger->watches);
}

/* An access is certain to complete: notes the breakpoints that it hits. */
static void watch_access(struct cpu *cpu, u64 lin, unsigned size, const struct piece *piece,
                         unsigned count, bool write)
{
    u64 at = lin;
    for (unsigned n = 0; cpu->debugger && n < count; at += piece[n++].n)
        debugger_access(cpu, (u32)at, piece[n].pa, piece[n].n, write);
    for (unsigned n = 0; n < 4; n++) {
        unsigned kind = watch_kind(cpu, n);
        if ((kind == 3 || (kind == 1 && write)) && watch_matches(cpu, n, lin, size)) {
            cpu->dr6_pending |= BIT(n);
            cpu_attention(cpu, ATTENTION_TRAP);
            look_up(cpu);
        }
    }
}

/* Translation */

static u64 wrap(const struct cpu *cpu, u64 lin)
{
    return cpu->code_mode == MODE_64 ? lin : (u32)lin;
}

static struct tlb_entry *fill(struct cpu *cpu, u64 lin, enum access access, bool user)
{
    u32 error = 0;
    struct tlb_entry *e = tlb_fill(cpu->space, cpu->cr0 & CR0_PG ? &cpu->walk : NULL, lin, access,
                                   user, watching(cpu) ? watch_page : NULL, cpu, &error);
    if (unlikely(cpu->tracer) && cpu->tracer->walked)
        cpu->tracer->walked(cpu->tracer, lin, access, user, e,
                            e ? tlb_pa(&cpu->space->tlb[user], lin) : 0, error);
    if (unlikely(cpu->debugger))
        hook_walked(cpu, lin, access, e);
    if (!e)
        cpu_raise_pf(cpu, lin, error);
    return e;
}

static struct piece translate(struct cpu *cpu, u64 lin, unsigned n, enum access access, bool user)
{
    struct tlb *t = &cpu->space->tlb[user];
    struct tlb_entry *e = tlb_entry(t, lin);
    u64 page = lin & PAGE_MASK;
    if (!tlb_allows(e->tag[access], page))
        e = fill(cpu, lin, access, user);
    u8 *host = e->tag[access] == tlb_tag(page) ? (u8 *)(uintptr_t)(lin + e->addend) : NULL;
    return (struct piece){host, tlb_pa(t, lin), n};
}

const struct tlb_entry *mem_fill_quietly(struct cpu *cpu, u32 lin, enum access access)
{
    bool user = cpu->cpl == 3;
    u32 error;
    if (cpu->tlb != &cpu->space->tlb[user] || (cpu->tracer && cpu->tracer->walked) ||
        (cpu->debugger && cpu->debugger->each_walk) ||
        tlb_allows(tlb_entry(cpu->tlb, lin)->tag[access], lin))
        return NULL;
    return tlb_fill(cpu->space, cpu->cr0 & CR0_PG ? &cpu->walk : NULL, lin, access, user,
                    watching(cpu) ? watch_page : NULL, cpu, &error);
}

u8 *mem_beside_code(const struct cpu *cpu, const struct tlb_entry *e, u64 lin, unsigned size)
{
    if (likely(!tlb_hits_code(e->tag[ACCESS_WRITE], lin, size)))
        return NULL;
    u8 *host = (u8 *)(uintptr_t)(lin + e->addend);
    const struct code_page *code =
        physmem_code(cpu->mem, physmem_ram_offset(cpu->mem, host) & PAGE_MASK);
    return code && code_page_free(code, lin & ~PAGE_MASK, size) ? host : NULL;
}

/* lin_host for writes, where it has failed. */
static u8 *host_beside_code(const struct cpu *cpu, u64 lin, unsigned size)
{
    return mem_beside_code(cpu, tlb_entry(cpu->tlb, lin), lin, size);
}

/* Translates [lin, +size), at most two pages, faults in ascending order; returns the pieces. */
static unsigned translate_all(struct cpu *cpu, u64 lin, unsigned size, enum access access,
                              bool user, struct piece piece[2])
{
    unsigned room = PAGE_SIZE - (unsigned)(lin & (PAGE_SIZE - 1));
    assert(size && size <= PAGE_SIZE);
    lin = wrap(cpu, lin);
    piece[0] = translate(cpu, lin, size < room ? size : room, access, user);
    if (size <= room)
        return 1;
    piece[1] = translate(cpu, wrap(cpu, lin + room), size - room, access, user);
    /* the second walk may have found that the first page is one of its tables */
    piece[0] = translate(cpu, lin, room, access, user);
    return 2;
}

/* Alignment that #AC demands of an operand of this many bytes (SDM vol. 3, table 6-7). */
static unsigned alignment(unsigned size)
{
    switch (size) {
    case 10: return 8;
    case 6:
    case 28:
    case 108: return 4;
    case 14:
    case 94: return 2;
    case 16: return 1; /* MOVUPS: hosts do not look; others raise #GP */
    default: return size <= 16 ? size : 16;
    }
}

static void check_alignment(struct cpu *cpu, u64 lin, unsigned size, bool user)
{
    if (user && cpu->cpl == 3 && (cpu->cr0 & CR0_AM) && (cpu->eflags & FLAG_AC) &&
        (lin & (alignment(size) - 1)))
        cpu_raise_error(cpu, VEC_AC, 0, "an unaligned access with EFLAGS.AC set");
}

/* Moving bytes */

/* Tells the tap when the access goes to a device, or nowhere. */
static void tap_bus(struct cpu *cpu, const struct piece *p, enum access access)
{
    if (likely(!cpu->tap))
        return;
    struct phys_page page = physmem_page(cpu->mem, p->pa);
    if (access == ACCESS_WRITE || !page.host)
        cpu->tap->device(cpu->tap);
}

static void ram_write(struct cpu *cpu, u8 *to, const u8 *from, unsigned n)
{
    if (unlikely(cpu->tap))
        cpu->tap->ram_write(cpu->tap, to, n);
    memcpy(to, from, n);
}

static void piece_read(struct cpu *cpu, const struct piece *p, u8 *to)
{
    if (p->host) {
        memcpy(to, p->host, p->n);
        return;
    }
    tap_bus(cpu, p, ACCESS_READ);
    u64 pa = p->pa;
    bool told = unlikely(cpu->debugger) && !physmem_page(cpu->mem, pa).host;
    for (unsigned at = 0; at < p->n;) {
        unsigned left = p->n - at, n = left >= 8 ? 8 : left >= 4 ? 4 : left >= 2 ? 2 : 1;
        u64 v = phys_read(cpu->mem, pa + at, n);
        if (unlikely(told))
            hook_device(cpu, pa + at, n, v, false);
        memcpy(to + at, &v, n);
        at += n;
    }
    look_up(cpu);
}

/* Runs the hooks of a marked page before anything is written, so that they may still restart the
 * instruction. */
static void piece_announce(struct cpu *cpu, const struct piece *p)
{
    if (p->host)
        return;
    struct phys_page page = physmem_page(cpu->mem, p->pa);
    if (page.host_write)
        physmem_before_write(
            cpu->mem, physmem_ram_offset(cpu->mem, page.host_write) + (p->pa & (PAGE_SIZE - 1)),
            p->n);
}

static void piece_write(struct cpu *cpu, const struct piece *p, const u8 *from)
{
    if (p->host) {
        ram_write(cpu, p->host, from, p->n);
        return;
    }
    struct phys_page page = physmem_page(cpu->mem, p->pa);
    if (page.host_write) {
        ram_write(cpu, page.host_write + (p->pa & (PAGE_SIZE - 1)), from, p->n);
        return;
    }
    tap_bus(cpu, p, ACCESS_WRITE);
    for (unsigned at = 0; at < p->n;) {
        unsigned left = p->n - at, n = left >= 8 ? 8 : left >= 4 ? 4 : left >= 2 ? 2 : 1;
        u64 v = 0;
        memcpy(&v, from + at, n);
        if (unlikely(cpu->debugger))
            hook_device(cpu, p->pa + at, n, v, true);
        phys_write(cpu->mem, p->pa + at, v, n);
        at += n;
    }
    look_up(cpu);
}

/* A slow write may have cleared the last mark of a page, or the last but those of code: its next
 * write looks again. */
static void piece_relax(struct cpu *cpu, const struct piece *p, u64 lin, bool user)
{
    if (p->host || watching(cpu))
        return;
    struct phys_page page = physmem_page(cpu->mem, p->pa);
    u64 *tag = &tlb_entry(&cpu->space->tlb[user], lin)->tag[ACCESS_WRITE];
    u8 marks = page.host_write ? physmem_marks(cpu->mem, page.ram_offset) : 0;
    bool code = *tag == tlb_tag(lin) + TLB_CODE;
    if (page.host && page.host == page.host_write && (code ? !marks : !(marks & ~PAGE_ANY_CODE)))
        *tag = TLB_NEVER;
}

static void read_bytes(struct cpu *cpu, u64 lin, u8 *to, unsigned size, bool user,
                       enum access access)
{
    struct piece piece[2];
    check_alignment(cpu, lin, size, user);
    unsigned count = translate_all(cpu, lin, size, access, user, piece);
    if (watching(cpu))
        watch_access(cpu, lin, size, piece, count, access == ACCESS_WRITE);
    for (unsigned n = 0; n < count; n++, to += piece[0].n)
        piece_read(cpu, &piece[n], to);
}

static void write_bytes(struct cpu *cpu, u64 lin, const u8 *from, unsigned size, bool user)
{
    struct piece piece[2];
    check_alignment(cpu, lin, size, user);
    unsigned count = translate_all(cpu, lin, size, ACCESS_WRITE, user, piece);
    for (unsigned n = 0; n < count; n++)
        piece_announce(cpu, &piece[n]);
    if (watching(cpu))
        watch_access(cpu, lin, size, piece, count, true);
    for (unsigned n = 0; n < count; n++, from += piece[0].n) {
        piece_write(cpu, &piece[n], from);
        piece_relax(cpu, &piece[n], wrap(cpu, lin + (n ? piece[0].n : 0)), user);
    }
}

u64 lin_read_slow(struct cpu *cpu, u64 lin, unsigned size, bool user)
{
    u64 v = 0;
    read_bytes(cpu, lin, (u8 *)&v, size, user, ACCESS_READ);
    return v;
}

void lin_write_slow(struct cpu *cpu, u64 lin, u64 value, unsigned size, bool user)
{
    u8 *host = user == (cpu->cpl == 3) ? host_beside_code(cpu, lin, size) : NULL;
    if (host)
        memcpy(host, &value, size);
    else
        write_bytes(cpu, lin, (const u8 *)&value, size, user);
}

void lin_probe_write(struct cpu *cpu, u64 lin, unsigned size, bool user)
{
    struct piece piece[2];
    check_alignment(cpu, lin, size, user);
    translate_all(cpu, lin, size, ACCESS_WRITE, user, piece);
}

void lin_probe_read(struct cpu *cpu, u64 lin, unsigned size, bool user)
{
    struct piece piece[2];
    check_alignment(cpu, lin, size, user);
    translate_all(cpu, lin, size, ACCESS_READ, user, piece);
}

/* Data accesses by segment */

u64 mem_read(struct cpu *cpu, unsigned seg, u64 off, unsigned size)
{
    switch (size) {
    case 1: return mem_read8(cpu, seg, off);
    case 2: return mem_read16(cpu, seg, off);
    case 4: return mem_read32(cpu, seg, off);
    default: return mem_read64(cpu, seg, off);
    }
}

void mem_write(struct cpu *cpu, unsigned seg, u64 off, u64 value, unsigned size)
{
    switch (size) {
    case 1: mem_write8(cpu, seg, off, (u8)value); break;
    case 2: mem_write16(cpu, seg, off, (u16)value); break;
    case 4: mem_write32(cpu, seg, off, (u32)value); break;
    default: mem_write64(cpu, seg, off, value); break;
    }
}

u64 mem_read_rmw(struct cpu *cpu, unsigned seg, u64 off, unsigned size)
{
    u64 lin = seg_write_lin(cpu, seg, off, size), v = 0;
    const void *p = lin_host(cpu, lin, size, ACCESS_WRITE);
    if (unlikely(!p) && !(p = host_beside_code(cpu, lin, size))) {
        read_bytes(cpu, lin, (u8 *)&v, size, cpu->cpl == 3, ACCESS_WRITE);
        return v;
    }
    switch (size) {
    case 1: return *(const u8 *)p;
    case 2: return load_le16(p);
    case 4: return load_le32(p);
    default: return load_le64(p);
    }
}

void mem_read_bytes(struct cpu *cpu, unsigned seg, u64 off, void *buf, unsigned size)
{
    u64 lin = seg_read_lin(cpu, seg, off, size);
    const void *p = lin_host(cpu, lin, size, ACCESS_READ);
    if (likely(p))
        memcpy(buf, p, size);
    else
        read_bytes(cpu, lin, buf, size, cpu->cpl == 3, ACCESS_READ);
}

void mem_write_bytes(struct cpu *cpu, unsigned seg, u64 off, const void *buf, unsigned size)
{
    u64 lin = seg_write_lin(cpu, seg, off, size);
    void *p = lin_host(cpu, lin, size, ACCESS_WRITE);
    if (likely(p) || (p = host_beside_code(cpu, lin, size)))
        memcpy(p, buf, size);
    else
        write_bytes(cpu, lin, buf, size, cpu->cpl == 3);
}

void mem_probe_write(struct cpu *cpu, unsigned seg, u64 off, unsigned size)
{
    u64 lin = seg_write_lin(cpu, seg, off, size);
    if (!lin_host(cpu, lin, size, ACCESS_WRITE))
        lin_probe_write(cpu, lin, size, cpu->cpl == 3);
}

/* Implicit accesses */

void sys_write(struct cpu *cpu, u64 lin, u64 value, unsigned size)
{
    const struct tlb_entry *e = tlb_entry(&cpu->space->tlb[0], lin);
    if (likely(tlb_hits(e->tag[ACCESS_WRITE], lin, size)))
        memcpy((void *)(uintptr_t)(lin + e->addend), &value, size);
    else
        lin_write_slow(cpu, lin, value, size, false);
}

void sys_probe_write(struct cpu *cpu, u64 lin, unsigned size)
{
    lin_probe_write(cpu, lin, size, false);
}

const u8 *mem_fetch_page(struct cpu *cpu, u64 lin, u64 *pa)
{
    bool user = cpu->cpl == 3;
    lin &= PAGE_MASK;
    struct piece p = translate(cpu, wrap(cpu, lin), PAGE_SIZE, ACCESS_EXEC, user);
    *pa = p.pa;
    return p.host;
}

bool mem_physical(struct cpu *cpu, u64 lin, u64 *pa)
{
    struct walk_result r = {.ok = true, .pa = lin};
    if (cpu->cr0 & CR0_PG)
        r = walk(cpu->mem, &cpu->walk, lin, ACCESS_READ, false, false);
    *pa = physmem_cpu_address(cpu->mem, r.pa);
    return r.ok;
}

/* What a window may map where this walk has led. */
static bool direct_page(struct cpu *cpu, const struct walk_result *r, bool user,
                        struct window_page *page)
{
    if (!r->ok || watching(cpu) || !r->accessed || r->user != user)
        return false;
    struct phys_page p = physmem_page(cpu->mem, physmem_cpu_address(cpu->mem, r->pa) & PAGE_MASK);
    if (!p.host || p.host != p.host_write)
        return false;
    bool allowed = r->writable || (!user && !(cpu->cr0 & CR0_WP));
    bool writable = allowed && r->dirty && !physmem_marks(cpu->mem, p.ram_offset);
    *page = (struct window_page){p.ram_offset, writable};
    return true;
}

bool mem_peek_direct(struct cpu *cpu, u32 lin, bool user, struct window_page *page)
{
    struct walk_result r = {
        .ok = true, .pa = lin, .writable = true, .accessed = true, .dirty = true};
    if (cpu->cr0 & CR0_PG)
        r = walk(cpu->mem, &cpu->walk, lin, ACCESS_READ, user, false);
    return direct_page(cpu, &r, user, page);
}

bool mem_watch_direct(struct cpu *cpu, u32 lin, struct window_page *page)
{
    const struct walk_result r = walk(cpu->mem, &cpu->walk, lin, ACCESS_READ, true, false);
    if (!r.ok)
        return false;
    space_watch(cpu->space, &cpu->walk, &r, lin);
    return direct_page(cpu, &r, true, page);
}

unsigned mem_peek(struct cpu *cpu, u64 lin, void *buf, unsigned size)
{
    unsigned done = 0;
    while (done < size) {
        u64 at = wrap(cpu, lin + done);
        u64 pa;
        if (!mem_physical(cpu, at, &pa))
            break;
        struct phys_page p = physmem_page(cpu->mem, pa);
        if (!p.host)
            break;
        unsigned in = (unsigned)(at & (PAGE_SIZE - 1)), n = PAGE_SIZE - in;
        n = n < size - done ? n : size - done;
        memcpy((u8 *)buf + done, p.host + in, n);
        done += n;
    }
    return done;
}

unsigned mem_poke(struct cpu *cpu, u64 lin, const void *buf, unsigned size)
{
    unsigned done = 0;
    while (done < size) {
        u64 at = wrap(cpu, lin + done), pa;
        unsigned n = PAGE_SIZE - (unsigned)(at & (PAGE_SIZE - 1));
        n = n < size - done ? n : size - done;
        if (!mem_physical(cpu, at, &pa) || !physmem_page(cpu->mem, pa).host_write)
            break;
        dma_write(cpu->mem, pa, (const u8 *)buf + done, n);
        done += n;
    }
    return done;
}
