/* Blocks of decoded instructions: an arena that is dropped whole when full, a hash by physical
 * address, and a list of blocks for each RAM page so that writes to code find what they overlap. */
/* SPDX-License-Identifier: MIT */
#include "cpu/block.h"

#include <stdlib.h>
#include <string.h>

#include "cpu/breakpoint.h"
#include "cpu/decode.h"
#include "cpu/interp.h"
#include "cpu/mem.h"
#include "cpu/patch.h"

/* DECODING_RUNS: what decoding a block again costs, in runs of it. */
enum { HASH_BITS = 15, ARENA_SIZE = 32 << 20, WARM_BITS = 17, DECODING_RUNS = 4 };
#define NO_ADDRESS UINT64_MAX

/* How often a block had run when an immediate or a displacement in it was rewritten: it is no
 * colder for that. */
struct rewritten {
    u64 ram_offset; /* where it starts */
    u32 runs;       /* its runs */
};

/* How often a block had run when the cache was emptied for lack of room: a program with more cold
 * code than fits would else stay cold for ever. */
struct warm {
    u16 tag;  /* which block's, of those in the same place */
    u16 runs; /* its runs */
};

struct block_cache {
    struct cpu *cpu;                    /* whose code it is */
    struct block *hash[1 << HASH_BITS]; /* by physical address */
    u8 *arena;                          /* where blocks live */
    size_t used, room;                  /* bytes of arena in use, that may be */
    struct block **page;                /* by RAM page number: the blocks decoded from it */
    u64 page_count;                     /* entries of page */
    bool empty;                         /* hash and page are */
    struct rewritten rewritten[64];     /* by hash of ram_offset */
    struct warm warm[1 << WARM_BITS];   /* by hash of ram_offset */
    struct block *scratch; /* a block that is not cached: cut by the CS limit, or not in memory */
    struct insn draft[BLOCK_MAX_INSNS]; /* instructions of the block that is being built */
};

/* Bytes that a block of count instructions takes: the ops, then the instructions. */
static size_t block_size(unsigned count)
{
    size_t size =
        sizeof(struct block) + (count + 1) * sizeof(struct op) + count * sizeof(struct insn);
    return (size + 63) & ~(size_t)63;
}

struct block_cache *block_cache_new(struct cpu *cpu)
{
    struct block_cache *c = xcalloc(1, sizeof *c);
    c->cpu = cpu;
    c->arena = xmalloc(ARENA_SIZE);
    c->room = ARENA_SIZE;
    c->scratch = xcalloc(1, block_size(1));
    return c;
}

void block_cache_limit(struct block_cache *c, size_t bytes)
{
    c->room = bytes < ARENA_SIZE ? bytes : ARENA_SIZE;
}

void block_cache_free(struct block_cache *c)
{
    if (!c)
        return;
    free(c->arena);
    free(c->page);
    free(c->scratch);
    free(c);
}

static unsigned hash_of(u64 pa)
{
    return (unsigned)((pa ^ pa >> HASH_BITS) & ((1u << HASH_BITS) - 1));
}

/* The blocks of the page of a place in RAM, growing the table as RAM is added. */
static struct block **page_of(struct block_cache *c, u64 ram_offset)
{
    u64 n = ram_offset >> PAGE_SHIFT;
    if (n >= c->page_count) {
        u64 count = n + 1 > 2 * c->page_count ? n + 1 : 2 * c->page_count;
        c->page = xrealloc(c->page, count * sizeof *c->page);
        memset(c->page + c->page_count, 0, (count - c->page_count) * sizeof *c->page);
        c->page_count = count;
    }
    return &c->page[n];
}

/* How many of the block's bytes lie in its first page. */
static unsigned bytes_before(const struct block *b)
{
    unsigned room = PAGE_SIZE - (unsigned)(b->pa & ~PAGE_MASK);
    return b->bytes < room ? b->bytes : room;
}

