/* Fast forms of hot instructions: one function for each mnemonic, operand form and size, made by
 * macros. They do what hits the TLB; all else they leave to the generic functions (alu.c, move.c,
 * ...), whose meaning is theirs. */
/* SPDX-License-Identifier: MIT */
#include "cpu/block.h"
#include "cpu/decode.h"
#include "cpu/exec.h"
#include "cpu/flags.h"
#include "cpu/mem.h"
#include "cpu/op.h"
#include "cpu/stack.h"

#define OP(name) static void name(struct cpu *cpu, const struct op *op)
#define NEXT     return op[1].run(cpu, op + 1)
#define SLOW     return op_slow(cpu, op)

/* An instruction without a fast form. */
OP(op_generic)
{
    const struct insn *i = op->insn;
    cpu->cur = i;
    cpu->rip = cpu->block_rip + op->end;
    i->exec(cpu, i);
    NEXT;
}

/* What a fast form cannot do, by the generic function. */
static __attribute__((noinline)) void op_slow(struct cpu *cpu, const struct op *op)
{
    const struct insn *i = &cpu->block->insn[op - cpu->block->op];
    cpu->cur = i;
    cpu->rip = cpu->block_rip + op->end;
    i->exec(cpu, i);
    NEXT;
}

/* Stands in for the instructions of a dropped block that is still running. */
OP(op_stale)
{
    cpu->cur = &cpu->block->insn[op - cpu->block->op];
    cpu->rip = cpu->block_rip + op->end;
    cpu_restart(cpu);
}

/* After an instruction that has set cpu->rip, and after one that has not. */
OP(op_stop)
{
    (void)cpu, (void)op;
}
OP(op_stop_falling)
{
    cpu->rip = cpu->block_rip + op->end;
}

/* Operand forms. B: [base + disp]; X: [base + index << scale + disp]; 32-bit addresses. */
enum form { FORM_RR, FORM_RI, FORM_RB, FORM_RX, FORM_BR, FORM_XR, FORM_BI, FORM_XI, FORM_COUNT };
enum { SIZES = 3 }; /* 1, 2, 4 bytes, by index */

/* Registers by byte offset; a 32-bit write clears the upper half. */
static inline void *reg_at(struct cpu *cpu, unsigned off)
{
    return (u8 *)cpu->regs + off;
}
static inline u8 get8(struct cpu *cpu, unsigned off)
{
    return *(u8 *)reg_at(cpu, off);
}
static inline u16 get16(struct cpu *cpu, unsigned off)
{
    return *(u16 *)reg_at(cpu, off);
}
static inline u32 get32(struct cpu *cpu, unsigned off)
{
    return *(u32 *)reg_at(cpu, off);
}
static inline void put8(struct cpu *cpu, unsigned off, u8 v)
{
    *(u8 *)reg_at(cpu, off) = v;
}
static inline void put16(struct cpu *cpu, unsigned off, u16 v)
{
    *(u16 *)reg_at(cpu, off) = v;
}
static inline void put32(struct cpu *cpu, unsigned off, u32 v)
{
    *(u64 *)reg_at(cpu, off) = v;
}

static inline u64 ea_b(const struct cpu *cpu, const struct op *op)
{
    return (u32)(cpu->regs[op->base] + (u64)op->disp);
}
static inline u64 ea_x(const struct cpu *cpu, const struct op *op)
{
    return (u32)(cpu->regs[op->base] + (cpu->regs[op->index] << op->scale) + (u64)op->disp);
}

/* Host address of [seg:off, +size), or NULL when the access is not a plain one. seg: byte offset
 * into cpu->seg. */
static inline void *host_at(struct cpu *cpu, unsigned seg, u64 off, unsigned size,
                            enum access access)
{
    const struct segment *s = (const void *)((const u8 *)cpu->seg + seg);
    s64 span = access == ACCESS_WRITE ? s->write_span : s->read_span;
    if (unlikely((s64)(u32)(off - s->lo) + (s64)size - 1 > span))
        return NULL;
    return lin_host(cpu, (u32)(s->base + off), size, access);
}

/* Little-endian values at any address. */
#define HOST_VALUE(bits)                                                                           \
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
HOST_VALUE(8)
HOST_VALUE(16)
HOST_VALUE(32)

