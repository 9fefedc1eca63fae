/* Where hosts differ from the processor that the guest's is modelled on, Intel's: each difference
 * is measured at the start, and what such a host does is then told apart from a fault, as narrowly
 * as can be, and counted. On a host without a difference nothing is excused. */
/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>

#include "cpu/decode.h"
#include "cpu/exec.h"
#include "cpu/fpu.h"
#include "cpu/interp.h"
#include "cpu/sse_trap.h"
#include "tests/fuzz/fuzz.h"

enum { FIP = 8, FSW = 2, ST = 32, CODE_AT = 0x40 };
/* 4 bytes into the data, unmapped pages behind the read-only one and the stack */
enum { SOMEWHERE = 0x102004, NOWHERE = 0x105000, BEYOND = 0x107000 };
enum { MXCSR_MM = 1 << 17 }; /* AMD's bit for unaligned operands (APM vol. 1, 4.2.2) */

/* clang-format off */
/* 32-bit code that shows a difference. */
static const struct {
    const char *what; /* for people */
    u8 code[8];       /* the bytes */
    u8 length;          /* of the code */
    bool fpu;           /* FPU state is loaded and saved: all is masked but invalid operations */
    u8 ecx;             /* the start: the other registers are 0, but for */
    u32 eax, esi, edi;  /* these and ESP, in the stack's middle */
    u32 flags;          /* and EFLAGS */
} probes[FUZZ_QUIRKS] = {
    /* aaa */
    [QUIRK_BCD_FLAGS] = {"undefined flags of AAA, AAS, DAA, DAS", {0x37}, 1, .eax = 0x0b},
    /* push -1; pop eax; push ds; pop eax */
    [QUIRK_PUSH_SREG] = {"PUSH of a segment register writes 4 bytes",
                         {0x6a, 0xff, 0x58, 0x1e, 0x58}, .length = 5},
    /* lodsd */
    [QUIRK_WRAP] = {"#GP and #SS beyond 4 GiB", {0xad}, 1, .esi = 0xffffffff},
    /* movups xmm0, [esi] */
    [QUIRK_AC_MOVUPS] = {"#AC of MOVUPS, MOVUPD, MOVDQU", {0x0f, 0x10, 0x06}, 3, .fpu = true,
                         .esi = SOMEWHERE, .flags = FLAG_AC},
    /* bound eax, [esi]: the lower bound is the last dword of the page */
    [QUIRK_BOUND] = {"BOUND reads both bounds first", {0x62, 0x06}, 2, .eax = 0x80000000,
                     .esi = NOWHERE - 4},
    /* repe cmpsb */
    [QUIRK_CMPS_ORDER] = {"REP CMPSB reads its source first", {0xf3, 0xa6}, 2, .ecx = 2,
                          .esi = NOWHERE, .edi = BEYOND},
    /* repne scasb: the second byte is absent */
    [QUIRK_STRING_FLAGS] = {"flags of REP SCAS and CMPS that fault", {0xf2, 0xae}, 2, .ecx = 2,
                            .eax = 1, .edi = NOWHERE - 1, .flags = FLAG_ZF},
    /* maskmovdqu xmm0, xmm1: only byte 8 is selected */
    [QUIRK_MASKMOV] = {"address of MASKMOVDQU's and MASKMOVQ's faults", {0x66, 0x0f, 0xf7, 0xc1}, 4,
                       .fpu = true, .edi = NOWHERE},
    /* movd [esi], mm0 */
    [QUIRK_MMX_STORE] = {"MMX stores that fault leave the stack's top", {0x0f, 0x7e, 0x06}, 3,
                         .fpu = true, .esi = NOWHERE},
    /* fistp word [esi], of an empty register */
    [QUIRK_X87_STORE] = {"#PF and #AC of x87 stores before unmasked exceptions", {0xdf, 0x1e}, 2,
                         .fpu = true, .esi = NOWHERE},
    /* fld1; fstp tbyte [esi] */
    [QUIRK_X87_HALVES] = {"x87 stores of 10 bytes that fault are whole", {0xd9, 0xe8, 0xdb, 0x3e},
                          4, .fpu = true, .esi = BEYOND - 8},
    /* ldmxcsr [esi] */
    [QUIRK_MXCSR] = {"MXCSR has bit 17", {0x0f, 0xae, 0x16}, 3, .fpu = true, .esi = SOMEWHERE},
    /* fld1; ud2 */
    [QUIRK_FIP] = {"FXSAVE without x87 pointers", {0xd9, 0xe8, 0x0f, 0x0b}, 4, .fpu = true},
};
/* clang-format on */