/* Notes which bytes of the page are the block's, if it has a map of its own. */
static void note_bytes(struct block_cache *c, const struct block *b, u64 ram_offset)
{
    struct code_page *code = physmem_own_code(c->cpu->mem, ram_offset);
    unsigned before = bytes_before(b);
    if (!code)
        return;
    if (!((b->ram_offset ^ ram_offset) & PAGE_MASK))
        code_page_add(code, b->ram_offset & ~PAGE_MASK, before);
    if (!((b->ram_offset2 ^ ram_offset) & PAGE_MASK))
        code_page_add(code, 0, b->bytes - before);
}

static void page_add(struct block_cache *c, struct block *b, unsigned which, u64 ram_offset)
{
    struct block **head = page_of(c, ram_offset);
    b->page_next[which] = *head;
    *head = b;
    physmem_mark(c->cpu->mem, ram_offset & PAGE_MASK, PAGE_CODE);
    note_bytes(c, b, ram_offset);
}

/* Which of a block's two list links belongs to the RAM page of ram_offset. */
static unsigned link_in(const struct block *b, u64 ram_offset)
{
    return (b->ram_offset ^ ram_offset) & PAGE_MASK ? 1 : 0;
}

static void page_remove(struct block_cache *c, struct block *b, u64 ram_offset)
{
    struct block **head = page_of(c, ram_offset), **at = head;
    while (*at && *at != b)
        at = &(*at)->page_next[link_in(*at, ram_offset)];
    if (*at)
        *at = b->page_next[link_in(b, ram_offset)];
    if (!*head)
        physmem_unmark(c->cpu->mem, ram_offset & PAGE_MASK, PAGE_CODE);
}

/* It is to be found no more, leads nowhere, and ends behind its current instruction if it runs. */
static void block_forget(struct block *b)
{
    b->pa = NO_ADDRESS;
    b->plain = false;
    b->link[0] = b->link[1] = NULL;
    for (unsigned n = 0; n < b->count; n++)
        op_set_stale(&b->op[n]);
}

static void block_drop(struct block_cache *c, struct block *b)
{
    struct block **at = &c->hash[hash_of(b->pa)];
    while (*at && *at != b)
        at = &(*at)->hash_next;
    if (*at)
        *at = b->hash_next;
    if (b->ram_offset != NO_ADDRESS)
        page_remove(c, b, b->ram_offset);
    if (b->ram_offset2 != NO_ADDRESS)
        page_remove(c, b, b->ram_offset2);
    block_forget(b);
}

void block_abandon(struct block_cache *c, const struct block *b)
{
    if (b->pa != NO_ADDRESS)
        block_drop(c, (struct block *)b);
}

/* Does [offset, +size) of RAM overlap the block's bytes? */
static bool block_overlaps(const struct block *b, u64 offset, unsigned size)
{
    unsigned before = bytes_before(b);
    if (b->ram_offset2 != NO_ADDRESS && offset < b->ram_offset2 + (b->bytes - before) &&
        b->ram_offset2 < offset + size)
        return true;
    return b->ram_offset != NO_ADDRESS && offset < b->ram_offset + before &&
           b->ram_offset < offset + size;
}

static struct rewritten *rewritten_slot(struct block_cache *c, u64 ram_offset)
{
    return &c->rewritten[(ram_offset ^ ram_offset >> 6) % ARRAY_LEN(c->rewritten)];
}

/* The block is about to be dropped because [ram_offset, +size) is written. */
static void note_runs(struct block_cache *c, const struct block *b, u64 ram_offset, unsigned size)
{
    unsigned at = 0, n = 0, from = (unsigned)(ram_offset - b->ram_offset);
    if (ram_offset < b->ram_offset || from >= b->bytes)
        return;
    while (n + 1 < b->count && at + b->insn[n].len <= from)
        at += b->insn[n++].len;
    struct insn_fields f = insn_fields(&b->insn[n]);
    if (field_covers(f.imm, from - at, from - at + size) ||
        field_covers(f.disp, from - at, from - at + size))
        *rewritten_slot(c, b->ram_offset) = (struct rewritten){b->ram_offset, b->runs};
}

