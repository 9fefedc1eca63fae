/* Fast forms of hot instructions: one function for each mnemonic, operand form and size, made by
 * macros; their meaning is that of the generic functions (alu.c, move.c, ...). */
/* SPDX-License-Identifier: MIT */
#include "cpu/specialise.h"

#include "cpu/exec.h"
#include "cpu/flags.h"
#include "cpu/operand.h"
#include "cpu/segment.h"
#include "cpu/stack.h"

/* Operand forms. B: [base + disp]; X: [base + index << scale + disp]; 32-bit addresses. */
enum form { FORM_RR, FORM_RI, FORM_RB, FORM_RX, FORM_BR, FORM_XR, FORM_BI, FORM_XI, FORM_COUNT };
enum { SIZES = 3 }; /* 1, 2, 4 bytes, by index */

/* Registers by operand; a 32-bit write clears the upper half. */
static inline void *reg_at(struct cpu *cpu, const struct operand *o)
{
    return (u8 *)cpu->regs + o->off;
}
static inline u8 get8(struct cpu *cpu, const struct operand *o)
{
    return *(u8 *)reg_at(cpu, o);
}
static inline u16 get16(struct cpu *cpu, const struct operand *o)
{
    return *(u16 *)reg_at(cpu, o);
}
static inline u32 get32(struct cpu *cpu, const struct operand *o)
{
    return *(u32 *)reg_at(cpu, o);
}
static inline void put8(struct cpu *cpu, const struct operand *o, u8 v)
{
    *(u8 *)reg_at(cpu, o) = v;
}
static inline void put16(struct cpu *cpu, const struct operand *o, u16 v)
{
    *(u16 *)reg_at(cpu, o) = v;
}
static inline void put32(struct cpu *cpu, const struct operand *o, u32 v)
{
    *(u64 *)reg_at(cpu, o) = v;
}

static inline u64 ea_b(const struct cpu *cpu, const struct insn *i)
{
    return (u32)(cpu->regs[i->base] + (u64)i->disp);
}
static inline u64 ea_x(const struct cpu *cpu, const struct insn *i)
{
    return (u32)(cpu->regs[i->base] + (cpu->regs[i->index] << i->scale) + (u64)i->disp);
}

/* Where the host has [seg:off, +size), or NULL when this takes more than a look: then the generic
 * function does the whole instruction, as nothing has been committed. */
static inline void *mem_at(struct cpu *cpu, unsigned seg, u64 off, unsigned size,
                           enum access access)
{
    const struct segment *s = &cpu->seg[seg];
    s64 span = access == ACCESS_WRITE ? s->write_span : s->read_span;
    if (unlikely((s64)(u32)(off - s->lo) + (s64)size - 1 > span))
        return NULL;
    return lin_host(cpu, (u32)(s->base + off), size, access);
}
#define LOADS(bits)                                                                                \
    static inline u##bits load##bits(const void *p)                                                \
    {                                                                                              \
        u##bits v;                                                                                 \
        __builtin_memcpy(&v, p, sizeof v);                                                         \
        return v;                                                                                  \
    }                                                                                              \
    static inline void store##bits(void *p, u##bits v)                                             \
    {                                                                                              \
        __builtin_memcpy(p, &v, sizeof v);                                                         \
    }
LOADS(8)
LOADS(16)
LOADS(32)

/* p: the memory operand at [i->seg:off]; `name` is the generic function. */
#define MEMORY(p, name, bits, off, access)                                                         \
    void *p = mem_at(cpu, i->seg, off, bits / 8, access);                                          \
    if (unlikely(!p)) {                                                                            \
        exec_##name(cpu, i);                                                                       \
        return;                                                                                    \
    }

#define EXEC(name) static void name(struct cpu *cpu, const struct insn *i)