/* What this host does, and how often it was excused. */
static bool has[FUZZ_QUIRKS];
static u64 excused[FUZZ_QUIRKS];

/* Measuring */

static void run_probe(unsigned n, struct fuzz_outcome *out)
{
    const u32 base = fuzz_regions[FUZZ_CODE].base + CODE_AT;
    u8 *code = fuzz_host_region(FUZZ_CODE) + CODE_AT;
    struct fuzz_state from = {.eip = base, .eflags = 0x202 | probes[n].flags};
    from.regs[RAX] = probes[n].eax;
    from.regs[RCX] = probes[n].ecx;
    from.regs[RSI] = probes[n].esi;
    from.regs[RDI] = probes[n].edi;
    from.regs[RSP] = fuzz_regions[FUZZ_STACK].base + 0x800;
    store_le16(from.fx, 0x37e);
    store_le16(from.fx + FSW, 3 << 11);
    store_le32(from.fx + 24, 0x1f80);
    from.fx[160 + 16 + 8] = 0x80; /* byte 8 of XMM1: the mask */
    memset(fuzz_host_region(FUZZ_STACK), 0, fuzz_regions[FUZZ_STACK].size);
    store_le32(fuzz_host_region(FUZZ_DATA) + 4, MXCSR_MM);
    memset(fuzz_host_region(FUZZ_READ), 0, fuzz_regions[FUZZ_READ].size);
    memcpy(code, probes[n].code, probes[n].length);
    memcpy(code + probes[n].length, fuzz_host_exit, sizeof fuzz_host_exit);
    fuzz_host_run(&from, probes[n].fpu, out);
}

/* Does the host do it as Intel's processors do? */
static bool as_usual(unsigned n, const struct fuzz_outcome *out)
{
    switch (n) {
    case QUIRK_BCD_FLAGS: return (out->state.eflags & FLAGS_ARITH) == (FLAG_CF | FLAG_AF);
    case QUIRK_PUSH_SREG: return out->state.regs[RAX] >> 16 == 0xffff;
    case QUIRK_AC_MOVUPS: return out->vector == FUZZ_NO_VECTOR;
    case QUIRK_BOUND: return out->vector == VEC_BR;
    case QUIRK_CMPS_ORDER: return out->cr2 == BEYOND;
    case QUIRK_STRING_FLAGS: return (out->state.eflags & FLAGS_ARITH) == FLAG_ZF;
    case QUIRK_MASKMOV: return out->cr2 == NOWHERE + 8;
    case QUIRK_MXCSR: return out->vector == VEC_GP;
    case QUIRK_X87_STORE: return out->vector == FUZZ_NO_VECTOR;
    case QUIRK_X87_HALVES:
        return load_le32(fuzz_host_region(FUZZ_STACK) + PAGE_SIZE - 4) == 0x80000000;
    case QUIRK_MMX_STORE: return !(load_le16(out->state.fx + FSW) & SW_TOP);
    case QUIRK_FIP: return load_le32(out->state.fx + FIP) != 0;
    default: return out->vector == VEC_PF;
    }
}

void fuzz_quirks_measure(void)
{
    for (unsigned n = 0; n < FUZZ_QUIRKS; n++) {
        struct fuzz_outcome out;
        run_probe(n, &out);
        has[n] = !as_usual(n, &out);
    }
}

bool fuzz_quirk(enum fuzz_quirk quirk)
{
    return has[quirk];
}

void fuzz_quirks_print(void)
{
    for (unsigned n = 0; n < FUZZ_QUIRKS; n++)
        if (has[n])
            printf("this host: %s (%llu times)\n", probes[n].what, (unsigned long long)excused[n]);
}

/* Instructions */