/* Makes *gone take in the block's bytes in that page. */
static void span_widen(struct code_span *gone, const struct block *b, u64 ram_offset)
{
    unsigned from = 0, end = b->bytes - bytes_before(b);
    if (!link_in(b, ram_offset)) {
        from = b->ram_offset & ~PAGE_MASK;
        end = from + bytes_before(b);
    }
    code_span_widen(gone, from, end);
}

void block_note(struct block_cache *c, u64 ram_offset, struct code_span s)
{
    const u64 page = ram_offset & PAGE_MASK;
    for (struct block *b = *page_of(c, ram_offset); b; b = b->page_next[link_in(b, ram_offset)])
        if (block_overlaps(b, page + s.from, s.end - s.from))
            note_bytes(c, b, ram_offset);
}

u32 block_written(struct block_cache *c, u64 ram_offset, unsigned size, struct code_span *gone)
{
    u32 runs = 0;
    for (struct block *b = *page_of(c, ram_offset), *next; b; b = next) {
        next = b->page_next[link_in(b, ram_offset)];
        if (!block_overlaps(b, ram_offset, size))
            continue;
        span_widen(gone, b, ram_offset);
        runs = b->runs >= runs ? b->runs + 1 : runs;
        note_runs(c, b, ram_offset, size);
        block_drop(c, b);
    }
    return runs;
}

/* A page's blocks are all gone. */
static void page_clear(struct block_cache *c, u64 ram_offset)
{
    if (ram_offset == NO_ADDRESS || !*page_of(c, ram_offset))
        return;
    *page_of(c, ram_offset) = NULL;
    physmem_code_forget(c->cpu->mem, ram_offset);
    physmem_unmark(c->cpu->mem, ram_offset & PAGE_MASK, PAGE_CODE);
}

static struct warm *warm_slot(struct block_cache *c, u64 ram_offset, u16 *tag)
{
    const u64 h = ram_offset * 0x9e3779b97f4a7c15u;
    *tag = (u16)(h >> 32);
    return &c->warm[h >> (64 - WARM_BITS)];
}

/* How often it has run, for when it is decoded again. */
static void keep_runs(struct block_cache *c, const struct block *b)
{
    u16 tag;
    struct warm *w = warm_slot(c, b->ram_offset, &tag);
    const u32 runs = b->runs + DECODING_RUNS;
    if (b->pa != NO_ADDRESS && b->ram_offset != NO_ADDRESS)
        *w = (struct warm){tag, (u16)(runs < UINT16_MAX ? runs : UINT16_MAX)};
}

/* Not one by one: nobody knows a block by another way than these tables, but for the running one.
 * The blocks tell which pages to clear: a guest has many more without any. One walk of the arena,
 * whose blocks are not in the host's caches any more: where the next one starts is in each, so all
 * of what follows is asked for ahead. */
static void forget_all(struct block_cache *c, bool keep)
{
    enum { AHEAD = 2048, LINE = 64 };
    const bool none = c->empty;
    if (!none)
        memset(c->hash, 0, sizeof c->hash);
    c->empty = true;
    for (size_t at = 0, size; at < c->used && (keep || !none); at += size) {
        const struct block *b = (const struct block *)(c->arena + at);
        size = block_size(b->count);
        for (size_t n = 0; n < size; n += LINE)
            __builtin_prefetch(c->arena + at + AHEAD + n);
        if (keep)
            keep_runs(c, b);
        if (none)
            continue;
        page_clear(c, b->ram_offset);
        page_clear(c, b->ram_offset2);
    }
    if (c->cpu->block)
        block_forget((struct block *)c->cpu->block);
}

void block_drop_all(struct block_cache *c)
{
    forget_all(c, false);
}

void block_cache_reset(struct block_cache *c)
{
    forget_all(c, true);
    c->cpu->block = NULL;
    c->used = 0;
}