/* op r, r and op r, imm; op r, [m]. WRITE is put or drop. */
#define OP_R(name, bits, WRITE)                                                                    \
    EXEC(name##bits##_rr)                                                                          \
    {                                                                                              \
        u##bits b = get##bits(cpu, &i->op[1]), a = get##bits(cpu, &i->op[0]);                      \
        WRITE##bits(cpu, &i->op[0], host_##name##bits(&cpu->aflags, a, b));                        \
    }                                                                                              \
    EXEC(name##bits##_ri)                                                                          \
    {                                                                                              \
        u##bits a = get##bits(cpu, &i->op[0]);                                                     \
        WRITE##bits(cpu, &i->op[0], host_##name##bits(&cpu->aflags, a, (u##bits)i->imm));          \
    }
#define OP_RM(name, bits, WRITE, ea, E)                                                            \
    EXEC(name##bits##_r##E)                                                                        \
    {                                                                                              \
        MEMORY(p, name, bits, ea(cpu, i), ACCESS_READ)                                             \
        u##bits a = get##bits(cpu, &i->op[0]);                                                     \
        WRITE##bits(cpu, &i->op[0], host_##name##bits(&cpu->aflags, a, load##bits(p)));            \
    }
/* op [m], r and op [m], imm. */
#define OP_MS(name, bits, ea, E, S, source)                                                        \
    EXEC(name##bits##_##E##S)                                                                      \
    {                                                                                              \
        MEMORY(p, name, bits, ea(cpu, i), ACCESS_WRITE)                                            \
        store##bits(p, host_##name##bits(&cpu->aflags, load##bits(p), (u##bits)(source)));         \
    }
/* The same of operations that only read. */
#define OP_MS_READ(name, bits, ea, E, S, source)                                                   \
    EXEC(name##bits##_##E##S)                                                                      \
    {                                                                                              \
        MEMORY(p, name, bits, ea(cpu, i), ACCESS_READ)                                             \
        host_##name##bits(&cpu->aflags, load##bits(p), (u##bits)(source));                         \
    }
#define drop8(cpu, o, v)  ((void)(v))
#define drop16(cpu, o, v) ((void)(v))
#define drop32(cpu, o, v) ((void)(v))

#define OP_SIZE(name, bits, WRITE, MS)                                                             \
    OP_R(name, bits, WRITE)                                                                        \
    OP_RM(name, bits, WRITE, ea_b, b)                                                              \
    OP_RM(name, bits, WRITE, ea_x, x)                                                              \
    MS(name, bits, ea_b, b, r, get##bits(cpu, &i->op[1]))                                          \
    MS(name, bits, ea_x, x, r, get##bits(cpu, &i->op[1]))                                          \
    MS(name, bits, ea_b, b, i, i->imm)                                                             \
    MS(name, bits, ea_x, x, i, i->imm)
#define OP(name, WRITE, MS)                                                                        \
    OP_SIZE(name, 8, WRITE, MS) OP_SIZE(name, 16, WRITE, MS) OP_SIZE(name, 32, WRITE, MS)

OP(add, put, OP_MS)
OP(or, put, OP_MS)
OP(adc, put, OP_MS)
OP(sbb, put, OP_MS)
OP(and, put, OP_MS)
OP(sub, put, OP_MS)
OP(xor, put, OP_MS)
OP(cmp, drop, OP_MS_READ)
OP(test, drop, OP_MS_READ)

#define MOV_M(bits, ea, E)                                                                         \
    EXEC(mov##bits##_r##E)                                                                         \
    {                                                                                              \
        MEMORY(p, mov, bits, ea(cpu, i), ACCESS_READ)                                              \
        put##bits(cpu, &i->op[0], load##bits(p));                                                  \
    }                                                                                              \
    EXEC(mov##bits##_##E##r)                                                                       \
    {                                                                                              \
        MEMORY(p, mov, bits, ea(cpu, i), ACCESS_WRITE)                                             \
        store##bits(p, get##bits(cpu, &i->op[1]));                                                 \
    }                                                                                              \
    EXEC(mov##bits##_##E##i)                                                                       \
    {                                                                                              \
        MEMORY(p, mov, bits, ea(cpu, i), ACCESS_WRITE)                                             \
        store##bits(p, (u##bits)i->imm);                                                           \
    }
#define MOV(bits)                                                                                  \
    EXEC(mov##bits##_rr)                                                                           \
    {                                                                                              \
        put##bits(cpu, &i->op[0], get##bits(cpu, &i->op[1]));                                      \
    }                                                                                              \
    EXEC(mov##bits##_ri)                                                                           \
    {                                                                                              \
        put##bits(cpu, &i->op[0], (u##bits)i->imm);                                                \
    }                                                                                              \
    MOV_M(bits, ea_b, b)                                                                           \
    MOV_M(bits, ea_x, x)
MOV(8)
MOV(16)
MOV(32)

/* MOVZX, MOVSX to 32 bits. */
#define EXTEND_M(name, bits, type, ea, E)                                                          \
    EXEC(name##bits##_r##E)                                                                        \
    {                                                                                              \
        MEMORY(p, name, bits, ea(cpu, i), ACCESS_READ)                                             \
        put32(cpu, &i->op[0], (u32)(type)load##bits(p));                                           \
    }
#define EXTEND(name, bits, type)                                                                   \
    EXEC(name##bits##_rr)                                                                          \
    {                                                                                              \
        put32(cpu, &i->op[0], (u32)(type)get##bits(cpu, &i->op[1]));                               \
    }                                                                                              \
    EXTEND_M(name, bits, type, ea_b, b)                                                            \
    EXTEND_M(name, bits, type, ea_x, x)
EXTEND(movzx, 8, u8)
EXTEND(movzx, 16, u16)
EXTEND(movsx, 8, s8)
EXTEND(movsx, 16, s16)

#define UNARY_M(name, bits, ea, E)                                                                 \
    EXEC(name##bits##_##E##i)                                                                      \
    {                                                                                              \
        MEMORY(p, name, bits, ea(cpu, i), ACCESS_WRITE)                                            \
        store##bits(p, host_##name##bits(&cpu->aflags, load##bits(p)));                            \
    }
#define UNARY(name, bits)                                                                          \
    EXEC(name##bits##_ri)                                                                          \
    {                                                                                              \
        u##bits a = get##bits(cpu, &i->op[0]);                                                     \
        put##bits(cpu, &i->op[0], host_##name##bits(&cpu->aflags, a));                             \
    }                                                                                              \
    UNARY_M(name, bits, ea_b, b)                                                                   \
    UNARY_M(name, bits, ea_x, x)
UNARY(inc, 8)
UNARY(inc, 16)
UNARY(inc, 32)
UNARY(dec, 8)
UNARY(dec, 16)
UNARY(dec, 32)
UNARY(neg, 8)
UNARY(neg, 16)
UNARY(neg, 32)

/* Shifts of a register by a constant that is not 0: all flags are written. */
#define SHIFT(name, bits, suffix)                                                                  \
    EXEC(name##bits##_ri)                                                                          \
    {                                                                                              \
        u##bits a = get##bits(cpu, &i->op[0]);                                                     \
        u64 f;                                                                                     \
        asm(#name suffix " %%cl, %[a]" FLAGS_STORE                                                 \
            : [a] "+r"(a), [f] "=r"(f)                                                             \
            : "c"((u8)i->imm)                                                                      \
            : "cc");                                                                               \
        put##bits(cpu, &i->op[0], a);                                                              \
        cpu->aflags = f;                                                                           \
    }
#define SHIFTS(name) SHIFT(name, 8, "b") SHIFT(name, 16, "w") SHIFT(name, 32, "l")
SHIFTS(shl)
SHIFTS(shr)
SHIFTS(sar)

EXEC(lea32_rb)
{
    put32(cpu, &i->op[0], (u32)ea_b(cpu, i));
}
EXEC(lea32_rx)
{
    put32(cpu, &i->op[0], (u32)ea_x(cpu, i));
}

/* IMUL r, r and r, [m]. */
EXEC(imul32_rr)
{
    u32 b = get32(cpu, &i->op[1]), a = get32(cpu, &i->op[0]);
    put32(cpu, &i->op[0], host_imul32(&cpu->aflags, a, b));
}
OP_RM(imul, 32, put, ea_b, b)
OP_RM(imul, 32, put, ea_x, x)

#define PUSH(E, source)                                                                            \
    EXEC(push32_##E)                                                                               \
    {                                                                                              \
        u64 sp = (cpu->regs[RSP] - 4) & cpu->stack_mask;                                           \
        void *p = mem_at(cpu, SEG_SS, sp, 4, ACCESS_WRITE);                                        \
        if (unlikely(!p)) {                                                                        \
            exec_push(cpu, i);                                                                     \
            return;                                                                                \
        }                                                                                          \
        store32(p, source);                                                                        \
        stack_set_pointer(cpu, sp);                                                                \
    }
PUSH(r, get32(cpu, &i->op[0]))
PUSH(i, (u32)i->imm)

EXEC(pop32_r)
{
    u64 sp = stack_pointer(cpu);
    const void *p = mem_at(cpu, SEG_SS, sp, 4, ACCESS_READ);
    if (unlikely(!p)) {
        exec_pop(cpu, i);
        return;
    }
    stack_set_pointer(cpu, sp + 4);
    put32(cpu, &i->op[0], load32(p));
}

/* Branches: a target beyond CS's limit is left to the generic functions, too. */
static inline bool reachable(const struct cpu *cpu, u32 to)
{
    return likely(to <= cpu->seg[SEG_CS].limit);
}

EXEC(jmp32)
{
    branch_to(cpu, (u32)(cpu->rip + (u64)i->imm));
}
EXEC(call32)
{
    u64 sp = (cpu->regs[RSP] - 4) & cpu->stack_mask;
    u32 to = (u32)(cpu->rip + (u64)i->imm);
    void *p = mem_at(cpu, SEG_SS, sp, 4, ACCESS_WRITE);
    if (unlikely(!p || !reachable(cpu, to))) {
        exec_call(cpu, i);
        return;
    }
    store32(p, (u32)cpu->rip);
    stack_set_pointer(cpu, sp);
    cpu->rip = to;
}
EXEC(ret32)
{
    u64 sp = stack_pointer(cpu);
    const void *p = mem_at(cpu, SEG_SS, sp, 4, ACCESS_READ);
    if (unlikely(!p || !reachable(cpu, load32(p)))) {
        exec_ret(cpu, i);
        return;
    }
    stack_set_pointer(cpu, sp + 4);
    cpu->rip = load32(p);
}

#define JCC(cc)                                                                                    \
    EXEC(jcc32_##cc)                                                                               \
    {                                                                                              \
        if (flags_condition(cpu->aflags, 0x##cc))                                                  \
            branch_to(cpu, (u32)(cpu->rip + (u64)i->imm));                                         \
    }
#define ALL_CONDITIONS(M)                                                                          \
    M(0) M(1) M(2) M(3) M(4) M(5) M(6) M(7) M(8) M(9) M(a) M(b) M(c) M(d) M(e) M(f)
ALL_CONDITIONS(JCC)

/* Which functions a mnemonic has, by form and size. */
struct fast {
    insn_exec *generic;                 /* of all forms */
    insn_exec *form[FORM_COUNT][SIZES]; /* NULL: none */
};
#define SIZED(name, E)                                                                             \
    {                                                                                              \
        name##8_##E, name##16_##E, name##32_##E                                                    \
    }
#define FAST(name)                                                                                 \
    {                                                                                              \
        exec_##name,                                                                               \
        {                                                                                          \
            SIZED(name, rr), SIZED(name, ri), SIZED(name, rb), SIZED(name, rx), SIZED(name, br),   \
                SIZED(name, xr), SIZED(name, bi), SIZED(name, xi)                                  \
        }                                                                                          \
    }
#define FAST_UNARY(name)                                                                           \
    {                                                                                              \
        exec_##name,                                                                               \
        {                                                                                          \
            [FORM_RI] = SIZED(name, ri), [FORM_BI] = SIZED(name, bi), [FORM_XI] = SIZED(name, xi)  \
        }                                                                                          \
    }
#define FAST_SHIFT(name)                                                                           \
    {                                                                                              \
        exec_##name,                                                                               \
        {                                                                                          \
            [FORM_RI] = SIZED(name, ri)                                                            \
        }                                                                                          \
    }
#define FAST_EXTEND(name)                                                                          \
    {                                                                                              \
        exec_##name,                                                                               \
        {                                                                                          \
            [FORM_RR] = {name##8_rr, name##16_rr}, [FORM_RB] = {name##8_rb, name##16_rb},          \
            [FORM_RX] = {                                                                          \
                name##8_rx,                                                                        \
                name##16_rx                                                                        \
            }                                                                                      \
        }                                                                                          \
    }
static const struct fast fast_forms[] = {
    FAST(mov),
    FAST(add),
    FAST(or),
    FAST(adc),
    FAST(sbb),
    FAST(and),
    FAST(sub),
    FAST(xor),
    FAST(cmp),
    FAST(test),
    FAST_UNARY(inc),
    FAST_UNARY(dec),
    FAST_UNARY(neg),
    FAST_SHIFT(shl),
    FAST_SHIFT(shr),
    FAST_SHIFT(sar),
    FAST_EXTEND(movzx),
    FAST_EXTEND(movsx),
    {exec_imul,
     {[FORM_RR] = {NULL, NULL, imul32_rr},
      [FORM_RB] = {NULL, NULL, imul32_rb},
      [FORM_RX] = {NULL, NULL, imul32_rx}}},
    {exec_lea, {[FORM_RB] = {NULL, NULL, lea32_rb}, [FORM_RX] = {NULL, NULL, lea32_rx}}},
};

#define NAME_JCC(cc) jcc32_##cc,
static insn_exec *const jcc_forms[16] = {ALL_CONDITIONS(NAME_JCC)};

/* The form of two operands, or of one as if an immediate followed; FORM_COUNT if it is none. */
static enum form form_of(const struct insn *i)
{
    bool indexed = i->index != REG_ZERO;
    unsigned a = i->op[0].kind, b = i->op[1].kind;
    bool constant = b == OPND_IMM || b == OPND_NONE;
    if (i->op[2].kind != OPND_NONE)
        return FORM_COUNT;
    if ((a == OPND_MEM || b == OPND_MEM) && (i->addrsize != 4 || i->base == REG_IP))
        return FORM_COUNT;
    if (a == OPND_REG)
        return b == OPND_REG   ? FORM_RR
               : b == OPND_MEM ? (indexed ? FORM_RX : FORM_RB)
               : constant      ? FORM_RI
                               : FORM_COUNT;
    if (a == OPND_MEM && b == OPND_REG)
        return indexed ? FORM_XR : FORM_BR;
    if (a == OPND_MEM && constant)
        return indexed ? FORM_XI : FORM_BI;
    return FORM_COUNT;
}

/* Index of a size of 1, 2 or 4. */
static unsigned size_index(const struct insn *i, insn_exec *generic)
{
    unsigned size = i->op[0].size;
    if (generic == exec_movzx || generic == exec_movsx)
        size = size == 4 ? i->op[1].size : 8;
    return size == 1 ? 0 : size == 2 ? 1 : size == 4 ? 2 : SIZES;
}

static insn_exec *specialise_stack(const struct insn *i, insn_exec *generic)
{
    if (generic == exec_push && i->op[0].kind == OPND_REG)
        return push32_r;
    if (generic == exec_push && i->op[0].kind == OPND_IMM)
        return push32_i;
    if (generic == exec_pop && i->op[0].kind == OPND_REG)
        return pop32_r;
    if (generic == exec_jcc)
        return jcc_forms[i->opcode & 15];
    if (generic == exec_jmp)
        return jmp32;
    if (generic == exec_call)
        return call32;
    if (generic == exec_ret && i->op[0].kind == OPND_NONE)
        return ret32;
    return NULL;
}

insn_exec *insn_specialise(const struct insn *i, insn_exec *generic)
{
    insn_exec *found = i->opsize == 4 ? specialise_stack(i, generic) : NULL;
    enum form form = form_of(i);
    unsigned size = size_index(i, generic);
    bool shift = generic == exec_shl || generic == exec_shr || generic == exec_sar;
    if (found)
        return found;
    if (form == FORM_COUNT || size == SIZES || (shift && (i->imm & 31) == 0))
        return generic;
    for (unsigned n = 0; n < ARRAY_LEN(fast_forms); n++) {
        if (fast_forms[n].generic == generic && fast_forms[n].form[form][size])
            return fast_forms[n].form[form][size];
    }
    return generic;
}
