/* Code generation for one block: memory operands lowered to TLB checks, stack, branches, and the
 * cold stubs. */
/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include "translate/regs.h"
#include "translate/translate.h"

enum { MAX_COLD = 3 * SCAN_MAX_INSNS + 4, TLB_STRIDE_SHIFT = 5 };

/* A jump in the hot code that waits for its stub at the end of the block. */
struct cold {
    u8 *place;   /* rel32 in the writable view */
    u64 resume;  /* executable address where the stub goes on; 0 for exits */
    u64 trap_pc; /* address of the native instruction that may trap, 0 if none */
    u32 target;  /* exits: linear address */
    s16 insn;    /* index of the instruction, -1 for exits */
    s8 exit;     /* exits: index in tblock.exit, -1: not linkable */
};

/* A block being generated. */
struct generator {
    struct translator *t;       /* where it goes */
    struct emit *e;             /* t's */
    const struct scan *s;       /* what the prescan said */
    const u8 *code;             /* the guest's bytes */
    struct tblock *b;           /* the record */
    struct cold cold[MAX_COLD]; /* waiting stubs */
    unsigned cold_count;        /* entries of cold */
};

#define CPU_MEM(field) ((struct host_mem){REG_CPU, HOST_NONE, 0, (s32)offsetof(struct cpu, field)})
#define TLB_MEM(field)                                                                             \
    ((struct host_mem){REG_TLB, SCRATCH_INDEX, 3,                                                  \
                       (s32)(offsetof(struct tlb, entry) + offsetof(struct tlb_entry, field)) -    \
                           TLB_SHIFT})

static struct cold *cold_add(struct generator *g, u8 *place)
{
    struct cold *c = &g->cold[g->cold_count++];
    *c = (struct cold){.place = place, .insn = -1, .exit = -1};
    return c;
}

/* The guest's effective address as host registers see it. */
static struct host_mem guest_ea(const struct insn *i)
{
    return (struct host_mem){i->base == REG_ZERO ? HOST_NONE : (u8)host_of_gpr(i->base),
                             i->index == REG_ZERO ? HOST_NONE : (u8)host_of_gpr(i->index), i->scale,
                             (s32)i->disp};
}

/* Linear address of the memory operand into SCRATCH_ADDR. */
static void lower_address(struct generator *g, const struct insn *i)
{
    struct host_mem ea = guest_ea(i);
    struct emit *e = g->e;
    if (ea.base == HOST_NONE && ea.index == HOST_NONE)
        emit_mov32_imm(e, SCRATCH_ADDR, i->addrsize == 2 ? (u16)i->disp : (u32)i->disp);
    else
        emit_lea32(e, SCRATCH_ADDR, ea);
    if (i->addrsize == 2)
        emit_movzx16(e, SCRATCH_ADDR, SCRATCH_ADDR);
    if (i->seg == SEG_FS || i->seg == SEG_GS) {
        emit_load32(
            e, SCRATCH_HOST,
            (struct host_mem){REG_CPU, HOST_NONE, 0,
                              (s32)(offsetof(struct cpu, seg) + i->seg * sizeof(struct segment) +
                                    offsetof(struct segment, base))});
        emit_lea32(e, SCRATCH_ADDR, (struct host_mem){SCRATCH_ADDR, SCRATCH_HOST, 0, 0});
    }
}

/* The one lowering of a memory access: TLB check of [SCRATCH_ADDR, +size); a miss goes to the
 * callout of instruction n. Returns the host operand. Flags are kept. */
static struct host_mem lower_access(struct generator *g, unsigned n, unsigned size, bool write)
{
    struct emit *e = g->e;
    unsigned last = SCRATCH_ADDR;
    emit_pext(e, false, SCRATCH_INDEX, SCRATCH_ADDR, REG_MASK);
    if (size > 1) {
        last = SCRATCH_HOST;
        emit_lea32(e, last, (struct host_mem){SCRATCH_ADDR, HOST_NONE, 0, (s32)size - 1});
    }
    emit_shrx(e, false, SCRATCH_HOST, last, REG_TLB);
    emit_lea32(e, SCRATCH_INDEX,
               (struct host_mem){HOST_NONE, SCRATCH_INDEX, TLB_STRIDE_SHIFT - 3, 0});
    emit_load64(e, SCRATCH_TEST, write ? TLB_MEM(tag[ACCESS_WRITE]) : TLB_MEM(tag[ACCESS_READ]));
    emit_lea64(e, SCRATCH_TEST, (struct host_mem){SCRATCH_TEST, SCRATCH_HOST, 0, 0});
    emit_jrcxz_over_jmp(e);
    cold_add(g, emit_jmp_patchable(e))->insn = (s16)n;
    emit_load64(e, SCRATCH_HOST, TLB_MEM(addend));
    return (struct host_mem){SCRATCH_ADDR, SCRATCH_HOST, 0, 0};
}