static void exec_too_long(struct cpu *cpu, const struct insn *i)
{
    (void)i;
    cpu_raise_error(cpu, VEC_GP, 0, "the instruction is longer than 15 bytes");
}

static void exec_beyond_limit(struct cpu *cpu, const struct insn *i)
{
    (void)i;
    cpu_raise_error(cpu, VEC_GP, 0, "the instruction is beyond CS's limit");
}

/* What the decoder found wrong; of an unknown opcode it knows no operands. */
static const char *invalid_why(const struct insn *i)
{
    if (i->prefixes & PREFIX_LOCK && i->op[0].kind != OPND_NONE)
        return "LOCK before an instruction or an operand that it does not go with";
    for (unsigned n = 0; n < 2; n++) {
        if (i->op[n].kind == OPND_SREG)
            return "MOV to CS, or of a segment register that does not exist";
        if (i->op[n].kind == OPND_CR)
            return "a control register that does not exist";
    }
    return "not an instruction";
}

static void exec_invalid(struct cpu *cpu, const struct insn *i)
{
    cpu_raise(cpu, VEC_UD, invalid_why(i));
}

/* Decodes one instruction of `avail` bytes into the block; false if the bytes do not suffice. */
static bool block_append(struct block *b, const u8 *bytes, size_t avail)
{
    struct insn *i = &b->insn[b->count];
    switch (decode(bytes, avail, b->mode, i)) {
    case DECODE_OK: i->exec = insn_exec_of(i->row); break;
    case DECODE_INVALID: i->exec = exec_invalid; break;
    case DECODE_TOO_LONG:
        i->exec = exec_too_long;
        i->len = INSN_MAX_LEN;
        break;
    case DECODE_TRUNCATED: return false;
    }
    b->count++;
    b->bytes += i->len;
    return true;
}

static bool block_ended(const struct block *b)
{
    const struct insn *last = &b->insn[b->count - 1];
    return last->exec == exec_invalid || last->exec == exec_too_long || insn_ends_block(last) ||
           b->count == BLOCK_MAX_INSNS;
}

static bool block_ends_plainly(const struct block *b)
{
    const struct insn *last = &b->insn[b->count - 1];
    return insn_info(last->row)->class == CLASS_BRANCH || !insn_ends_block(last);
}

/* The bytes of one instruction that crosses into the next page, or that lies where code cannot be
 * cached. */
static size_t fetch_bytes(struct cpu *cpu, u64 lin, u8 *buf, size_t limit, u64 *page2)
{
    size_t n = 0;
    while (n < limit && n < INSN_MAX_LEN) {
        u64 at = (u32)(lin + n), pa;
        if (n && (at & ~PAGE_MASK) == 0) {
            struct insn probe;
            if (decode(buf, n, cpu->code_mode, &probe) != DECODE_TRUNCATED)
                break;
        }
        const u8 *host = mem_fetch_page(cpu, at, &pa);
        if (n && (at & ~PAGE_MASK) == 0)
            *page2 = pa & PAGE_MASK;
        do {
            buf[n] = host ? host[at & ~PAGE_MASK]
                          : (u8)phys_read(cpu->mem, (pa & PAGE_MASK) | (at & ~PAGE_MASK), 1);
            n++, at++;
        } while (n < limit && n < INSN_MAX_LEN && (at & ~PAGE_MASK));
    }
    return n;
}

/* One instruction by fetch_bytes, into b. */
static void build_single(struct cpu *cpu, struct block *b, u64 lin, u64 room)
{
    u8 buf[INSN_MAX_LEN];
    size_t n = fetch_bytes(cpu, lin, buf, room < INSN_MAX_LEN ? room : INSN_MAX_LEN, &b->page2);
    if (!block_append(b, buf, n)) {
        b->insn[0].exec = exec_beyond_limit;
        b->insn[0].len = (u8)n;
        b->count = 1;
        b->bytes = (u16)n;
    }
}

