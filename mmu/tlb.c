/* The software TLB: fills from page walks, flushes (SDM vol. 3, section 4.10). */
/* SPDX-License-Identifier: MIT */
#include "mmu/tlb.h"

#include <assert.h>
#include <emmintrin.h>
#include <string.h>

#include "mmu/trace.h"

enum { LARGE_SHIFT = 22, HUGE_SHIFT = 30, REGIONS = TLB_WORDS * 64 };
#define NO_PAGE UINT32_MAX

static void bit_put(u64 *map, unsigned n, bool on)
{
    map[n / 64] = (map[n / 64] & ~BIT64(n % 64)) | (u64)on << n % 64;
}

static bool bit_get(const u64 *map, unsigned n)
{
    return map[n / 64] >> n % 64 & 1;
}

static unsigned index_of(u64 lin)
{
    return lin >> PAGE_SHIFT & (TLB_ENTRIES - 1);
}

static unsigned region_of(u64 lin)
{
    return lin >> LARGE_SHIFT & (REGIONS - 1);
}

static void entry_clear(struct tlb *t, unsigned n)
{
    struct tlb_entry *e = &t->entry[n];
    e->tag[ACCESS_READ] = e->tag[ACCESS_WRITE] = e->tag[ACCESS_EXEC] = TLB_NEVER;
    t->ram_page[n] = NO_PAGE;
}

static void entry_drop(struct tlb *t, unsigned n)
{
    entry_clear(t, n);
    bit_put(t->used, n, false);
}

/* Drops the entries of word w whose bits are set in `which`. */
static void drop_word(struct tlb *t, unsigned w, u64 which)
{
    t->used[w] &= ~which;
    for (; which; which &= which - 1)
        entry_clear(t, w * 64 + (unsigned)__builtin_ctzll(which));
}

void space_init(struct space *s, struct physmem *pm)
{
    memset(s, 0, sizeof *s);
    s->pm = pm;
    for (unsigned n = 0; n < 2 * TLB_ENTRIES; n++)
        entry_clear(&s->tlb[n / TLB_ENTRIES], n % TLB_ENTRIES);
}

void space_flush(struct space *s)
{
    for (unsigned n = 0; n < 2; n++) {
        for (unsigned w = 0; w < TLB_WORDS; w++)
            drop_word(&s->tlb[n], w, s->tlb[n].used[w]);
        memset(s->tlb[n].large, 0, sizeof s->tlb[n].large);
        s->tlb[n].huge = false;
    }
}

void space_flush_nonglobal(struct space *s)
{
    for (unsigned n = 0; n < 2; n++)
        for (unsigned w = 0; w < TLB_WORDS; w++)
            drop_word(&s->tlb[n], w, s->tlb[n].used[w] & ~s->tlb[n].global[w]);
}

/* Drops every entry of a region that has parts of large pages. */
static void flush_region(struct tlb *t, u64 lin)
{
    for (unsigned w = 0; w < TLB_WORDS; w++) {
        u64 which = 0;
        for (u64 left = t->used[w]; left; left &= left - 1) {
            unsigned bit = (unsigned)__builtin_ctzll(left);
            if (region_of(tlb_page_of(&t->entry[w * 64 + bit])) == region_of(lin))
                which |= BIT64(bit);
        }
        drop_word(t, w, which);
    }
    bit_put(t->large, region_of(lin), false);
}

/* Drops the entries of word w that lie in the range. */
static void drop_word_in(struct tlb *t, unsigned w, u64 lin, u64 size)
{
    u64 which = 0;
    for (u64 left = t->used[w]; left; left &= left - 1) {
        unsigned bit = (unsigned)__builtin_ctzll(left);
        if (((tlb_page_of(&t->entry[w * 64 + bit]) ^ lin) & ~(size - 1)) == 0)
            which |= BIT64(bit);
    }
    drop_word(t, w, which);
}