/* After instruction n is complete: its misses come back here. */
static void set_resume(struct generator *g, unsigned n, unsigned first_cold)
{
    for (unsigned c = first_cold; c < g->cold_count; c++) {
        if (g->cold[c].insn == (s16)n)
            g->cold[c].resume = emit_pc(g->e);
    }
}

static void gen_callout(struct generator *g, unsigned n)
{
    struct cold *c = cold_add(g, emit_jmp_patchable(g->e));
    c->insn = (s16)n;
    c->resume = emit_pc(g->e);
}

static void gen_copy(struct generator *g, unsigned n)
{
    const struct scanned *s = &g->s->insn[n];
    const struct operand *o = scan_mem_operand(&s->insn);
    struct host_mem m;
    u8 *start = g->e->at;
    unsigned colds = g->cold_count;
    if (o && s->access) {
        lower_address(g, &s->insn);
        m = lower_access(g, n, o->size, s->access & SCAN_WRITE);
    } else if (o) {
        m = guest_ea(&s->insn);
        if (s->insn.addrsize != 4) {
            gen_callout(g, n);
            return;
        }
    }
    u64 pc = emit_pc(g->e);
    if (!copy_insn(g->e, s, g->code + s->offset, o ? &m : NULL)) {
        g->e->at = start;
        g->cold_count = colds;
        gen_callout(g, n);
        return;
    }
    if (s->may_trap) {
        struct cold *c = cold_add(g, NULL);
        c->insn = (s16)n;
        c->trap_pc = pc;
    }
    set_resume(g, n, colds);
}

/* Room for one doubleword on the stack: SCRATCH_ADDR = esp - 4, checked for writing. */
static struct host_mem lower_push(struct generator *g, unsigned n)
{
    emit_lea32(g->e, SCRATCH_ADDR, (struct host_mem){HOST_OF_ESP, HOST_NONE, 0, -4});
    return lower_access(g, n, 4, true);
}

static struct host_mem lower_pop(struct generator *g, unsigned n, unsigned from)
{
    emit_mov32(g->e, SCRATCH_ADDR, from);
    return lower_access(g, n, 4, false);
}

static void gen_push(struct generator *g, unsigned n)
{
    const struct insn *i = &g->s->insn[n].insn;
    unsigned colds = g->cold_count;
    struct host_mem m = lower_push(g, n);
    if (i->op[0].kind == OPND_REG)
        emit_store32(g->e, m, host_of_gpr(i->op[0].reg));
    else
        emit_store32_imm(g->e, m, (u32)i->imm);
    emit_mov32(g->e, HOST_OF_ESP, SCRATCH_ADDR);
    set_resume(g, n, colds);
}

static void gen_pop(struct generator *g, unsigned n)
{
    const struct insn *i = &g->s->insn[n].insn;
    unsigned colds = g->cold_count, to = host_of_gpr(i->op[0].reg);
    struct host_mem m = lower_pop(g, n, HOST_OF_ESP);
    emit_lea32(g->e, HOST_OF_ESP, (struct host_mem){HOST_OF_ESP, HOST_NONE, 0, 4});
    emit_load32(g->e, to, m);
    set_resume(g, n, colds);
}

static void gen_leave(struct generator *g, unsigned n)
{
    unsigned colds = g->cold_count;
    struct host_mem m = lower_pop(g, n, HOST_RBP);
    emit_lea32(g->e, HOST_OF_ESP, (struct host_mem){HOST_RBP, HOST_NONE, 0, 4});
    emit_load32(g->e, HOST_RBP, m);
    set_resume(g, n, colds);
}

/* Leaves the block when attention is wanted: at every backward branch, so that loops can be
 * stopped. */
static void gen_poll(struct generator *g, u32 target)
{
    emit_load32(g->e, SCRATCH_TEST, CPU_MEM(poll));
    emit_jrcxz_over_jmp(g->e);
    cold_add(g, emit_jmp_patchable(g->e))->target = target;
}

/* A jmp to a linear address: linkable within the page, else by the jump table. */
static void gen_jump_to(struct generator *g, u32 target, unsigned exit)
{
    u32 here = g->b->lin;
    if ((target ^ here) & PAGE_MASK) {
        emit_mov32_imm(g->e, SCRATCH_ADDR, target);
        lookup_emit(g->e, g->t->exit_addr);
        return;
    }
    if (target <= here + g->b->bytes - 1)
        gen_poll(g, target);
    struct cold *c = cold_add(g, emit_jmp_patchable(g->e));
    c->target = target;
    c->exit = (s8)exit;
}

