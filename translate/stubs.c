/* The common stubs: entering and leaving translated code, callouts, exits, the branch look-up.
 * Emitted once at the start of the cache, because they know the layout of struct cpu. */
/* SPDX-License-Identifier: MIT */
#include "translate/observe.h"
#include "translate/regs.h"
#include "translate/stub.h"
#include "translate/targets.h"
#include "translate/translate.h"
#include "translate/vmm.h"

enum { XMM_REGS = 8 };

#define CPU_MEM(field) ((struct host_mem){REG_CPU, HOST_NONE, 0, (s32)offsetof(struct cpu, field)})

static const struct host_op op_movaps_load = {.opcode = {0x0f, 0x28}, .opcode_count = 2};
static const struct host_op op_movaps_store = {.opcode = {0x0f, 0x29}, .opcode_count = 2};
static const struct host_op op_store64 = {.opcode = {0x89}, .opcode_count = 1, .w = true};

static const u8 guest_reg[8] = {HOST_RAX,    HOST_OF_ECX, HOST_RDX, HOST_RBX,
                                HOST_OF_ESP, HOST_RBP,    HOST_RSI, HOST_RDI};

static struct host_mem reg_mem(unsigned n)
{
    return (struct host_mem){REG_CPU, HOST_NONE, 0, (s32)(offsetof(struct cpu, regs) + 8 * n)};
}

static struct host_mem xmm_mem(unsigned n)
{
    return (struct host_mem){REG_CPU, HOST_NONE, 0,
                             (s32)(offsetof(struct cpu, fpu) + offsetof(struct fpu, xmm) + 16 * n)};
}

static void emit_store_zero64(struct emit *e, struct host_mem m, u32 v)
{
    static const struct host_op op = {.opcode = {0xc7}, .opcode_count = 1, .w = true};
    emit_op_mem(e, &op, 0, m);
    emit_u32(e, v);
}

/* Guest registers, flags and XMM registers to struct cpu; uses rcx. */
static void emit_save_state(struct emit *e)
{
    emit_mov32(e, HOST_OF_ESP, HOST_OF_ESP);
    for (unsigned n = 0; n < 8; n++)
        emit_op_mem(e, &op_store64, guest_reg[n], reg_mem(n));
    emit_u8(e, 0x9c); /* pushfq */
    static const struct host_op pop = {.opcode = {0x8f}, .opcode_count = 1};
    emit_op_mem(e, &pop, 0, CPU_MEM(aflags));
    emit_load64(e, HOST_RCX, CPU_MEM(xmm_absent));
    emit_bytes(e, (const u8[]){0x48, 0x85, 0xc9}, 3); /* test rcx, rcx */
    u8 *skip = emit_jcc(e, 5 /* nz */, emit_pc(e));
    for (unsigned n = 0; n < XMM_REGS; n++)
        emit_op_mem(e, &op_movaps_store, n, xmm_mem(n));
    emit_store_zero64(e, CPU_MEM(xmm_absent), 1);
    emit_patch(skip, e->delta, emit_pc(e));
}

static void emit_load_xmm(struct emit *e)
{
    for (unsigned n = 0; n < XMM_REGS; n++)
        emit_op_mem(e, &op_movaps_load, n, xmm_mem(n));
}

static void emit_load_xmm_if_wanted(struct emit *e)
{
    emit_load64(e, HOST_RCX, CPU_MEM(xmm_wanted));
    emit_bytes(e, (const u8[]){0x48, 0x85, 0xc9}, 3); /* test rcx, rcx */
    u8 *skip = emit_jcc(e, 4 /* z */, emit_pc(e));
    emit_load_xmm(e);
    emit_store_zero64(e, CPU_MEM(xmm_absent), 0);
    emit_patch(skip, e->delta, emit_pc(e));
}

/* Everything that translated code expects in registers, from struct cpu; keeps r8. */
static void emit_load_state(struct emit *e)
{
    emit_load64(e, REG_TLB, CPU_MEM(tlb));
    emit_lea64(e, REG_TLB, (struct host_mem){REG_TLB, HOST_NONE, 0, TLB_SHIFT});
    emit_load64(e, REG_BASE, CPU_MEM(access_base));
    emit_load64(e, HOST_RCX, CPU_MEM(aflags));
    /* OF from bit 11 by an addition that overflows, the others by sahf. */
    static const u8 flags[] = {0x89, 0xc8,       /* mov eax, ecx */
                               0xc1, 0xe8, 0x0b, /* shr eax, 11 */
                               0x83, 0xe0, 0x01, /* and eax, 1 */
                               0x88, 0xcc,       /* mov ah, cl */
                               0x04, 0x7f,       /* add al, 7f */
                               0x9e};            /* sahf */
    emit_bytes(e, flags, sizeof flags);
    for (unsigned n = 0; n < 8; n++)
        emit_load64(e, guest_reg[n], reg_mem(n));
    emit_load64(e, HOST_RCX, CPU_MEM(stack_from));
    emit_lea64(e, HOST_OF_ESP, (struct host_mem){HOST_OF_ESP, HOST_RCX, 0, 0});
}