void space_flush_page(struct space *s, u64 lin)
{
    u64 huge = BIT64(HUGE_SHIFT);
    for (unsigned n = 0; n < 2; n++) {
        struct tlb *t = &s->tlb[n];
        if (t->huge)
            for (unsigned w = 0; w < TLB_WORDS; w++)
                drop_word_in(t, w, lin & ~(huge - 1), huge);
        else if (bit_get(t->large, region_of(lin)))
            flush_region(t, lin);
        else if (tlb_page_of(tlb_entry(t, lin)) == (lin & PAGE_MASK))
            entry_drop(t, index_of(lin));
    }
}

void space_drop(struct space *s, u64 lin, u64 size)
{
    u64 pages = size >> PAGE_SHIFT;
    for (unsigned n = 0; n < 2; n++) {
        struct tlb *t = &s->tlb[n];
        unsigned first = index_of(lin);
        if (pages == 1) {
            if (tlb_page_of(&t->entry[first]) == lin)
                entry_drop(t, first);
            continue;
        }
        unsigned from = pages < TLB_ENTRIES ? first / 64 : 0;
        unsigned to = pages < TLB_ENTRIES ? (unsigned)(first + pages - 1) / 64 : TLB_WORDS - 1;
        for (unsigned w = from; w <= to; w++)
            drop_word_in(t, w, lin, size);
    }
}

void tlb_forget_fetches(struct tlb *t)
{
    for (unsigned w = 0; w < TLB_WORDS; w++)
        for (u64 left = t->used[w]; left; left &= left - 1)
            t->entry[w * 64 + (unsigned)__builtin_ctzll(left)].tag[ACCESS_EXEC] = TLB_NEVER;
}

/* Does one of ram_page[0..16) equal page? */
static bool any_of_16(const u32 *ram_page, u32 page)
{
    const __m128i *v = (const __m128i *)ram_page, want = _mm_set1_epi32((int)page);
    __m128i a = _mm_cmpeq_epi32(_mm_loadu_si128(v), want);
    __m128i b = _mm_cmpeq_epi32(_mm_loadu_si128(v + 1), want);
    __m128i c = _mm_cmpeq_epi32(_mm_loadu_si128(v + 2), want);
    __m128i d = _mm_cmpeq_epi32(_mm_loadu_si128(v + 3), want);
    return _mm_movemask_epi8(_mm_or_si128(_mm_or_si128(a, b), _mm_or_si128(c, d))) != 0;
}

void space_protect(struct space *s, u64 ram_offset)
{
    u32 page = (u32)(ram_offset >> PAGE_SHIFT);
    for (unsigned at = 0; at < 2 * TLB_ENTRIES; at += 16) {
        struct tlb *t = &s->tlb[at / TLB_ENTRIES];
        unsigned first = at % TLB_ENTRIES;
        if (likely(!any_of_16(t->ram_page + first, page)))
            continue;
        for (unsigned n = first; n < first + 16; n++) {
            if (t->ram_page[n] != page)
                continue;
            t->entry[n].tag[ACCESS_WRITE] = TLB_NEVER;
            t->ram_page[n] = NO_PAGE;
        }
    }
}

void space_protect_at(struct space *s, u32 ram_page, u32 lin_page)
{
    unsigned at = lin_page % TLB_ENTRIES;
    for (unsigned n = 0; n < 2; n++) {
        struct tlb *t = &s->tlb[n];
        if (t->ram_page[at] != ram_page)
            continue;
        t->entry[at].tag[ACCESS_WRITE] = TLB_NEVER;
        t->ram_page[at] = NO_PAGE;
    }
}

/* With paging off every address is its own translation, with every right. */
static void identity(struct walk_result *r, u64 lin)
{
    r->ok = r->user = r->writable = r->exec = r->dirty = true;
    r->global = false;
    r->page_shift = PAGE_SHIFT;
    r->pa = lin;
}

