/* A block being generated: what the files that emit its code share. */
/* SPDX-License-Identifier: MIT */
#ifndef TRANSLATE_GENERATE_H
#define TRANSLATE_GENERATE_H

#include "translate/block.h"
#include "translate/link.h"
#include "translate/regs.h"
#include "translate/soft.h"
#include "translate/translate.h"

enum {
    MAX_COLD = 2,
    HOST_CODE_MAX = 2048 /* bytes of one instruction */
};

enum { MAX_SOFT = 2 * SCAN_MAX_INSNS };

/* A branch in the hot code that leads out and cannot be linked. It waits for its stub at the end of
 * the block. */
struct cold {
    u8 *place;  /* rel32 in the writable view */
    u32 target; /* linear address */
};

/* A JCC of two bytes to its exit, which waits for its place behind the instructions. */
struct short_jcc {
    u8 *place;  /* rel8 in the writable view */
    unsigned n; /* which instruction it is */
    u32 ip;     /* instruction pointer that it leads to */
};

/* A block being generated. */
struct generator {
    struct translator *t;                 /* where it goes */
    struct emit *e;                       /* t's */
    const struct scan *s;                 /* what the prescan said */
    const u8 *code;                       /* the guest's bytes */
    struct tblock *b;                     /* the record */
    struct cold cold[MAX_COLD];           /* waiting stubs */
    unsigned cold_count;                  /* entries of cold */
    struct short_jcc jcc[SCAN_MAX_INSNS]; /* those of two bytes */
    unsigned jcc_count;                   /* entries of jcc */
    unsigned jcc_from;                    /* the first instruction that may be one */
    struct texit exit[TEXITS_MOST];       /* the block's exits */
    struct tplace map[SCAN_MAX_INSNS];    /* its instructions */
    u16 lookup;                           /* as in struct tmore, */
    u8 start;                             /* that, too */
    unsigned now;                         /* the instruction whose code is being emitted */
    unsigned guest;                       /* bytes of the instructions before it */
    bool windowed;                        /* its accesses go through the direct window */
    bool fpu;                             /* it has x87, MMX or SSE instructions */
    bool fs_known;                        /* FS was found to be open, not null */
    u32 bound[16];                        /* the most that a general register can hold */
    s32 ahead;                            /* ESP less what its host register holds */
    bool esp_used;                        /* an access has shown that this is in the window */
    bool esp_moved;                       /* `ahead` has what no access has followed */
    bool esp_summed;                      /* SCRATCH_TEST is ESP, without the window's base */
    u64 place;                            /* of the block in the memfd */
    /* host addresses of the immediate and the displacement of the current instruction if its code
     * is to read them, else 0 */
    u64 imm_from, disp_from;
    struct tsoft soft[MAX_SOFT + 1]; /* these, of the whole block */
    unsigned soft_count;             /* entries of soft */
    bool calls_checks; /* the code has a window, or gets its first one if it runs for long: few
                          checks are hot */
    bool softens;      /* there will be some: what it writes is likely to be its page */
};

/* A field of struct cpu as a host operand. */
#define CPU_MEM(field) ((struct host_mem){REG_CPU, HOST_NONE, 0, (s32)offsetof(struct cpu, field)})

/* The scale of SCRATCH_INDEX for entries of the TLB is 3, for its arrays of pointers: */
enum { TLB_STRIDE_SHIFT = 5, TLB_POINTER_SCALE = 3 - (TLB_STRIDE_SHIFT - 3) };
/* A field of the TLB entry at SCRATCH_INDEX. */
#define TLB_MEM(field)                                                                             \
    ((struct host_mem){REG_TLB, SCRATCH_INDEX, 3,                                                  \
                       (s32)(offsetof(struct tlb, entry) + offsetof(struct tlb_entry, field)) -    \
                           TLB_SHIFT})

/* Where a value is kept during a second access, which uses all scratch registers. */
#define SPILL_MEM CPU_MEM(kept)