static u32 next_lin(const struct generator *g, unsigned n)
{
    const struct scanned *s = &g->s->insn[n];
    return g->b->lin + s->offset + s->insn.len;
}

static u32 branch_lin(const struct generator *g, unsigned n)
{
    return next_lin(g, n) + (u32)g->s->insn[n].insn.imm;
}

static void gen_jcc(struct generator *g, unsigned n)
{
    const struct insn *i = &g->s->insn[n].insn;
    struct emit *e = g->e;
    /* The condition reversed, over the taken path. */
    u8 *over = emit_jcc(e, (i->opcode & 15) ^ 1, emit_pc(e));
    gen_jump_to(g, branch_lin(g, n), 0);
    if (!e->full)
        emit_patch(over, e->delta, emit_pc(e));
    gen_jump_to(g, next_lin(g, n), 1);
}

/* jecxz and loop: SCRATCH_TEST zero or not decides, without flags. */
static void gen_count_branch(struct generator *g, unsigned n, bool loop)
{
    struct emit *e = g->e;
    if (loop)
        emit_lea32(e, HOST_OF_ECX, (struct host_mem){HOST_OF_ECX, HOST_NONE, 0, -1});
    emit_mov32(e, SCRATCH_TEST, HOST_OF_ECX);
    emit_jrcxz_over_jmp(e);
    u8 *nonzero = emit_jmp_patchable(e);
    gen_jump_to(g, loop ? next_lin(g, n) : branch_lin(g, n), 0);
    if (!e->full)
        emit_patch(nonzero, e->delta, emit_pc(e));
    gen_jump_to(g, loop ? branch_lin(g, n) : next_lin(g, n), 1);
}

static void gen_call(struct generator *g, unsigned n)
{
    struct host_mem m = lower_push(g, n);
    emit_store32_imm(g->e, m, next_lin(g, n));
    emit_mov32(g->e, HOST_OF_ESP, SCRATCH_ADDR);
    gen_jump_to(g, branch_lin(g, n), 0);
}

/* Target of an indirect branch into SCRATCH_ADDR. */
static void gen_target(struct generator *g, unsigned n)
{
    const struct insn *i = &g->s->insn[n].insn;
    if (i->op[0].kind == OPND_REG) {
        emit_mov32(g->e, SCRATCH_ADDR, host_of_gpr(i->op[0].reg));
        return;
    }
    lower_address(g, i);
    emit_load32(g->e, SCRATCH_ADDR, lower_access(g, n, 4, false));
}

static void gen_jmp_ind(struct generator *g, unsigned n)
{
    gen_target(g, n);
    lookup_emit(g->e, g->t->exit_addr);
}

static void gen_call_ind(struct generator *g, unsigned n)
{
    gen_target(g, n);
    emit_store32(g->e, CPU_MEM(branch_target), SCRATCH_ADDR);
    struct host_mem m = lower_push(g, n);
    emit_store32_imm(g->e, m, next_lin(g, n));
    emit_mov32(g->e, HOST_OF_ESP, SCRATCH_ADDR);
    emit_load32(g->e, SCRATCH_ADDR, CPU_MEM(branch_target));
    lookup_emit(g->e, g->t->exit_addr);
}

static void gen_ret(struct generator *g, unsigned n)
{
    const struct insn *i = &g->s->insn[n].insn;
    s32 pops = i->op[0].kind == OPND_IMM ? (u16)i->imm : 0;
    struct host_mem m = lower_pop(g, n, HOST_OF_ESP);
    emit_load32(g->e, SCRATCH_ADDR, m);
    emit_lea32(g->e, HOST_OF_ESP, (struct host_mem){HOST_OF_ESP, HOST_NONE, 0, 4 + pops});
    lookup_emit(g->e, g->t->exit_addr);
}

static void gen_insn(struct generator *g, unsigned n)
{
    switch ((enum verdict)g->s->insn[n].verdict) {
    case VERDICT_COPY: gen_copy(g, n); break;
    case VERDICT_PUSH: gen_push(g, n); break;
    case VERDICT_POP: gen_pop(g, n); break;
    case VERDICT_LEAVE: gen_leave(g, n); break;
    case VERDICT_JMP: gen_jump_to(g, branch_lin(g, n), 0); break;
    case VERDICT_JCC: gen_jcc(g, n); break;
    case VERDICT_JCXZ: gen_count_branch(g, n, false); break;
    case VERDICT_LOOP: gen_count_branch(g, n, true); break;
    case VERDICT_CALL: gen_call(g, n); break;
    case VERDICT_JMP_IND: gen_jmp_ind(g, n); break;
    case VERDICT_CALL_IND: gen_call_ind(g, n); break;
    case VERDICT_RET: gen_ret(g, n); break;
    default: gen_callout(g, n);
    }
}