static bool is_bcd(insn_exec *exec)
{
    return exec == exec_aaa || exec == exec_aas || exec == exec_daa || exec == exec_das;
}
static bool is_movups(const struct insn *i, insn_exec *exec)
{
    return (exec == exec_movups || exec == exec_movupd || exec == exec_movdqu) &&
           (i->op[0].kind == OPND_MEM || i->op[1].kind == OPND_MEM);
}
static bool is_maskmov(insn_exec *exec)
{
    return exec == exec_maskmovq || exec == exec_maskmovdqu;
}
static bool is_x87_store(const struct insn *i, insn_exec *exec)
{
    return i->op[0].kind == OPND_MEM &&
           (exec == exec_fst || exec == exec_fstp || exec == exec_fist || exec == exec_fistp ||
            exec == exec_fbstp);
}
static bool is_mmx_store(const struct insn *i, insn_exec *exec)
{
    return i->op[0].kind == OPND_MEM && i->op[1].kind == OPND_MM &&
           (exec == exec_movd_m || exec == exec_movq_m || exec == exec_movntq);
}

static u32 address(const struct insn *i, const struct fuzz_state *s)
{
    u32 base = i->base == REG_ZERO ? 0 : s->regs[i->base];
    u32 index = i->index == REG_ZERO ? 0 : s->regs[i->index];
    u32 sum = base + (index << i->scale) + (u32)i->disp;
    return i->addrsize == 2 ? (u16)sum : sum;
}
static u32 string_address(const struct insn *i, const struct fuzz_outcome *o, unsigned reg)
{
    return i->addrsize == 2 ? (u16)o->state.regs[reg] : o->state.regs[reg];
}

/* The host's bytes at a linear address; *guest: the guest's. NULL if they are in no region. */
static u8 *bytes_at(struct fuzz_guest *g, u32 lin, u32 size, const u8 **guest)
{
    for (unsigned n = 0; n < FUZZ_REGIONS; n++) {
        u32 at = lin - fuzz_regions[n].base;
        if (at > fuzz_regions[n].size - size || !fuzz_regions[n].writable)
            continue;
        *guest = fuzz_guest_region(g, n) + at;
        return fuzz_host_region(n) + at;
    }
    return NULL;
}

bool fuzz_quirks_end(const struct insn *i, const struct fuzz_state *before, struct fuzz_guest *g)
{
    insn_exec *exec = insn_exec_of(i->row);
    const u8 *p;
    if (has[QUIRK_X87_STORE] && is_x87_store(i, exec))
        return before->eflags & FLAG_AC || !bytes_at(g, address(i, before), i->op[0].size, &p);
    return (has[QUIRK_BCD_FLAGS] && is_bcd(exec)) ||
           (has[QUIRK_PUSH_SREG] && exec == exec_push_sreg);
}

/* What LDMXCSR or FXRSTOR loads MXCSR with; the data and the page behind it are in a row. */
static u32 operand_mxcsr(const struct insn *i, const struct fuzz_state *before, insn_exec *exec,
                         struct fuzz_guest *g)
{
    u32 lin = address(i, before) + (exec == exec_fxrstor ? 24 : 0), value = 0;
    for (unsigned byte = 0; byte < 4; byte++)
        for (unsigned n = FUZZ_DATA; n < FUZZ_REGIONS; n++) {
            u32 at = lin + byte - fuzz_regions[n].base;
            if (at < fuzz_regions[n].size)
                value |= (u32)fuzz_guest_region(g, n)[at] << 8 * byte;
        }
    return value;
}

bool fuzz_quirks_refuse(const struct insn *i, const struct fuzz_state *before, struct fuzz_guest *g,
                        const struct fuzz_outcome *guest)
{
    insn_exec *exec = insn_exec_of(i->row);
    bool unaligned = has[QUIRK_AC_MOVUPS] && before->eflags & FLAG_AC && is_movups(i, exec) &&
                     address(i, before) & 15;
    bool crosses = has[QUIRK_PUSH_SREG] && exec == exec_push_sreg && i->opsize == 4 &&
                   (before->eflags & FLAG_AC || before->regs[RSP] % PAGE_SIZE < 4);
    bool mxcsr = has[QUIRK_MXCSR] && guest->vector == VEC_GP &&
                 (exec == exec_ldmxcsr || exec == exec_fxrstor) &&
                 (operand_mxcsr(i, before, exec, g) & ~(u32)MXCSR_VALID) == MXCSR_MM;
    excused[QUIRK_AC_MOVUPS] += unaligned;
    excused[QUIRK_PUSH_SREG] += crosses;
    excused[QUIRK_MXCSR] += mxcsr;
    return unaligned || crosses || mxcsr;
}