/* A field of struct segment of a segment register. */
#define SEG_MEM(n, field)                                                                          \
    ((struct host_mem){REG_CPU, HOST_NONE, 0,                                                      \
                       (s32)(offsetof(struct cpu, seg) + (n) * sizeof(struct segment) +            \
                             offsetof(struct segment, field))})

/* A field of struct segment_origin of a segment register. */
#define ORIGIN_MEM(n, field)                                                                       \
    ((struct host_mem){REG_CPU, HOST_NONE, 0,                                                      \
                       (s32)(offsetof(struct cpu, origin) + (n) * sizeof(struct segment_origin) +  \
                             offsetof(struct segment_origin, field))})

/* generate.c: a branch at `place` that leads out to a linear address; the callout of instruction n,
 * whose code is being emitted: always, unless SCRATCH_TEST is zero, or if it is. It does the whole
 * instruction.
 */
void cold_add(struct generator *g, u8 *place, u32 target);
void gen_callout(struct generator *g, unsigned n);
/* A block that uses the XMM registers: loads them if they are not in the host. */
void gen_load_xmm(struct generator *g);
void gen_unless_zero(struct generator *g, unsigned n);
void gen_unless_zero_often(struct generator *g, unsigned n); /* the same where it often is not */
void gen_if_zero(struct generator *g, unsigned n);

/* access.c: memory operands. All keep the flags and may use the scratch registers; a miss goes to
 * the callout of instruction n, which must not have committed anything before.
 * The guest's effective address as host registers see it, before it is cut to the address size. */
struct host_mem guest_ea(const struct generator *g, const struct insn *i);
/* The offset of the memory operand into SCRATCH_ADDR. */
void lower_offset(struct generator *g, const struct insn *i);
/* The effective address itself, not cut; may use SCRATCH_ADDR. */
struct host_mem lower_ea(struct generator *g, const struct insn *i);
/* The host operand of instruction n's memory operand, for an access of this kind. */
struct host_mem lower_operand(struct generator *g, unsigned n, unsigned size, bool write);
/* That of seg:[offset in SCRATCH_ADDR, +size); width: bytes that the offset was cut to. */
struct host_mem lower_access(struct generator *g, unsigned n, unsigned seg, unsigned width,
                             unsigned size, bool write);
/* That of [linear address in SCRATCH_ADDR, +size). */
struct host_mem lower_linear(struct generator *g, unsigned n, unsigned size, bool write);
/* That of the stack at register + disp, cut to the stack pointer's width. */
struct host_mem lower_stack(struct generator *g, unsigned n, unsigned reg, s32 disp, unsigned size,
                            bool write);

bool stack_direct(const struct generator *g); /* it needs no scratch register for that */

/* stack.c: ESP moves: its host register follows when something wants it, at the end of a run of
 * pushes and pops mostly; with 16 bits at once, and uses SCRATCH_TEST. It follows now; behind
 * instruction n, if the next one wants it. */
void gen_move_stack(struct generator *g, s32 by);
void gen_settle_stack(struct generator *g);
void gen_settle_behind(struct generator *g, unsigned n);
/* Before instruction n, if that and the next one are for the host to take as one. */
void gen_settle_before(struct generator *g, unsigned n);
/* Behind an instruction that may have written ESP as any other register: adds the base again. */
void gen_stack_base(struct generator *g, unsigned n);
/* Instruction n, which moves ESP (stack_moves), by so much. */
void gen_moves_stack(struct generator *g, unsigned n, s32 by);
/* Is it a LEA of ESP by another register, which can add the base as well? */
bool stack_lea(const struct generator *g, const struct insn *i);
void gen_push(struct generator *g, unsigned n);
void gen_push_mem(struct generator *g, unsigned n);
void gen_push_sreg(struct generator *g, unsigned n);
void gen_pop(struct generator *g, unsigned n);
void gen_pop_sreg(struct generator *g, unsigned n);
void gen_pop_mem(struct generator *g, unsigned n);
void gen_pusha(struct generator *g, unsigned n);
void gen_popa(struct generator *g, unsigned n);
void gen_enter(struct generator *g, unsigned n);
void gen_leave(struct generator *g, unsigned n);