static void emit_site(struct generator *g, struct tsite site)
{
    u8 bytes[sizeof site];
    site.block = g->t->block_count;
    memcpy(bytes, &site, sizeof site);
    emit_bytes(g->e, bytes, sizeof bytes);
}

/* The callout of an instruction: the block goes on behind it, or ends. */
static void emit_callout(struct generator *g, const struct cold *c)
{
    const struct scanned *s = &g->s->insn[c->insn];
    bool end = s->verdict >= VERDICT_JMP && s->verdict != VERDICT_CALLOUT;
    emit_call(g->e, g->t->callout);
    emit_site(g, (struct tsite){.resume = end ? 0 : (u32)(c->resume - (u64)(uintptr_t)g->t->rx),
                                .offset = s->offset,
                                .flags = (u8)((g->s->sse ? SITE_SSE : 0) | (end ? SITE_END : 0) |
                                              (s->verdict == VERDICT_CALLOUT ? SITE_MODE : 0))});
}

static void add_fixup(struct generator *g, u64 pc, u64 stub)
{
    struct tblock *b = g->b;
    u64 base = (u64)(uintptr_t)g->t->rx;
    b->fixup[b->fixup_count++] = (struct tfixup){(u32)(pc - base), (u32)(stub - base)};
}

/* The common stubs end with a jump to the resume address; exits tell which one they are. */
static void emit_cold(struct generator *g, const struct cold *c)
{
    u64 stub = emit_pc(g->e);
    if (g->e->full)
        return;
    if (c->place)
        emit_patch(c->place, g->e->delta, stub);
    if (c->trap_pc)
        add_fixup(g, c->trap_pc, stub);
    if (c->insn >= 0) {
        emit_callout(g, c);
    } else if (c->exit >= 0) {
        g->b->exit[c->exit] =
            (struct texit){.target = c->target, .place = c->place, .stub = stub, .from = g->b};
        emit_call(g->e, g->t->exit_site);
        emit_site(g, (struct tsite){.exit = (u8)c->exit});
    } else {
        emit_mov32_imm(g->e, SCRATCH_ADDR, c->target);
        emit_jmp(g->e, g->t->exit_addr);
    }
}

static void gen_block(struct generator *g)
{
    struct tblock *b = g->b;
    if (g->s->sse) {
        emit_load32(g->e, SCRATCH_TEST, CPU_MEM(xmm_absent));
        emit_jrcxz_over_jmp(g->e); /* jumps over the call, which is as long as a jmp */
        emit_call(g->e, g->t->load_xmm);
    }
    for (unsigned n = 0; n < g->s->count; n++)
        gen_insn(g, n);
    const struct scanned *last = &g->s->insn[g->s->count - 1];
    if (last->verdict < VERDICT_JMP || last->verdict == VERDICT_CALLOUT)
        gen_jump_to(g, b->lin + b->bytes, 0);
    for (unsigned n = 0; n < g->cold_count; n++)
        emit_cold(g, &g->cold[n]);
}

struct tblock *translate_block(struct translator *t, const struct scan *s, u32 lin, u32 mode,
                               u64 ram_offset)
{
    if (t->block_count == t->block_max)
        return NULL;
    struct generator *g = xcalloc(1, sizeof *g);
    struct tblock *b = xcalloc(1, sizeof *b);
    u8 *start = t->emit.at;
    b->fixup = xmalloc(SCAN_MAX_INSNS * sizeof *b->fixup);
    *b = (struct tblock){.lin = lin,
                         .mode = mode,
                         .ram_offset = ram_offset,
                         .bytes = (u16)s->bytes,
                         .count = (u16)s->count,
                         .code = emit_pc(&t->emit),
                         .fixup = b->fixup};
    *g = (struct generator){
        .t = t, .e = &t->emit, .s = s, .code = physmem_ram(t->cpu->mem, ram_offset), .b = b};
    gen_block(g);
    b->code_end = emit_pc(&t->emit);
    b->fixup = xrealloc(b->fixup, b->fixup_count * sizeof *b->fixup);
    free(g);
    if (t->emit.full) {
        t->emit.at = start;
        free(b->fixup);
        free(b);
        return NULL;
    }
    t->translated_insns += s->count;
    t->translated_bytes += s->bytes;
    return b;
}