static u64 ram_offset_of(struct cpu *cpu, u64 pa)
{
    struct phys_page page = physmem_page(cpu->mem, pa & PAGE_MASK);
    return page.ram_offset == NO_ADDRESS ? NO_ADDRESS : page.ram_offset | (pa & ~PAGE_MASK);
}

/* As many instructions as fit: to the end of the page, of the CS limit, or of the block, or to the
 * next breakpoint. */
static void build_run(struct cpu *cpu, struct block *b, const u8 *host, unsigned offset, u64 room)
{
    u64 avail = PAGE_SIZE - offset < room ? PAGE_SIZE - offset : room;
    b->planted |= breakpoint_magic(cpu, host + offset, (unsigned)avail);
    avail = breakpoint_room(cpu, b->pa, ram_offset_of(cpu, b->pa), host + offset, (unsigned)avail);
    while (b->bytes < avail && block_append(b, host + offset + b->bytes, avail - b->bytes)) {
        if (block_ended(b))
            break;
    }
}

/* What is known of runs of a block at this place before it was decoded. */
static u32 runs_before(struct block_cache *c, u64 ram_offset)
{
    const struct rewritten *r = rewritten_slot(c, ram_offset);
    u16 tag;
    const struct warm *w = warm_slot(c, ram_offset, &tag);
    if (r->ram_offset == ram_offset)
        return r->runs;
    return w->tag == tag ? w->runs : 0;
}

static void block_insert(struct block_cache *c, struct block *b)
{
    unsigned h = hash_of(b->pa);
    b->hash_next = c->hash[h];
    c->hash[h] = b;
    c->empty = false;
    b->ram_offset = ram_offset_of(c->cpu, b->pa);
    if (b->ram_offset != NO_ADDRESS) {
        b->runs = runs_before(c, b->ram_offset);
        page_add(c, b, 0, b->ram_offset);
    }
    if (b->page2 == NO_ADDRESS)
        return;
    b->ram_offset2 = ram_offset_of(c->cpu, b->page2);
    if (b->ram_offset2 != NO_ADDRESS)
        page_add(c, b, 1, b->ram_offset2);
}

/* The draft's instructions as ops, in their final place. */
static struct block *block_finish(struct block *to, const struct block *draft)
{
    unsigned end = 0, n;
    *to = *draft;
    to->insn = (struct insn *)(to->op + to->count + 1);
    memcpy(to->insn, draft->insn, to->count * sizeof *to->insn);
    for (n = 0; n < to->count; n++) {
        end += to->insn[n].len;
        op_set(&to->op[n], &to->insn[n], end);
    }
    op_set_stop(&to->op[n], &to->op[n - 1], &to->insn[n - 1]);
    if (to->planted)
        to->op[0].run = op_planted;
    return to;
}

/* A block that cannot be kept (cut by the limit, nobody tells of writes to it, no room): its first
 * instruction, once. */
static struct block *block_use_once(struct block_cache *c, struct block *draft)
{
    draft->pa = NO_ADDRESS;
    draft->plain = false;
    draft->count = 1;
    draft->bytes = draft->insn[0].len;
    return block_finish(c->scratch, draft);
}

/* Keeps the draft in the arena; while that is full, until the cache is emptied, uses it once. */
static struct block *block_keep(struct block_cache *c, struct block *draft)
{
    size_t size = block_size(draft->count);
    if (c->used + size > c->room) {
        cpu_attention(c->cpu, ATTENTION_FLUSH);
        return block_use_once(c, draft);
    }
    struct block *b = block_finish((struct block *)(c->arena + c->used), draft);
    c->used += size;
    block_insert(c, b);
    return b;
}

/* Tells those who listen, who may ask for instructions of it: it has to end before them. */
static void block_tell(struct cpu *cpu, struct block *draft, u64 lin, const u8 *host)
{
    const u64 place = ram_offset_of(cpu, draft->pa);
    hook_decoded(cpu, lin, draft->insn, draft->count);
    draft->planted |= breakpoint_planted(cpu, lin, place);
    if (draft->count == 1 || !debugger_asked(cpu, place))
        return;
    unsigned room = breakpoint_room(cpu, lin, place, host + (lin & ~PAGE_MASK), draft->bytes);
    while (draft->count > 1 && draft->bytes > room)
        draft->bytes -= draft->insn[--draft->count].len;
}

