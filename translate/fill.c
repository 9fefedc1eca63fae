/* Misses of the software TLB: a short way from translated code that only fills it and goes on with
 * the access (SDM vol. 3, chapter 4). What that cannot serve takes the callout of the instruction.
 */
/* SPDX-License-Identifier: MIT */
#include "cpu/mem.h"
#include "translate/generate.h"
#include "translate/stub.h"

enum { FILL_WRITE = BIT(8), FILL_QUICK = BIT(9), FILL_HOST = BIT(10), XMM_REGS = 8 };

static const u8 fill_size[FILL_SIZES] = {1, 2, 4, 8, 10, 16, 32};

/* Guest registers that C code may change, RAX apart, and those that CPUID does; by their numbers.
 */
static const u8 saved_reg[] = {RDX, RSI, RDI, RBX, RCX};

static const struct host_op op_store64 = {.opcode = {0x89}, .opcode_count = 1, .w = true};
static const struct host_op op_pop = {.opcode = {0x8f}, .opcode_count = 1};
static const struct host_op op_push = {.opcode = {0xff}, .opcode_count = 1};
enum { PUSH_DIGIT = 6 };

/* Which of the sizes, or FILL_SIZES. */
static unsigned index_of(unsigned size)
{
    unsigned n = 0;
    while (n < FILL_SIZES && fill_size[n] != size)
        n++;
    return n;
}

u64 fill_code(const struct translator *t, unsigned size, bool write, bool looked)
{
    const unsigned n = index_of(size);
    if (n == FILL_SIZES)
        return 0;
    return looked ? t->fill.miss[write][n] : t->fill.code[write][n];
}

u64 check_code(const struct translator *t, unsigned size, bool write)
{
    const unsigned n = index_of(size);
    return n < FILL_SIZES ? t->fill.check[write][n] : 0;
}

static struct host_mem reg_mem(unsigned n)
{
    return (struct host_mem){REG_CPU, HOST_NONE, 0, (s32)(offsetof(struct cpu, regs) + 8 * n)};
}

/* What C code may change, to struct cpu; to the stack of C. */
static void emit_save(struct emit *e)
{
    emit_op_mem(e, &op_pop, 0, CPU_MEM(fill_return));
    emit_op_mem(e, &op_store64, HOST_RSP, CPU_MEM(return_sp));
    emit_load64(e, HOST_RSP, CPU_MEM(host_sp));
    emit_op_mem(e, &op_store64, HOST_RAX, reg_mem(HOST_RAX));
    for (unsigned n = 0; n < ARRAY_LEN(saved_reg); n++)
        emit_op_mem(e, &op_store64, host_of_gpr(saved_reg[n]), reg_mem(saved_reg[n]));
    emit_op_mem(e, &op_store64, SCRATCH_ADDR, CPU_MEM(fill_lin));
    emit_op_mem(e, &op_store64, SCRATCH_INDEX, CPU_MEM(fill_index));
    emit_bytes(e, (const u8[]){0x9f, 0x0f, 0x90, 0xc0}, 4); /* lahf; seto al */
    emit_op_mem(e, &op_store64, HOST_RAX, CPU_MEM(fill_flags));
}

static void emit_restore(struct emit *e)
{
    emit_load64(e, HOST_RAX, CPU_MEM(fill_flags));
    emit_bytes(e, (const u8[]){0x04, 0x7f, 0x9e}, 3); /* add al, 7f; sahf */
    emit_load64(e, HOST_RAX, reg_mem(HOST_RAX));
    for (unsigned n = 0; n < ARRAY_LEN(saved_reg); n++)
        emit_load64(e, host_of_gpr(saved_reg[n]), reg_mem(saved_reg[n]));
    emit_load64(e, SCRATCH_ADDR, CPU_MEM(fill_lin));
    emit_load64(e, SCRATCH_INDEX, CPU_MEM(fill_index));
    emit_load64(e, REG_BASE, CPU_MEM(access_base));
    emit_load64(e, HOST_RSP, CPU_MEM(return_sp));
    emit_op_mem(e, &op_push, PUSH_DIGIT, CPU_MEM(fill_return));
}