static const u8 jmp_r8[] = {0x41, 0xff, 0xe0}, mov_rax_r8[] = {0x4c, 0x89, 0xc0},
                pop_r8[] = {0x41, 0x58};

static void emit_enter(struct emit *e)
{
    static const u8 prologue[] = {0x53, 0x55, 0x41, 0x54, 0x41,
                                  0x55, 0x41, 0x56, 0x41, 0x57, /* push */
                                  0x48, 0x83, 0xec, 0x08,       /* sub rsp, 8 */
                                  0x49, 0x89, 0xff,             /* mov r15, rdi */
                                  0x49, 0x89, 0xf0};            /* mov r8, rsi */
    emit_bytes(e, prologue, sizeof prologue);
    emit_op_mem(e, &op_store64, HOST_RSP, CPU_MEM(host_sp));
    emit_load_xmm_if_wanted(e);
    emit_load_state(e);
    emit_load64(e, HOST_RSP, CPU_MEM(return_sp));
}

/* Leaves if attention is wanted. Code that counts looks for it at the start of a block only. */
static void emit_poll(struct translator *t)
{
    struct emit *e = &t->emit;
    if (t->counting)
        return;
    emit_load32(e, SCRATCH_TEST, CPU_MEM(poll));
    emit_jrcxz_over_jmp(e);
    emit_jmp(e, t->leave);
}

/* To SCRATCH_ADDR with all registers loaded. A signal here goes back to the load. */
static void emit_resume(struct translator *t)
{
    struct emit *e = &t->emit;
    t->resume = emit_pc(e);
    emit_poll(t);
    emit_bytes(e, jmp_r8, sizeof jmp_r8);
    t->resume_end = emit_pc(e);
}

/* From the stack of return addresses to that of C. */
static void emit_leave_stack(struct emit *e)
{
    emit_op_mem(e, &op_store64, HOST_RSP, CPU_MEM(return_sp));
    emit_load64(e, HOST_RSP, CPU_MEM(host_sp));
}

/* Returns rax to the caller of enter. */
static void emit_epilogue(struct emit *e)
{
    static const u8 epilogue[] = {0x48, 0x83, 0xc4, 0x08, /* add rsp, 8 */
                                  0x41, 0x5f, 0x41, 0x5e, 0x41, 0x5d, 0x41, 0x5c, 0x5d, 0x5b, 0xc3};
    emit_bytes(e, epilogue, sizeof epilogue);
}

/* For the instruction that SCRATCH_ADDR tells. */
static void emit_callout(struct translator *t)
{
    struct emit *e = &t->emit;
    emit_leave_stack(e);
    emit_save_state(e);
    emit_bytes(e, (const u8[]){0x4c, 0x89, 0xff, 0x4c, 0x89, 0xc6},
               6); /* mov rdi, r15; mov rsi, r8 */
    emit_mov64_imm(e, HOST_RAX,
                   (u64)(uintptr_t)(t->tells_callouts ? observe_callout : translate_callout));
    emit_bytes(e, (const u8[]){0xff, 0xd0, 0x49, 0x89, 0xc0}, 5); /* call rax; mov r8, rax */
    emit_load_xmm_if_wanted(e);
    emit_load_state(e);
    emit_load64(e, HOST_RSP, CPU_MEM(return_sp));
}

/* Called ones end with a return, so that the host's prediction of returns stays in step; most often
 * it is right as well. */
static void emit_callouts(struct translator *t)
{
    struct emit *e = &t->emit;
    t->trap = emit_pc(e);
    emit_callout(t);
    emit_jmp(e, t->resume);
    t->callout = emit_pc(e);
    emit_bytes(e, pop_r8, sizeof pop_r8);
    emit_callout(t);
    t->back = emit_pc(e);
    emit_poll(t);
    emit_bytes(e, (const u8[]){0x41, 0x50, 0xc3}, 3); /* push r8; ret */
    t->back_end = emit_pc(e);
}