/* Are its last bytes a device's, or nobody's, who do not tell when they change? */
static bool tail_is_no_memory(struct cpu *cpu, const struct block *draft)
{
    return draft->page2 != NO_ADDRESS && !physmem_page(cpu->mem, draft->page2).host;
}

/* Builds the block at lin; room: bytes up to the CS limit. */
static struct block *block_build(struct block_cache *c, u64 lin, u64 room)
{
    struct cpu *cpu = c->cpu;
    u64 pa;
    const u8 *host = mem_fetch_page(cpu, lin, &pa);
    unsigned offset = lin & ~PAGE_MASK;
    struct block draft = {.pa = (pa & PAGE_MASK) | offset,
                          .page2 = NO_ADDRESS,
                          .ram_offset = NO_ADDRESS,
                          .ram_offset2 = NO_ADDRESS,
                          .mode = cpu->code_mode,
                          .planted = breakpoint_planted(cpu, lin, ram_offset_of(cpu, pa)),
                          .insn = c->draft};
    if (host)
        build_run(cpu, &draft, host, offset, room);
    if (!draft.count)
        build_single(cpu, &draft, lin, room);
    if (unlikely(cpu->debugger))
        block_tell(cpu, &draft, lin, host);
    draft.plain = block_ends_plainly(&draft);
    bool limited = !block_ended(&draft) && room < PAGE_SIZE - offset;
    if (!host || limited || draft.insn[0].exec == exec_beyond_limit ||
        tail_is_no_memory(cpu, &draft))
        return block_use_once(c, &draft);
    return block_keep(c, &draft);
}

/* A cached block that crosses a page is right only while the second page is where it was. */
static bool block_tail_valid(struct cpu *cpu, const struct block *b, u64 lin)
{
    u64 pa;
    if (b->page2 == NO_ADDRESS)
        return true;
    mem_fetch_page(cpu, (u32)((lin & PAGE_MASK) + PAGE_SIZE), &pa);
    return (pa & PAGE_MASK) == b->page2;
}

struct block *block_at(const struct block_cache *c, u64 pa, enum code_mode mode)
{
    struct block *b = c->hash[hash_of(pa)];
    while (b && (b->pa != pa || b->mode != mode))
        b = b->hash_next;
    return b;
}

u32 block_runs(struct block_cache *c, u64 pa, enum code_mode mode)
{
    const struct block *b = block_at(c, pa, mode);
    const u64 ram_offset = b ? NO_ADDRESS : ram_offset_of(c->cpu, pa);
    if (ram_offset != NO_ADDRESS)
        return runs_before(c, ram_offset);
    return b ? b->runs : 0;
}

struct block *block_find(struct cpu *cpu, struct block_cache *c)
{
    const struct segment *cs = &cpu->seg[SEG_CS];
    u64 lin = (u32)(cs->base + cpu->rip), pa;
    if (unlikely(cpu->rip > cs->limit))
        cpu_raise_error(cpu, VEC_GP, 0, "the instruction pointer is beyond CS's limit");
    if (!lin_fetch_pa(cpu, lin, &pa)) {
        mem_fetch_page(cpu, lin, &pa);
        pa = (pa & PAGE_MASK) | (lin & ~PAGE_MASK);
    }
    u64 room = cs->limit - cpu->rip + 1;
    for (struct block *b = c->hash[hash_of(pa)]; b; b = b->hash_next) {
        if (b->pa == pa && b->mode == cpu->code_mode) {
            if (unlikely(b->bytes > room))
                break;
            if (likely(block_tail_valid(cpu, b, lin)))
                return b;
            block_drop(c, b);
            break;
        }
    }
    return block_build(c, lin, room);
}