/* p: the memory operand's host address; the op is done when it has none. */
#define MEMORY(p, bits, ea, access)                                                                \
    void *p = host_at(cpu, op->seg, ea(cpu, op), bits / 8, access);                                \
    if (unlikely(!p))                                                                              \
    SLOW

/* op r, r and op r, imm; op r, [m]. WRITE is put or drop. */
#define ALU_R(name, bits, WRITE)                                                                   \
    OP(name##bits##_rr)                                                                            \
    {                                                                                              \
        u##bits b = get##bits(cpu, op->src), a = get##bits(cpu, op->dst);                          \
        WRITE##bits(cpu, op->dst, host_##name##bits(&cpu->aflags, a, b));                          \
        NEXT;                                                                                      \
    }                                                                                              \
    OP(name##bits##_ri)                                                                            \
    {                                                                                              \
        u##bits a = get##bits(cpu, op->dst);                                                       \
        WRITE##bits(cpu, op->dst, host_##name##bits(&cpu->aflags, a, (u##bits)op->imm));           \
        NEXT;                                                                                      \
    }
#define ALU_RM(name, bits, WRITE, ea, E)                                                           \
    OP(name##bits##_r##E)                                                                          \
    {                                                                                              \
        MEMORY(p, bits, ea, ACCESS_READ);                                                          \
        u##bits a = get##bits(cpu, op->dst);                                                       \
        WRITE##bits(cpu, op->dst, host_##name##bits(&cpu->aflags, a, load##bits(p)));              \
        NEXT;                                                                                      \
    }
/* op [m], r and op [m], imm. */
#define ALU_MS(name, bits, ea, E, S, source)                                                       \
    OP(name##bits##_##E##S)                                                                        \
    {                                                                                              \
        MEMORY(p, bits, ea, ACCESS_WRITE);                                                         \
        store##bits(p, host_##name##bits(&cpu->aflags, load##bits(p), (u##bits)(source)));         \
        NEXT;                                                                                      \
    }
/* The same of operations that only read. */
#define ALU_MS_READ(name, bits, ea, E, S, source)                                                  \
    OP(name##bits##_##E##S)                                                                        \
    {                                                                                              \
        MEMORY(p, bits, ea, ACCESS_READ);                                                          \
        host_##name##bits(&cpu->aflags, load##bits(p), (u##bits)(source));                         \
        NEXT;                                                                                      \
    }
#define drop8(cpu, off, v)  ((void)(v))
#define drop16(cpu, off, v) ((void)(v))
#define drop32(cpu, off, v) ((void)(v))

#define ALU_SIZE(name, bits, WRITE, MS)                                                            \
    ALU_R(name, bits, WRITE)                                                                       \
    ALU_RM(name, bits, WRITE, ea_b, b)                                                             \
    ALU_RM(name, bits, WRITE, ea_x, x)                                                             \
    MS(name, bits, ea_b, b, r, get##bits(cpu, op->src))                                            \
    MS(name, bits, ea_x, x, r, get##bits(cpu, op->src))                                            \
    MS(name, bits, ea_b, b, i, op->imm)                                                            \
    MS(name, bits, ea_x, x, i, op->imm)
#define ALU(name, WRITE, MS)                                                                       \
    ALU_SIZE(name, 8, WRITE, MS) ALU_SIZE(name, 16, WRITE, MS) ALU_SIZE(name, 32, WRITE, MS)

ALU(add, put, ALU_MS)
ALU(or, put, ALU_MS)
ALU(adc, put, ALU_MS)
ALU(sbb, put, ALU_MS)
ALU(and, put, ALU_MS)
ALU(sub, put, ALU_MS)
ALU(xor, put, ALU_MS)
ALU(cmp, drop, ALU_MS_READ)
ALU(test, drop, ALU_MS_READ)

#define MOV_M(bits, ea, E)                                                                         \
    OP(mov##bits##_r##E)                                                                           \
    {                                                                                              \
        MEMORY(p, bits, ea, ACCESS_READ);                                                          \
        put##bits(cpu, op->dst, load##bits(p));                                                    \
        NEXT;                                                                                      \
    }                                                                                              \
    OP(mov##bits##_##E##r)                                                                         \
    {                                                                                              \
        MEMORY(p, bits, ea, ACCESS_WRITE);                                                         \
        store##bits(p, get##bits(cpu, op->src));                                                   \
        NEXT;                                                                                      \
    }                                                                                              \
    OP(mov##bits##_##E##i)                                                                         \
    {                                                                                              \
        MEMORY(p, bits, ea, ACCESS_WRITE);                                                         \
        store##bits(p, (u##bits)op->imm);                                                          \
        NEXT;                                                                                      \
    }
#define MOV(bits)                                                                                  \
    OP(mov##bits##_rr)                                                                             \
    {                                                                                              \
        put##bits(cpu, op->dst, get##bits(cpu, op->src));                                          \
        NEXT;                                                                                      \
    }                                                                                              \
    OP(mov##bits##_ri)                                                                             \
    {                                                                                              \
        put##bits(cpu, op->dst, (u##bits)op->imm);                                                 \
        NEXT;                                                                                      \
    }                                                                                              \
    MOV_M(bits, ea_b, b)                                                                           \
    MOV_M(bits, ea_x, x)
MOV(8)
MOV(16)
MOV(32)

/* MOVZX, MOVSX to 32 bits. */
#define EXTEND_M(name, bits, type, ea, E)                                                          \
    OP(name##bits##_r##E)                                                                          \
    {                                                                                              \
        MEMORY(p, bits, ea, ACCESS_READ);                                                          \
        put32(cpu, op->dst, (u32)(type)load##bits(p));                                             \
        NEXT;                                                                                      \
    }
#define EXTEND(name, bits, type)                                                                   \
    OP(name##bits##_rr)                                                                            \
    {                                                                                              \
        put32(cpu, op->dst, (u32)(type)get##bits(cpu, op->src));                                   \
        NEXT;                                                                                      \
    }                                                                                              \
    EXTEND_M(name, bits, type, ea_b, b)                                                            \
    EXTEND_M(name, bits, type, ea_x, x)
EXTEND(movzx, 8, u8)
EXTEND(movzx, 16, u16)
EXTEND(movsx, 8, s8)
EXTEND(movsx, 16, s16)

#define UNARY_M(name, bits, ea, E)                                                                 \
    OP(name##bits##_##E##i)                                                                        \
    {                                                                                              \
        MEMORY(p, bits, ea, ACCESS_WRITE);                                                         \
        store##bits(p, host_##name##bits(&cpu->aflags, load##bits(p)));                            \
        NEXT;                                                                                      \
    }
#define UNARY(name, bits)                                                                          \
    OP(name##bits##_ri)                                                                            \
    {                                                                                              \
        u##bits a = get##bits(cpu, op->dst);                                                       \
        put##bits(cpu, op->dst, host_##name##bits(&cpu->aflags, a));                               \
        NEXT;                                                                                      \
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

OP(not32_ri)
{
    put32(cpu, op->dst, ~get32(cpu, op->dst));
    NEXT;
}

/* Shifts of a register by a constant that is not 0: all flags are written. Shifts by CL. */
#define SHIFT(name, bits, suffix)                                                                  \
    OP(name##bits##_ri)                                                                            \
    {                                                                                              \
        u##bits a = get##bits(cpu, op->dst);                                                       \
        u64 f;                                                                                     \
        asm(#name suffix " %%cl, %[a]" FLAGS_STORE                                                 \
            : [a] "+r"(a), [f] "=r"(f)                                                             \
            : "c"((u8)op->imm)                                                                     \
            : "cc");                                                                               \
        put##bits(cpu, op->dst, a);                                                                \
        cpu->aflags = f;                                                                           \
        NEXT;                                                                                      \
    }                                                                                              \
    OP(name##bits##_rr)                                                                            \
    {                                                                                              \
        u##bits a = get##bits(cpu, op->dst);                                                       \
        put##bits(cpu, op->dst, host_##name##bits(&cpu->aflags, a, (u8)cpu->regs[RCX]));           \
        NEXT;                                                                                      \
    }
#define SHIFTS(name) SHIFT(name, 8, "b") SHIFT(name, 16, "w") SHIFT(name, 32, "l")
SHIFTS(shl)
SHIFTS(shr)
SHIFTS(sar)

/* IMUL of 32 bits: r *= r, r *= [m], r = r * imm. */
OP(imul32_rr)
{
    u32 a = get32(cpu, op->dst);
    put32(cpu, op->dst, host_imul32(&cpu->aflags, a, get32(cpu, op->src)));
    NEXT;
}
OP(imul32_rb)
{
    MEMORY(p, 32, ea_b, ACCESS_READ);
    put32(cpu, op->dst, host_imul32(&cpu->aflags, get32(cpu, op->dst), load32(p)));
    NEXT;
}
OP(imul32_rx)
{
    MEMORY(p, 32, ea_x, ACCESS_READ);
    put32(cpu, op->dst, host_imul32(&cpu->aflags, get32(cpu, op->dst), load32(p)));
    NEXT;
}
OP(imul32_rri)
{
    put32(cpu, op->dst, host_imul32(&cpu->aflags, get32(cpu, op->src), (u32)op->imm));
    NEXT;
}

/* SSE moves between memory and a register; the load is one store of 16 bytes, so that the next
 * instruction can read it back at once. */
static inline void *xmm_at(struct cpu *cpu, unsigned off)
{
    return (u8 *)cpu->fpu.xmm + off;
}
static inline bool sse_usable(const struct cpu *cpu)
{
    return !(cpu->cr0 & (CR0_EM | CR0_TS)) && (cpu->cr4 & CR4_OSFXSR);
}
#define SSE_MOVE_M(name, insn, size, align, ea, E)                                                 \
    OP(name##_r##E)                                                                                \
    {                                                                                              \
        u8 *p = host_at(cpu, op->seg, ea(cpu, op), size, ACCESS_READ);                             \
        if (unlikely(!p || (uintptr_t)p % (align) || !sse_usable(cpu)))                            \
            SLOW;                                                                                  \
        asm volatile(insn " (%0), %%xmm0\n\tmovaps %%xmm0, (%1)"                                   \
                     :                                                                             \
                     : "r"(p), "r"(xmm_at(cpu, op->dst))                                           \
                     : "xmm0", "memory");                                                          \
        NEXT;                                                                                      \
    }                                                                                              \
    OP(name##_##E##r)                                                                              \
    {                                                                                              \
        u8 *p = host_at(cpu, op->seg, ea(cpu, op), size, ACCESS_WRITE);                            \
        if (unlikely(!p || (uintptr_t)p % (align) || !sse_usable(cpu)))                            \
            SLOW;                                                                                  \
        asm volatile("movaps (%1), %%xmm0\n\t" insn " %%xmm0, (%0)"                                \
                     :                                                                             \
                     : "r"(p), "r"(xmm_at(cpu, op->src))                                           \
                     : "xmm0", "memory");                                                          \
        NEXT;                                                                                      \
    }
#define SSE_MOVE(name, insn, size, align)                                                          \
    SSE_MOVE_M(name, insn, size, align, ea_b, b) SSE_MOVE_M(name, insn, size, align, ea_x, x)
SSE_MOVE(movss, "movss", 4, 1)
SSE_MOVE(movsd, "movsd", 8, 1)
SSE_MOVE(movaps, "movaps", 16, 16)
SSE_MOVE(movups, "movups", 16, 1)

OP(lea32_rb)
{
    put32(cpu, op->dst, (u32)ea_b(cpu, op));
    NEXT;
}
OP(lea32_rx)
{
    put32(cpu, op->dst, (u32)ea_x(cpu, op));
    NEXT;
}
OP(cdq)
{
    cpu->regs[RDX] = (u32)((s32)cpu->regs[RAX] >> 31);
    NEXT;
}
OP(nop)
{
    NEXT;
}

/* Pushes; the value is read before the stack pointer moves. */
#define SEG_OFFSET(n) ((n) * sizeof(struct segment))
static inline u8 *stack_at(struct cpu *cpu, u64 sp, enum access access)
{
    return host_at(cpu, SEG_OFFSET(SEG_SS), sp, 4, access);
}
#define PUSH(name, value)                                                                          \
    OP(name)                                                                                       \
    {                                                                                              \
        u64 sp = (cpu->regs[RSP] - 4) & cpu->stack_mask;                                           \
        u8 *p = stack_at(cpu, sp, ACCESS_WRITE);                                                   \
        if (unlikely(!p))                                                                          \
            SLOW;                                                                                  \
        store32(p, value);                                                                         \
        stack_set_pointer(cpu, sp);                                                                \
        NEXT;                                                                                      \
    }
#define PUSH_M(name, ea)                                                                           \
    OP(name)                                                                                       \
    {                                                                                              \
        MEMORY(from, 32, ea, ACCESS_READ);                                                         \
        u32 v = load32(from);                                                                      \
        u64 sp = (cpu->regs[RSP] - 4) & cpu->stack_mask;                                           \
        u8 *p = stack_at(cpu, sp, ACCESS_WRITE);                                                   \
        if (unlikely(!p))                                                                          \
            SLOW;                                                                                  \
        store32(p, v);                                                                             \
        stack_set_pointer(cpu, sp);                                                                \
        NEXT;                                                                                      \
    }
PUSH(push32_r, get32(cpu, op->dst))
PUSH(push32_i, (u32)op->imm)
PUSH_M(push32_b, ea_b)
PUSH_M(push32_x, ea_x)
OP(pop32_r)
{
    u64 sp = stack_pointer(cpu);
    u8 *p = stack_at(cpu, sp, ACCESS_READ);
    if (unlikely(!p))
        SLOW;
    stack_set_pointer(cpu, sp + 4);
    put32(cpu, op->dst, load32(p));
    NEXT;
}
OP(leave32)
{
    u64 sp = cpu->regs[RBP] & cpu->stack_mask;
    u8 *p = stack_at(cpu, sp, ACCESS_READ);
    if (unlikely(!p))
        SLOW;
    stack_set_pointer(cpu, sp + 4);
    put32(cpu, RBP * 8, load32(p));
    NEXT;
}

/* Near branches end a block: they set cpu->rip and do not go on. */
#define GO_TO(target)                                                                              \
    if (unlikely((target) > cpu->seg[SEG_CS].limit))                                               \
        SLOW;                                                                                      \
    cpu->rip = target
static inline u32 near_target(const struct cpu *cpu, const struct op *op)
{
    return (u32)(cpu->block_rip + (u64)op->imm);
}
OP(jmp32)
{
    u32 to = near_target(cpu, op);
    GO_TO(to);
}
OP(jmp32_r)
{
    u32 to = get32(cpu, op->dst);
    GO_TO(to);
}
#define JMP_M(name, ea)                                                                            \
    OP(name)                                                                                       \
    {                                                                                              \
        MEMORY(p, 32, ea, ACCESS_READ);                                                            \
        u32 to = load32(p);                                                                        \
        GO_TO(to);                                                                                 \
    }
JMP_M(jmp32_b, ea_b)
JMP_M(jmp32_x, ea_x)

/* The return address has its place before anything is changed. */
#define CALL_TO(target)                                                                            \
    u32 to = target;                                                                               \
    u64 sp = (cpu->regs[RSP] - 4) & cpu->stack_mask;                                               \
    u8 *ret = stack_at(cpu, sp, ACCESS_WRITE);                                                     \
    if (unlikely(!ret))                                                                            \
        SLOW;                                                                                      \
    GO_TO(to);                                                                                     \
    store32(ret, (u32)(cpu->block_rip + op->end));                                                 \
    stack_set_pointer(cpu, sp)
OP(call32)
{
    CALL_TO(near_target(cpu, op));
}
OP(call32_r)
{
    CALL_TO(get32(cpu, op->dst));
}
#define CALL_M(name, ea)                                                                           \
    OP(name)                                                                                       \
    {                                                                                              \
        MEMORY(p, 32, ea, ACCESS_READ);                                                            \
        CALL_TO(load32(p));                                                                        \
    }
CALL_M(call32_b, ea_b)
CALL_M(call32_x, ea_x)
OP(ret32)
{
    u64 sp = stack_pointer(cpu);
    u8 *p = stack_at(cpu, sp, ACCESS_READ);
    if (unlikely(!p))
        SLOW;
    u32 to = load32(p);
    GO_TO(to);
    stack_set_pointer(cpu, sp + 4);
}

/* By condition: Jcc, SETcc and CMOVcc of registers. */
#define CONDITIONAL(cc)                                                                            \
    OP(jcc32_##cc)                                                                                 \
    {                                                                                              \
        if (!flags_condition(cpu->aflags, 0x##cc)) {                                               \
            cpu->rip = cpu->block_rip + op->end;                                                   \
            return;                                                                                \
        }                                                                                          \
        u32 to = near_target(cpu, op);                                                             \
        GO_TO(to);                                                                                 \
    }                                                                                              \
    OP(setcc8_##cc)                                                                                \
    {                                                                                              \
        put8(cpu, op->dst, flags_condition(cpu->aflags, 0x##cc));                                  \
        NEXT;                                                                                      \
    }                                                                                              \
    OP(cmovcc32_##cc)                                                                              \
    {                                                                                              \
        bool holds = flags_condition(cpu->aflags, 0x##cc);                                         \
        put32(cpu, op->dst, get32(cpu, holds ? op->src : op->dst));                                \
        NEXT;                                                                                      \
    }
#define ALL_CONDITIONS(M)                                                                          \
    M(0) M(1) M(2) M(3) M(4) M(5) M(6) M(7) M(8) M(9) M(a) M(b) M(c) M(d) M(e) M(f)
ALL_CONDITIONS(CONDITIONAL)

/* Which functions a mnemonic has, by form and size. */
struct fast {
    insn_exec *generic;              /* of all forms */
    op_run *form[FORM_COUNT][SIZES]; /* NULL: none */
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
            [FORM_RI] = SIZED(name, ri), [FORM_RR] = SIZED(name, rr)                               \
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
    {exec_not, {[FORM_RI] = {NULL, NULL, not32_ri}}},
    {exec_lea, {[FORM_RB] = {NULL, NULL, lea32_rb}, [FORM_RX] = {NULL, NULL, lea32_rx}}},
};

#define NAME_JCC(cc)    jcc32_##cc,
#define NAME_SETCC(cc)  setcc8_##cc,
#define NAME_CMOVCC(cc) cmovcc32_##cc,
static op_run *const jcc_forms[16] = {ALL_CONDITIONS(NAME_JCC)};
static op_run *const setcc_forms[16] = {ALL_CONDITIONS(NAME_SETCC)};
static op_run *const cmovcc_forms[16] = {ALL_CONDITIONS(NAME_CMOVCC)};

/* Instructions with one operand of 4 bytes, by what that is. */
static const struct {
    insn_exec *generic;          /* of all forms */
    op_run *reg, *mem_b, *mem_x; /* register, memory */
    op_run *constant;            /* immediate or branch displacement */
    op_run *none;                /* without an operand */
} fast_single[] = {
    {exec_push, push32_r, push32_b, push32_x, push32_i, NULL},
    {exec_pop, pop32_r, NULL, NULL, NULL, NULL},
    {exec_jmp, NULL, NULL, NULL, jmp32, NULL},
    {exec_jmp_ind, jmp32_r, jmp32_b, jmp32_x, NULL, NULL},
    {exec_call, NULL, NULL, NULL, call32, NULL},
    {exec_call_ind, call32_r, call32_b, call32_x, NULL, NULL},
    {exec_ret, NULL, NULL, NULL, NULL, ret32},
};

/* The form of two operands, or of one as if an immediate followed; FORM_COUNT if it is none. */
static enum form form_of(const struct insn *i)
{
    bool indexed = i->index != REG_ZERO;
    unsigned a = i->op[0].kind, b = i->op[1].kind;
    bool constant = b == OPND_IMM || b == OPND_NONE;
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

/* SSE moves: a load or store of an XMM register. */
#define FAST_SSE(generic, name)                                                                    \
    {                                                                                              \
        exec_##generic, name##_rb, name##_rx, name##_br, name##_xr                                 \
    }
static const struct {
    insn_exec *generic;        /* of all forms */
    op_run *rb, *rx, *br, *xr; /* as in enum form */
} fast_sse[] = {
    FAST_SSE(movss, movss),   FAST_SSE(movsd_sse, movsd), FAST_SSE(movaps, movaps),
    FAST_SSE(movapd, movaps), FAST_SSE(movdqa, movaps),   FAST_SSE(movups, movups),
    FAST_SSE(movupd, movups), FAST_SSE(movdqu, movups),
};

static bool address_plain(const struct insn *i)
{
    return i->addrsize == 4 && i->base != REG_IP;
}

static op_run *single_form(const struct insn *i)
{
    for (unsigned n = 0; n < ARRAY_LEN(fast_single); n++) {
        if (fast_single[n].generic != i->exec)
            continue;
        switch (i->op[0].kind) {
        case OPND_REG: return fast_single[n].reg;
        case OPND_IMM:
        case OPND_REL: return fast_single[n].constant;
        case OPND_NONE: return fast_single[n].none;
        case OPND_MEM:
            return !address_plain(i)      ? NULL
                   : i->index == REG_ZERO ? fast_single[n].mem_b
                                          : fast_single[n].mem_x;
        }
    }
    return NULL;
}

static op_run *sse_form(const struct insn *i)
{
    bool load = i->op[1].kind == OPND_MEM, indexed = i->index != REG_ZERO;
    if (!address_plain(i) || !(load || i->op[0].kind == OPND_MEM))
        return NULL;
    for (unsigned n = 0; n < ARRAY_LEN(fast_sse); n++) {
        if (fast_sse[n].generic != i->exec)
            continue;
        if (load)
            return indexed ? fast_sse[n].rx : fast_sse[n].rb;
        return indexed ? fast_sse[n].xr : fast_sse[n].br;
    }
    return NULL;
}

/* Byte offset of a register operand in its file. */
static u8 operand_offset(const struct operand *o)
{
    return o->kind == OPND_XMM ? (u8)(o->reg * sizeof(union xmm)) : o->off;
}

static op_run *imul_form(const struct insn *i, enum form form)
{
    if (i->op[2].kind == OPND_IMM)
        return form == FORM_RR ? imul32_rri : NULL;
    return form == FORM_RR   ? imul32_rr
           : form == FORM_RB ? imul32_rb
           : form == FORM_RX ? imul32_rx
                             : NULL;
}

/* Those that fast_forms does not hold, of operand size 4 (SETcc: any). */
static op_run *special_form(const struct insn *i, enum form form)
{
    if (i->op[0].kind == OPND_XMM || i->op[1].kind == OPND_XMM)
        return sse_form(i);
    if (i->exec == exec_setcc)
        return i->op[0].kind == OPND_REG ? setcc_forms[i->opcode & 15] : NULL;
    if (i->opsize != 4)
        return NULL;
    if (i->exec == exec_jcc)
        return jcc_forms[i->opcode & 15];
    if (i->exec == exec_cmovcc)
        return form == FORM_RR ? cmovcc_forms[i->opcode & 15] : NULL;
    if (i->exec == exec_imul)
        return imul_form(i, form);
    if (i->exec == exec_leave)
        return leave32;
    if (i->exec == exec_cwd)
        return cdq;
    if (i->exec == exec_nop)
        return nop;
    return single_form(i);
}

/* The fast form of an instruction, or NULL. */
static op_run *fast_form(const struct insn *i)
{
    enum form form = form_of(i);
    unsigned size = size_index(i, i->exec);
    bool shift = i->exec == exec_shl || i->exec == exec_shr || i->exec == exec_sar;
    op_run *special = special_form(i, form);
    if (special)
        return special;
    if (form == FORM_COUNT || size == SIZES || (shift && form == FORM_RI && (i->imm & 31) == 0))
        return NULL;
    for (unsigned n = 0; n < ARRAY_LEN(fast_forms); n++) {
        if (fast_forms[n].generic == i->exec)
            return fast_forms[n].form[form][size];
    }
    return NULL;
}

void op_set(struct op *op, const struct insn *i, unsigned end)
{
    _Static_assert(sizeof *op == 24 && SEG_OFFSET(SEG_GS) <= UINT8_MAX, "");
    bool relative = i->op[0].kind == OPND_REL;
    *op = (struct op){.run = fast_form(i),
                      .imm = (s32)(i->imm + (relative ? (s64)end : 0)),
                      .disp = (s32)i->disp,
                      .dst = operand_offset(&i->op[0]),
                      .src = operand_offset(&i->op[1]),
                      .base = i->base,
                      .index = i->index,
                      .scale = i->scale,
                      .seg = (u8)SEG_OFFSET(i->seg),
                      .end = (u16)end};
    if (!op->run) {
        op->run = op_generic;
        op->insn = i;
    }
}

void op_set_stop(struct op *op, const struct op *last, const struct insn *i)
{
    bool falls = last->run != op_generic && !insn_ends_block(i);
    *op = (struct op){.run = falls ? op_stop_falling : op_stop, .end = last->end};
}

void op_set_stale(struct op *op)
{
    op->run = op_stale;
}