/* XMM registers, which C may use, to struct cpu or back if they are in the host. */
static void emit_xmm_if_present(struct emit *e, bool store)
{
    const struct host_op move = {.opcode = {0x0f, store ? 0x29 : 0x28}, .opcode_count = 2};
    emit_load64(e, SCRATCH_ADDR, CPU_MEM(xmm_absent));
    emit_bytes(e, (const u8[]){0x4d, 0x85, 0xc0}, 3); /* test r8, r8 */
    u8 *skip = emit_jcc(e, 5 /* nz */, emit_pc(e));
    for (unsigned n = 0; n < XMM_REGS; n++) {
        size_t at = offsetof(struct cpu, fpu) + offsetof(struct fpu, xmm) + 16 * n;
        emit_op_mem(e, &move, n, (struct host_mem){REG_CPU, HOST_NONE, 0, (s32)at});
    }
    emit_patch(skip, e->delta, emit_pc(e));
}

/* SCRATCH_TEST says what has missed. */
static void emit_fill(struct translator *t)
{
    static const u8 arguments[] = {0x4c, 0x89, 0xff,              /* mov rdi, r15 */
                                   0x44, 0x89, 0xc6, 0x89, 0xca}; /* mov esi, r8d; edx, ecx */
    static const u8 result[] = {0x48, 0x89, 0xc1};                /* mov rcx, rax */
    struct emit *e = &t->emit;
    t->fill.start = emit_pc(e);
    t->fill.away = emit_pc(e);
    emit_save(e);
    emit_bytes(e, arguments, sizeof arguments);
    emit_xmm_if_present(e, true);
    emit_mov64_imm(e, HOST_RAX, (u64)(uintptr_t)translate_fill);
    emit_bytes(e, (const u8[]){0xff, 0xd0}, 2); /* call rax */
    emit_bytes(e, result, sizeof result);
    emit_xmm_if_present(e, false);
    emit_restore(e);
    t->fill.back = emit_pc(e);
    emit_jrcxz_over_jmp(e);
    emit_jmp(e, t->callout);
    emit_load32(e, SCRATCH_TEST, CPU_MEM(poll));
    emit_jrcxz_over_jmp(e);
    emit_jmp(e, t->callout);
    emit_u8(e, 0xc3); /* ret */
}

void beside_code_emit(struct emit *e, unsigned size)
{
    enum { BYTES = (PAGE_SIZE - 1) & ~7, BITS = 7 };
    const s32 code = (s32)offsetof(struct tlb, code) - TLB_SHIFT;
    const s32 map = (s32)offsetof(struct code_page, code);
    /* the map from the first byte that has some of these bits, from the first one on */
    emit_load64(e, SCRATCH_HOST,
                (struct host_mem){REG_TLB, SCRATCH_INDEX, TLB_POINTER_SCALE, code});
    emit_mov32_imm(e, SCRATCH_TEST, BYTES);
    emit_pext(e, false, SCRATCH_TEST, SCRATCH_ADDR, SCRATCH_TEST);
    emit_load64(e, SCRATCH_HOST, (struct host_mem){SCRATCH_HOST, SCRATCH_TEST, 0, map});
    emit_mov32_imm(e, SCRATCH_TEST, BITS);
    emit_pext(e, false, SCRATCH_TEST, SCRATCH_ADDR, SCRATCH_TEST);
    emit_shrx(e, true, SCRATCH_HOST, SCRATCH_HOST, SCRATCH_TEST);
    emit_mov32_imm(e, SCRATCH_TEST, 64 - size);
    emit_shlx(e, true, SCRATCH_TEST, SCRATCH_HOST, SCRATCH_TEST);
}

void tlb_check_emit(struct emit *e, unsigned mask, unsigned size, bool write)
{
    unsigned last = SCRATCH_ADDR;
    emit_pext(e, false, SCRATCH_INDEX, SCRATCH_ADDR, mask);
    if (size > 1) {
        last = SCRATCH_HOST;
        emit_lea32(e, last, (struct host_mem){SCRATCH_ADDR, HOST_NONE, 0, (s32)size - 1});
    }
    emit_shrx(e, false, SCRATCH_HOST, last, REG_TLB);
    emit_lea32(e, SCRATCH_INDEX,
               (struct host_mem){HOST_NONE, SCRATCH_INDEX, TLB_STRIDE_SHIFT - 3, 0});
    emit_load64(e, SCRATCH_TEST, write ? TLB_MEM(tag[ACCESS_WRITE]) : TLB_MEM(tag[ACCESS_READ]));
    emit_lea64(e, SCRATCH_TEST, (struct host_mem){SCRATCH_TEST, SCRATCH_HOST, 0, 0});
}