/* What the host did, set to what Intel's processors do */

static void count(unsigned quirk, bool differs)
{
    excused[quirk] += differs;
}

static void settle_flags(unsigned quirk, u32 mask, const struct fuzz_outcome *guest,
                         struct fuzz_outcome *host)
{
    u32 differing = (guest->state.eflags ^ host->state.eflags) & mask;
    host->state.eflags ^= differing;
    count(quirk, differing != 0);
}

static void take_fault(unsigned quirk, const struct fuzz_outcome *guest, struct fuzz_outcome *host)
{
    count(quirk, true);
    host->vector = guest->vector;
    host->error = guest->error;
    host->cr2 = guest->cr2;
}

/* 4 bytes were written, the upper two of them zero. */
static void settle_push(struct fuzz_guest *g, const struct fuzz_outcome *guest)
{
    const u8 *wanted;
    u8 *p = bytes_at(g, guest->state.regs[RSP] + 2, 2, &wanted);
    bool done = guest->vector == FUZZ_NO_VECTOR || guest->vector == VEC_DB;
    if (!done || !p || p[0] || p[1])
        return;
    count(QUIRK_PUSH_SREG, memcmp(p, wanted, 2) != 0);
    memcpy(p, wanted, 2);
}

/* The first 8 bytes were not written, because the other two cannot be. */
static void settle_halves(struct fuzz_guest *g, u32 address, const struct fuzz_outcome *guest)
{
    const u8 *wanted;
    u32 size = guest->cr2 - address;
    u8 *p =
        guest->vector == VEC_PF && size && size < 10 ? bytes_at(g, address, size, &wanted) : NULL;
    if (!p)
        return;
    count(QUIRK_X87_HALVES, memcmp(p, wanted, size) != 0);
    memcpy(p, wanted, size);
}

/* The host did not come to the exception that stays pending in the guest. */
static void settle_x87_store(u32 address, const struct insn *i, const struct fuzz_outcome *guest,
                             struct fuzz_outcome *host)
{
    bool refused = (host->vector == VEC_PF && host->cr2 - address < i->op[0].size) ||
                   (host->vector == VEC_AC && host->state.eflags & FLAG_AC);
    if (!refused || guest->vector != FUZZ_NO_VECTOR ||
        !(load_le16(guest->state.fx + FSW) & SW_ES) || host->state.eip + i->len != guest->state.eip)
        return;
    take_fault(QUIRK_X87_STORE, guest, host);
    host->state.eip = guest->state.eip;
    memcpy(host->state.fx + FSW, guest->state.fx + FSW, 2);
}

/* The stack's registers are saved in its order: as if its top had become register 0. */
static void settle_top(struct fuzz_outcome *host)
{
    u8 *fx = host->state.fx, st[8][16];
    u32 sw = load_le16(fx + FSW), top = (sw & SW_TOP) >> 11;
    memcpy(st, fx + ST, sizeof st);
    for (unsigned n = 0; n < 8; n++)
        memcpy(fx + ST + 16 * n, st[(n - top) & 7], 16);
    store_le16(fx + FSW, (u16)(sw & ~(u32)SW_TOP));
    count(QUIRK_MMX_STORE, top != 0);
}

static void settle_address(unsigned quirk, u32 usual, const struct fuzz_outcome *guest,
                           struct fuzz_outcome *host)
{
    bool holds = host->vector == VEC_PF && guest->vector == VEC_PF && host->cr2 == usual;
    count(quirk, holds && host->cr2 != guest->cr2);
    if (holds)
        host->cr2 = guest->cr2;
}

static bool beyond(u32 at, u32 size)
{
    return at && at + size - 1 < at;
}