/* The right that a page gives for writes at this privilege, once it is dirty. */
static bool may_write(const struct walk_regs *regs, const struct walk_result *r, bool user)
{
    return r->dirty && (r->writable || (!user && !(regs->cr0 & CR0_WP)));
}

/* Notes that this space writes a RAM page directly at lin. */
static void note_writer(struct space *s, u64 lin, u64 ram_offset)
{
    struct ram_use *u = ram_use(s->set, ram_offset);
    u32 page = (u32)(lin >> PAGE_SHIFT);
    u->several |= u->writers && u->lin_page != page;
    u->writers |= (u16)BIT(s->number);
    u->lin_page = page;
}

/* What to add to the tag for writes of a page that may be written. */
static u64 write_way(const struct physmem *pm, const struct phys_page *p, bool direct)
{
    u8 marks = p->host_write ? physmem_marks(pm, p->ram_offset) : 0;
    if (!direct || !p->host || p->host != p->host_write || (marks & ~PAGE_ANY_CODE))
        return TLB_SLOW;
    return marks ? TLB_CODE : 0;
}

/* Puts a translation into the entry of lin; fetched: code was or is fetched by it. */
static void entry_set(struct tlb *t, u64 lin, const struct phys_page *p, bool direct, bool writable,
                      u64 way, bool fetched)
{
    struct tlb_entry *e = tlb_entry(t, lin);
    u64 tag = tlb_tag(lin);
    unsigned n = index_of(lin);
    e->tag[ACCESS_READ] = p->host && direct ? tag : tag + TLB_SLOW;
    e->tag[ACCESS_WRITE] = !writable ? TLB_NEVER : tag + way;
    e->tag[ACCESS_EXEC] = !fetched ? TLB_NEVER : p->host ? tag : tag + TLB_SLOW;
    e->addend = (uintptr_t)p->host - (lin & PAGE_MASK);
    t->ram_page[n] = writable && way != TLB_SLOW ? (u32)(p->ram_offset >> PAGE_SHIFT) : NO_PAGE;
    bit_put(t->used, n, true);
}

struct tlb_entry *tlb_fill(struct space *s, const struct walk_regs *regs, u64 lin,
                           enum access access, bool user,
                           bool (*watch)(void *opaque, u64 page, u64 pa), void *opaque, u32 *error)
{
    struct walk_result r;
    if (regs)
        walk_into(&r, s->pm, regs, lin, access, user, true);
    else
        identity(&r, lin);
    if (!r.ok) {
        space_flush_page(s, lin);
        *error = r.error;
        return NULL;
    }
    if (s->set && regs)
        trace_walk(s, regs, &r, lin, access == ACCESS_EXEC, user);
    struct tlb *t = &s->tlb[user];
    unsigned n = index_of(lin);
    struct tlb_entry *e = &t->entry[n];
    u64 pa = physmem_cpu_address(s->pm, r.pa) & PAGE_MASK;
    struct phys_page p = physmem_page(s->pm, pa);
    bool fetched =
        access == ACCESS_EXEC || (r.exec && t->pa[n] == pa && tlb_allows(e->tag[ACCESS_EXEC], lin));
    bool direct = !(watch && watch(opaque, lin & PAGE_MASK, pa));
    entry_set(t, lin, &p, direct, may_write(regs, &r, user), write_way(s->pm, &p, direct), fetched);
    t->pa[n] = pa;
    t->code[n] = p.ram_offset == UINT64_MAX ? NULL : physmem_code(s->pm, p.ram_offset);
    if (s->set && t->ram_page[n] != NO_PAGE)
        note_writer(s, lin, p.ram_offset);
    bit_put(t->global, n, r.global);
    if (r.page_shift > PAGE_SHIFT)
        bit_put(t->large, region_of(lin), true);
    t->huge |= r.page_shift == HUGE_SHIFT;
    assert(user ? r.user : true);
    return e;
}