/* move.c: moves and the like that are not copied. */
void gen_lea(struct generator *g, unsigned n);
void gen_set_real(struct generator *g, unsigned seg); /* real mode: loads SCRATCH_TEST */
void gen_sreg_load(struct generator *g, unsigned n);
void gen_far_load(struct generator *g, unsigned n);
void gen_sreg_store(struct generator *g, unsigned n);
void gen_xchg(struct generator *g, unsigned n);
void gen_xlat(struct generator *g, unsigned n);
void gen_salc(struct generator *g, unsigned n);

/* arith.c: bit strings, CMPXCHG8B. */
void gen_bit_string(struct generator *g, unsigned n);
void gen_cmpxchg8b(struct generator *g, unsigned n);

/* control.c: control words of x87 and SSE. */
void gen_fldcw(struct generator *g, unsigned n);
void gen_ldmxcsr(struct generator *g, unsigned n);

/* fill.c: the index of the TLB entry for [SCRATCH_ADDR, +size) into SCRATCH_INDEX, SCRATCH_TEST is
 * 0 if it hits; mask: a register with TLB_INDEX_MASK. */
void tlb_check_emit(struct emit *e, unsigned mask, unsigned size, bool write);
/* SCRATCH_TEST is what the tag for writes of the TLB entry at SCRATCH_INDEX left: 0 if that
 * is TLB_CODE; then, 0 if none of [SCRATCH_ADDR, +size) is code. Both use SCRATCH_HOST. */
void code_tag_emit(struct emit *e);
void beside_code_emit(struct emit *e, unsigned size);

/* soft.c: are some of the block's instructions to have imm_from or disp_from? Before instruction n:
 * sets imm_from and disp_from; the instruction with imm_from; SCRATCH_TEST = its immediate of this
 * many bytes, from there; the list behind the map. */
bool soft_wanted(struct generator *g);
void soft_begin(struct generator *g, unsigned n);
void gen_soft(struct generator *g, unsigned n);
void soft_load_imm(struct generator *g, const struct insn *i, unsigned size);
void soft_put(struct generator *g);

/* range.c: upper bounds of registers: none at the start; after instruction n. Can the address
 * [index * scale + disp] of an instruction be computed with 64 bits? */
void range_forget(struct generator *g);
void range_after(struct generator *g, unsigned n);
bool range_small(const struct generator *g, const struct insn *i);

/* exit.c: the branch that was emitted last is an exit to this instruction pointer; stubs of exits;
 * their list. */
void exit_at(struct generator *g, u32 ip);
void exits_emit_stubs(struct generator *g);
void exits_put(struct generator *g);

/* string.c */
void gen_string(struct generator *g, unsigned n);

/* branch.c: near branches. */
void gen_jcc(struct generator *g, unsigned n);
/* The exits of those of two bytes; false: one cannot reach its own, and g->jcc_from is set. */
bool jcc_emit_exits(struct generator *g);
void gen_count_branch(struct generator *g, unsigned n);
void gen_jmp(struct generator *g, unsigned n);
void gen_call(struct generator *g, unsigned n);
void gen_jmp_ind(struct generator *g, unsigned n);
void gen_call_ind(struct generator *g, unsigned n);
void gen_ret(struct generator *g, unsigned n);
/* A jmp to an instruction pointer, by a direct exit of the block. */
void gen_jump_to(struct generator *g, u32 ip);

/* The same instruction on host registers; code is its guest bytes. False if it must be a
 * callout. */
bool copy_insn(struct emit *e, const struct scanned *s, const u8 *code, struct host_mem *m);

#endif