void lookup_emit(struct emit *e)
{
    emit_load64(e, SCRATCH_TEST, CPU_MEM(jump_id));
    emit_lea64(e, SCRATCH_TEST, (struct host_mem){SCRATCH_TEST, SCRATCH_ADDR, 0, 0});
    emit_mov32_imm(e, SCRATCH_INDEX, JUMP_MASK);
    emit_pext(e, false, SCRATCH_INDEX, SCRATCH_ADDR, SCRATCH_INDEX);
    emit_lea64(e, SCRATCH_INDEX, (struct host_mem){SCRATCH_INDEX, SCRATCH_INDEX, 0, 0});
    emit_load64(e, SCRATCH_HOST, CPU_MEM(jump_table));
    emit_lea64(e, SCRATCH_HOST, (struct host_mem){SCRATCH_HOST, SCRATCH_INDEX, 3, 0});
    emit_load64(e, SCRATCH_INDEX,
                (struct host_mem){SCRATCH_HOST, HOST_NONE, 0, offsetof(struct tjump, tag)});
    emit_lea64(e, SCRATCH_TEST, (struct host_mem){SCRATCH_TEST, SCRATCH_INDEX, 0, 0});
}

/* A return that found no landing; everything that need not be in line. */
static void emit_lookup_stub(struct translator *t)
{
    struct emit *e = &t->emit;
    t->underflow = emit_pc(e);
    emit_lea64(e, HOST_RSP, (struct host_mem){HOST_RSP, HOST_NONE, 0, -8});
    t->lookup = emit_pc(e);
    lookup_emit(e);
    emit_jrcxz_over_jmp(e);
    emit_jmp(e, t->exit_addr);
    emit_jmp_mem(e, (struct host_mem){SCRATCH_HOST, HOST_NONE, 0, offsetof(struct tjump, code)});
    t->lookup_end = emit_pc(e);
}

/* Ways back to C. */
static void emit_exits(struct translator *t)
{
    static const u8 behind_call[] = {
        0x59, 0x48,           0x8d,
        0x49, CALL_MEM_BYTES, 0x51}; /* pop rcx; lea rcx, [rcx + bytes]; push rcx */
    static const struct host_op sub = {.opcode = {0x2b}, .opcode_count = 1};
    struct emit *e = &t->emit;
    emit_store_zero64(e, CPU_MEM(jump_missed), 1);
    u8 *missed = emit_jmp_patchable(e);
    t->exit_called = (u32)(e->at - t->rw);
    emit_load64(e, SCRATCH_ADDR, (struct host_mem){HOST_RSP, HOST_NONE, 0, 0});
    u8 *called = emit_jmp_patchable(e);
    t->cpu->exit_taken = emit_pc(e);
    t->exit_jmp = (u32)(e->at - t->rw);
    emit_bytes(e, pop_r8, sizeof pop_r8);
    emit_patch(called, e->delta, emit_pc(e));
    emit_leave_stack(e);
    emit_save_state(e);
    emit_bytes(e, mov_rax_r8, sizeof mov_rax_r8);
    emit_epilogue(e);
    t->exit_call = emit_pc(e);
    emit_bytes(e, behind_call, sizeof behind_call);
    t->exit_addr = emit_pc(e);
    emit_patch(missed, e->delta, t->exit_addr);
    emit_leave_stack(e);
    emit_save_state(e);
    emit_op_mem(e, &sub, SCRATCH_ADDR, CPU_MEM(seg[SEG_CS].base));
    emit_op_mem(e, &op_store64, SCRATCH_ADDR, CPU_MEM(rip));
    t->leave = emit_pc(e);
    emit_load64(e, HOST_RSP, CPU_MEM(host_sp));
    emit_bytes(e, (const u8[]){0x31, 0xc0}, 2); /* xor eax, eax */
    emit_epilogue(e);
}

void stubs_emit(struct translator *t)
{
    struct emit *e = &t->emit;
    e->at = t->rw;
    emit_exits(t);
    t->enter = emit_pc(e);
    emit_enter(e);
    emit_resume(t);
    emit_callouts(t);
    emit_lookup_stub(t);
    t->load_xmm = emit_pc(e);
    emit_load_xmm(e);
    emit_op_mem(e, &(const struct host_op){.opcode = {0xc7}, .opcode_count = 1, .w = true}, 0,
                CPU_MEM(xmm_absent));
    emit_u32(e, 0);
    emit_u8(e, 0xc3);
    t->load_xmm_end = emit_pc(e);
    fill_emit(t);
    t->stubs_end = (size_t)(e->at - t->rw);
}