/* Does the access that raised the guest's #PF or #AC go on at 0? */
static bool wraps(const struct insn *i, const struct fuzz_state *before, insn_exec *exec,
                  const struct fuzz_outcome *guest)
{
    bool string = i->op[0].kind >= OPND_SRC || i->op[1].kind >= OPND_SRC;
    u32 size = i->opsize;
    for (unsigned n = 0; n < INSN_OPERANDS; n++) {
        bool state = i->op[n].kind == OPND_MEM && !i->op[n].size; /* FXSAVE and the like */
        u32 wide = state ? 512 : i->op[n].size;
        size = wide > size ? wide : size;
    }
    if (string || is_maskmov(exec))
        return beyond(string_address(i, guest, RDI), size) ||
               (string && beyond(string_address(i, guest, RSI), size));
    return beyond(guest->vector == VEC_AC ? address(i, before) : guest->cr2, size);
}

/* ENTER, POP and the like: does an unaligned stack access of theirs go on at 0? */
static bool stack_wraps(const struct fuzz_state *before)
{
    return before->regs[RSP] + 4 < 8 || before->regs[RBP] + 4 < 8;
}

static void settle_fault(const struct insn *i, const struct fuzz_state *before,
                         const struct fuzz_outcome *guest, struct fuzz_outcome *host)
{
    insn_exec *exec = insn_exec_of(i->row);
    if (has[QUIRK_WRAP] && (host->vector == VEC_GP || host->vector == VEC_SS) && !host->error &&
        (guest->vector == VEC_PF || guest->vector == VEC_AC) &&
        (wraps(i, before, exec, guest) || (host->vector == VEC_SS && stack_wraps(before))))
        take_fault(QUIRK_WRAP, guest, host);
    if (has[QUIRK_BOUND] && exec == exec_bound && guest->vector == VEC_BR &&
        host->vector == VEC_PF && host->cr2 - address(i, before) < 2u * i->opsize)
        take_fault(QUIRK_BOUND, guest, host);
    if (has[QUIRK_CMPS_ORDER] && exec == exec_cmps && i->rep && i->op[0].size == 1)
        settle_address(QUIRK_CMPS_ORDER, string_address(i, guest, RSI), guest, host);
    if (has[QUIRK_MASKMOV] && is_maskmov(exec)) { /* the operand's first byte, or the page's */
        settle_address(QUIRK_MASKMOV, string_address(i, guest, RDI), guest, host);
        settle_address(QUIRK_MASKMOV, guest->cr2 & ~(PAGE_SIZE - 1), guest, host);
    }
    if (has[QUIRK_STRING_FLAGS] && i->rep && (exec == exec_scas || exec == exec_cmps))
        settle_flags(QUIRK_STRING_FLAGS, FLAGS_ARITH, guest, host);
}

void fuzz_quirks_settle(const struct insn *i, const struct fuzz_state *before, struct fuzz_guest *g,
                        const struct fuzz_outcome *guest, struct fuzz_outcome *host)
{
    insn_exec *exec = insn_exec_of(i->row);
    bool fault = host->vector != FUZZ_NO_VECTOR;
    if (has[QUIRK_BCD_FLAGS] && is_bcd(exec))
        settle_flags(QUIRK_BCD_FLAGS, insn_info(i->row)->flags_undefined, guest, host);
    if (has[QUIRK_PUSH_SREG] && exec == exec_push_sreg && i->opsize == 4)
        settle_push(g, guest);
    if (has[QUIRK_X87_STORE] && is_x87_store(i, exec))
        settle_x87_store(address(i, before), i, guest, host);
    if (has[QUIRK_X87_HALVES] && is_x87_store(i, exec) && i->op[0].size == 10)
        settle_halves(g, address(i, before), guest);
    if (has[QUIRK_MMX_STORE] && fault && host->vector != VEC_MF && is_mmx_store(i, exec))
        settle_top(host);
    if (fault)
        settle_fault(i, before, guest, host);
}

void fuzz_quirks_settle_fip(const struct fuzz_outcome *guest, struct fuzz_outcome *host)
{
    u32 was = load_le32(guest->state.fx + FIP);
    if (!has[QUIRK_FIP] || host->vector == FUZZ_NO_VECTOR ||
        load_le16(host->state.fx + FSW) & SW_ES || load_le32(host->state.fx + FIP))
        return;
    count(QUIRK_FIP, was != 0);
    store_le32(host->state.fx + FIP, was);
}