void code_tag_emit(struct emit *e)
{
    emit_mov64_imm(e, SCRATCH_HOST, -TLB_CODE);
    emit_lea64(e, SCRATCH_TEST, (struct host_mem){SCRATCH_TEST, SCRATCH_HOST, 0, 0});
}

/* The end of a stub: back to the access, with its host address in SCRATCH_ADDR if it checks. */
static void emit_hit(struct emit *e, bool checks)
{
    if (checks) {
        emit_load64(e, SCRATCH_HOST, TLB_MEM(addend));
        emit_lea64(e, SCRATCH_ADDR, (struct host_mem){SCRATCH_ADDR, SCRATCH_HOST, 0, 0});
    }
    emit_u8(e, 0xc3); /* ret */
}

/* A write to a page with code, but not to code, returns at once. Keeps the flags. */
static void emit_beside_code(struct translator *t, unsigned size, bool checks)
{
    struct emit *e = &t->emit;
    code_tag_emit(e);
    emit_jrcxz_over_jmp(e);
    u8 *miss = emit_jmp_patchable(e);
    beside_code_emit(e, size);
    emit_jrcxz_over_jmp(e);
    emit_jmp(e, t->callout);
    emit_hit(e, checks);
    emit_patch(miss, e->delta, emit_pc(e));
}

static void emit_miss(struct translator *t, u32 what)
{
    emit_mov32_imm(&t->emit, SCRATCH_TEST, what);
    emit_jmp(&t->emit, t->fill.start);
}

static void emit_check(struct translator *t, unsigned size, bool write)
{
    struct emit *e = &t->emit;
    emit_mov32_imm(e, SCRATCH_TEST, TLB_INDEX_MASK);
    tlb_check_emit(e, SCRATCH_TEST, size, write);
    emit_jrcxz_over_jmp(e);
    u8 *miss = emit_jmp_patchable(e);
    emit_hit(e, true);
    emit_patch(miss, e->delta, emit_pc(e));
    if (write)
        emit_beside_code(t, size, true);
    emit_miss(t, size | (write ? FILL_WRITE : 0) | FILL_HOST);
}

/* What is called all the time takes the host less where it does not cross such a boundary. */
static void align_stub(struct emit *e)
{
    enum { BOUNDARY = 32 };
    while (emit_pc(e) % BOUNDARY)
        emit_u8(e, 0xcc);
}

void fill_emit(struct translator *t)
{
    struct emit *e = &t->emit;
    emit_fill(t);
    for (unsigned n = 0; n < 2 * FILL_SIZES; n++) {
        const bool write = n % 2;
        const unsigned size = fill_size[n / 2];
        align_stub(e);
        t->fill.check[write][n / 2] = emit_pc(e);
        emit_check(t, size, write);
        align_stub(e);
        t->fill.code[write][n / 2] = emit_pc(e);
        if (write)
            emit_beside_code(t, size, false);
        t->fill.miss[write][n / 2] = emit_pc(e);
        emit_miss(t, size | (write ? FILL_WRITE : 0));
    }
    for (unsigned n = 0; n < QUICK_COUNT; n++) {
        t->fill.quick[n] = emit_pc(e);
        emit_miss(t, FILL_QUICK | n);
    }
    inline_emit(t);
    t->fill.end = emit_pc(e);
}

bool fill_called_at(const struct translator *t, u64 pc)
{
    const struct fills *f = &t->fill;
    return (pc >= f->start && pc <= f->away) || (pc >= f->back && pc < f->end);
}

u64 translate_fill(struct cpu *cpu, u32 lin, u32 what)
{
    struct translator *t = cpu->translator;
    if (what & FILL_QUICK)
        return !quick_run(t, what & ~FILL_QUICK, lin);
    enum access access = what & FILL_WRITE ? ACCESS_WRITE : ACCESS_READ;
    unsigned size = what & (FILL_WRITE - 1);
    if (size == 16 && lin % 16)
        return true; /* perhaps #GP, before the walk sets A */
    const u64 id = cpu->jump_id;
    const struct tlb_entry *e = mem_fill_quietly(cpu, lin, access);
    bool hits = e && (tlb_hits(e->tag[access], lin, size) ||
                      (access == ACCESS_WRITE && mem_beside_code(cpu, e, lin, size)));
    bool good = hits && cpu->jump_id == id;
    if (good && what & FILL_HOST)
        cpu->fill_lin = lin + e->addend; /* in SCRATCH_ADDR when it goes on */
    t->stops[STOP_FILL] += good;
    return !good;
}
