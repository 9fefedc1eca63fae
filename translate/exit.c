/* Direct exits of blocks: where they are, where they lead to, how they are patched. They have no
 * records: the code of a block ends with a list of the distances between them. */
/* SPDX-License-Identifier: MIT */
#include <assert.h>

#include "cpu/decode.h"
#include "translate/block.h"
#include "translate/crossing.h"
#include "translate/generate.h"
#include "translate/link.h"
#include "translate/stub.h"

/* A byte of the list: half of it the distance from the exit before or from the start of the block,
 * or FAR, if two bytes before it have that; and whether the exit leads behind its instruction. It
 * is read from its end. */
enum { FAR = 127 };

enum { OP_CALL = 0xe8, OP_JMP = 0xe9, JCC_HIGH = 8 /* high half of the last byte of 0f 8x */ };

static u8 *opcode_of(const struct translator *t, u32 place)
{
    return t->rw + place - 1;
}

static bool is_jcc(const struct translator *t, u32 place)
{
    return *opcode_of(t, place) >> 4 == JCC_HIGH;
}

void exit_at(struct generator *g, u32 ip)
{
    assert(g->b->exit_count < TEXITS_MOST);
    g->exit[g->b->exit_count++] = (struct texit){.place = (u32)(g->e->at - sizeof(u32) - g->t->rw),
                                                 .next = ip == scan_next_ip(g->s, g->now)};
}

void exits_emit_stubs(struct generator *g)
{
    for (unsigned n = 0; n < g->b->exit_count; n++) {
        u32 place = g->exit[n].place;
        if (!is_jcc(g->t, place))
            continue;
        emit_patch(g->t->rw + place, g->e->delta, emit_pc(g->e));
        const u8 *from = g->e->at;
        emit_call_mem(g->e, CPU_MEM(exit_taken));
        assert(g->e->at == from + EXIT_STUB_BYTES);
    }
}

void exits_put(struct generator *g)
{
    for (unsigned n = g->b->exit_count; n-- > 0;) {
        u32 by = g->exit[n].place - (n ? g->exit[n - 1].place : tblock_start(g->t, g->b));
        if (by >= FAR) {
            emit_bytes(g->e, (const u8[]){(u8)by, (u8)(by >> 8)}, 2);
            by = FAR;
        }
        emit_u8(g->e, (u8)(by << 1 | g->exit[n].next));
    }
}

void texits_of(const struct translator *t, const struct tblock *b, struct texits *all)
{
    const u8 *at = t->rw + tblock_start(t, b) + b->size;
    u32 place = tblock_start(t, b), stubs = 0;
    all->count = b->count ? b->exit_count : 0;
    for (unsigned n = 0; n < all->count; n++) {
        const u8 v = *--at;
        u32 by = v >> 1;
        if (by == FAR) {
            at -= 2;
            by = at[0] | (u32)at[1] << 8;
        }
        place += by;
        all->exit[n] = (struct texit){.place = place, .next = v & 1};
        stubs += is_jcc(t, place);
    }
    all->end = (u32)(at - t->rw);
    u32 stub = all->end - (b->crosses ? (u32)ENTRY_BYTES : 0) - stubs * EXIT_STUB_BYTES;
    for (unsigned n = 0; n < all->count; n++) {
        if (!is_jcc(t, all->exit[n].place))
            continue;
        all->exit[n].stub = stub;
        stub += EXIT_STUB_BYTES;
    }
}

u32 tblock_entry(const struct translator *t, const struct tblock *b)
{
    struct texits all;
    texits_of(t, b, &all);
    return all.end - ENTRY_BYTES;
}

/* What its return address is when it leaves translated code. */
static u32 return_of(const struct texit *x)
{
    return x->stub ? x->stub + EXIT_STUB_BYTES : x->place + (u32)sizeof(u32);
}

static struct texit texit_at(const struct translator *t, const struct tblock *from, u32 at)
{
    struct texits all;
    unsigned n = 0;
    texits_of(t, from, &all);
    while (return_of(&all.exit[n]) != at) {
        n++;
        assert(n < all.count);
    }
    return all.exit[n];
}

struct texit texit_of_place(const struct translator *t, u32 place)
{
    struct texits all;
    unsigned n = 0;
    texits_of(t, tblock_at_pc(t, (u64)(uintptr_t)t->rx + place), &all);
    while (all.exit[n].place != place) {
        n++;
        assert(n < all.count);
    }
    return all.exit[n];
}

/* The branch at a place, whose bytes are unchanged, else the block would be gone. */
static u32 branch_target(const struct translator *t, const struct tblock *b, struct tspan at)
{
    const u32 to = (u32)at.guest + at.length, ip = tblock_ip(t, b);
    u8 buf[INSN_MAX_LEN];
    struct insn i;
    if (decode(tblock_bytes(t, b, buf) + at.guest, at.length, tblock_code_mode(t, b), &i) !=
        DECODE_OK)
        return tblock_lin(t, b) + to;
    u32 target = ip + to + (u32)i.imm;
    return tblock_lin(t, b) + ((i.opsize == 2 ? (u16)target : target) - ip);
}

u32 texit_target(const struct translator *t, const struct tblock *b, const struct texit *x)
{
    struct tspan at = tblock_span_at(t, b, x->place - tblock_start(t, b));
    if (at.n < 0)
        at = tblock_jumps_to(t, b, x->place - 1 - tblock_start(t, b));
    if (at.n < 0 || x->next) /* behind the last instruction, or the branch */
        return tblock_lin(t, b) + (u32)at.guest + at.length;
    return branch_target(t, b, at);
}

const struct ttaken *texit_taken(struct translator *t, u64 pc)
{
    const u32 at = (u32)(pc - (u64)(uintptr_t)t->rx);
    struct ttaken *e = &t->taken[(at * 0x9e3779b1u >> 16) % TTAKEN];
    if (e->pc == at && e->lin == tblock_lin(t, &t->block[e->block]))
        return e;
    const struct tblock *from = tblock_at_pc(t, pc - 1);
    const struct texit x = texit_at(t, from, at);
    *e = (struct ttaken){at, tblock_number(t, from), tblock_lin(t, from), texit_target(t, from, &x),
                         x};
    return e;
}

u32 texit_leads(const struct translator *t, u32 place)
{
    return place + (u32)sizeof(u32) + load_le32(t->rw + place);
}

bool texit_linked(const struct translator *t, const struct texit *x)
{
    u32 to = texit_leads(t, x->place);
    return x->stub ? to != x->stub : to >= t->stubs_end;
}

void texit_lead(struct translator *t, u32 place, u32 code)
{
    u8 *opcode = opcode_of(t, place);
    if (*opcode == OP_CALL && texit_leads(t, place) == t->exit_jmp)
        *opcode = OP_JMP;
    store_le32(t->rw + place, code - (place + (u32)sizeof(u32)));
}

void texit_lead_out(struct translator *t, const struct texit *x)
{
    u8 *opcode = opcode_of(t, x->place);
    u32 to = x->stub ? x->stub : *opcode == OP_CALL ? t->exit_called : t->exit_jmp;
    if (*opcode == OP_JMP)
        *opcode = OP_CALL;
    store_le32(t->rw + x->place, to - (x->place + (u32)sizeof(u32)));
}
