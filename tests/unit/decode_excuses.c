/* The known disagreements of decode() with capstone 4: each with the place in the manuals that
 * decides it. */
/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "tests/unit/decode_compare.h"

/* The code under comparison, taken apart. */
struct parts {
    unsigned prefixes; /* how many legacy and REX prefixes */
    u8 map;            /* 0: one byte, 1: 0F, 2: 0F 38, 3: 0F 3A */
    bool vex;          /* VEX: C4 or C5 */
    u8 opcode, modrm;  /* the opcode's last byte, and what follows it */
    const u8 *start;   /* right after the prefixes */
};

static bool is_prefix(u8 byte, enum code_mode mode)
{
    static const u8 list[] = {0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65, 0x66, 0x67, 0xf0, 0xf2, 0xf3};
    return memchr(list, byte, sizeof list) || (mode == MODE_64 && (byte & 0xf0) == 0x40);
}

static struct parts parts_of(const u8 *bytes, enum code_mode mode)
{
    struct parts p = {0};
    while (p.prefixes < 12 && is_prefix(bytes[p.prefixes], mode))
        p.prefixes++;
    const u8 *at = p.start = bytes + p.prefixes;
    p.vex = (*at & 0xfe) == 0xc4 && (mode == MODE_64 || at[1] >= 0xc0);
    if (p.vex) {
        p.map = *at == 0xc5 ? 1 : at[1] & 31;
        at += *at == 0xc5 ? 2 : 3;
    } else if (*at == 0x0f) {
        p.map = at[1] == 0x38 ? 2 : at[1] == 0x3a ? 3 : 1;
        at += p.map == 1 ? 1 : 2;
    }
    p.opcode = at[0];
    p.modrm = at[1];
    return p;
}

static bool has_prefix(const struct parts *p, u8 byte)
{
    return memchr(p->start - p->prefixes, byte, p->prefixes) != NULL;
}

/* Code with the prefixes listed in `drop` taken out, and `add` (0: none) put first, or last
 * before REX. */
static void prefixes_edit(u8 *code, const struct parts *p, const char *drop, u8 add, bool first,
                          enum code_mode mode)
{
    unsigned n = 0;
    const u8 *prefixes = p->start - p->prefixes;
    bool rex = mode == MODE_64 && p->prefixes && (p->start[-1] & 0xf0) == 0x40;
    if (add && first)
        code[n++] = add;
    for (unsigned k = 0; k < p->prefixes - rex; k++)
        if (!strchr(drop, prefixes[k]))
            code[n++] = prefixes[k];
    if (add && !first)
        code[n++] = add;
    if (rex)
        code[n++] = p->start[-1];
    unsigned rest = INSN_MAX_LEN - p->prefixes;
    memcpy(code + n, p->start, rest);
    n += rest;
    if (n < INSN_MAX_LEN)
        memset(code + n, 0x90, INSN_MAX_LEN - n);
}

/* One reason for a difference. */
struct excuse {
    const char *why; /* who is right, by which manual */
    bool (*holds)(struct compare *c, const struct parts *p, enum code_mode mode, enum difference d);
};

/* Decodes the code without the prefixes listed; true if that has capstone's name (XSAVE64's is
 * XSAVE when a REX.W that did not count becomes the last prefix). */
static bool decodes_without(struct compare *c, const struct parts *p, enum code_mode mode,
                            const char *drop)
{
    u8 code[INSN_MAX_LEN] = {0};
    unsigned n = 0;
    struct insn i;
    for (unsigned k = 0; k < p->prefixes; k++)
        if (!strchr(drop, p->start[(int)k - (int)p->prefixes]))
            code[n++] = p->start[(int)k - (int)p->prefixes];
    memcpy(code + n, p->start, INSN_MAX_LEN - p->prefixes);
    if (decode(code, INSN_MAX_LEN, mode, &i) != DECODE_OK)
        return false;
    const char *ours = insn_info(i.row)->name, *theirs = compare_their_name(c, mode);
    size_t length = strlen(theirs);
    return compare_names(ours, theirs) ||
           (!strncmp(ours, theirs, length) && !strcmp(ours + length, "64"));
}

static bool prefix_ignored(struct compare *c, const struct parts *p, enum code_mode mode,
                           enum difference d)
{
    return d == ONLY_CAPSTONE && p->map && !p->vex &&
           (decodes_without(c, p, mode, "\xf2\xf3") || decodes_without(c, p, mode, "\x66") ||
            decodes_without(c, p, mode, "\xf2\xf3\x66"));
}

/* No prefix that VEX stands for may come before it. */
static bool prefix_before_vex(struct compare *c, const struct parts *p, enum code_mode mode,
                              enum difference d)
{
    return d == ONLY_CAPSTONE && p->vex &&
           (has_prefix(p, 0x66) || has_prefix(p, 0xf2) || has_prefix(p, 0xf3) ||
            has_prefix(p, 0xf0) || (p->prefixes && (p->start[-1] & 0xf0) == 0x40)) &&
           decodes_without(c, p, mode,
                           "\x66\xf0\xf2\xf3\x40\x41\x42\x43\x44\x45\x46\x47\x48\x49\x4a\x4b"
                           "\x4c\x4d\x4e\x4f");
}

/* REX.W makes 66 void, even for instructions without a 64-bit form. */
static bool rex_w_66(struct compare *c, const struct parts *p, enum code_mode mode,
                     enum difference d)
{
    (void)d;
    bool io = !p->map && ((p->opcode & 0xfc) == 0x6c || (p->opcode & 0xf4) == 0xe4);
    bool stack = !p->map && has_prefix(p, 0x66) &&
                 ((p->opcode & 0xfe) == 0x9c || p->opcode == 0x8f || p->opcode == 0xff);
    return mode == MODE_64 && (io || stack) && c->ours.prefixes & PREFIX_REX_W;
}

static bool lock_ignored(struct compare *c, const struct parts *p, enum code_mode mode,
                         enum difference d)
{
    u8 code[INSN_MAX_LEN + 1];
    struct insn i;
    if (d != ONLY_CAPSTONE || !has_prefix(p, 0xf0))
        return false;
    prefixes_edit(code, p, "\xf0", 0, false, mode);
    return decode(code, INSN_MAX_LEN, mode, &i) == DECODE_OK ||
           decodes_without(c, p, mode, "\xf0\xf2\xf3") ||
           decodes_without(c, p, mode, "\xf0\xf2\xf3\x66");
}

/* Opcodes of AMD, VIA and Cyrix, and AVX-512's, that this table leaves out. */
static bool not_covered(struct compare *c, const struct parts *p, enum code_mode mode,
                        enum difference d)
{
    (void)c;
    (void)mode;
    if (d != ONLY_CAPSTONE)
        return false;
    if (p->vex && p->map == 1)
        return (p->opcode >= 0x41 && p->opcode <= 0x4b) || (p->opcode & 0xf4) == 0x90;
    if (p->vex && p->map == 2)
        return false;
    if (p->vex && p->map == 3)
        return (p->opcode >= 0x30 && p->opcode <= 0x33) || p->opcode == 0x48 || p->opcode == 0x49 ||
               (p->opcode >= 0x5c && p->opcode <= 0x7f);
    if (!p->map)
        return p->start[0] == 0x62 || (p->start[0] == 0x8f && p->start[1] & 0x38);
    return p->map == 1 &&
           (p->opcode == 0x0f || p->opcode == 0x0e || p->opcode == 0xa6 || p->opcode == 0xa7 ||
            (p->opcode == 0x01 && p->modrm >= 0xd8 && p->modrm <= 0xdf) ||
            (p->opcode == 0x01 && p->modrm >= 0xfa) || p->opcode == 0x78 || p->opcode == 0x79 ||
            p->opcode == 0x2b || (p->opcode == 0xae && p->modrm == 0xf8) || p->opcode == 0x04 ||
            (p->opcode >= 0x36 && p->opcode <= 0x3f));
}

static bool vex_fields(struct compare *c, const struct parts *p, enum code_mode mode,
                       enum difference d)
{
    u8 code[INSN_MAX_LEN];
    struct insn i;
    if (d != ONLY_CAPSTONE || !p->vex || p->start[0] != 0xc4)
        return false;
    memcpy(code, p->start, INSN_MAX_LEN - p->prefixes);
    memset(code + INSN_MAX_LEN - p->prefixes, 0, p->prefixes);
    for (unsigned n = 0; n < 3; n++) {
        code[2] = (u8)(p->start[2] ^ (n != 1 ? 0x80 : 0));
        if (n)
            code[2] |= mode == MODE_64 ? 0 : 0x40;
        if (decode(code, INSN_MAX_LEN, mode, &i) == DECODE_OK &&
            compare_names(insn_info(i.row)->name, compare_their_name(c, mode)))
            return true;
    }
    return false;
}

static bool gather_registers(struct compare *c, const struct parts *p, enum code_mode mode,
                             enum difference d)
{
    (void)mode;
    const struct insn *i = &c->ours;
    return d == ONLY_CAPSTONE && p->vex && p->map == 2 && (p->opcode & 0xfc) == 0x90 &&
           ((i->modrm & 7) != 4 || i->op[0].reg == i->op[2].reg || i->op[0].reg == i->index ||
            i->op[2].reg == i->index);
}

static bool branch_66(struct compare *c, const struct parts *p, enum code_mode mode,
                      enum difference d)
{
    (void)c;
    bool near = (!p->map && (p->opcode == 0xe8 || p->opcode == 0xe9)) ||
                (p->map == 1 && (p->opcode & 0xf0) == 0x80);
    (void)d;
    return near && has_prefix(p, 0x66) && mode != MODE_16;
}

static bool segment_after_fs(struct compare *c, const struct parts *p, enum code_mode mode,
                             enum difference d)
{
    (void)c;
    return d == DIFF_MEMORY && mode == MODE_64 && (has_prefix(p, 0x64) || has_prefix(p, 0x65)) &&
           (has_prefix(p, 0x26) || has_prefix(p, 0x2e) || has_prefix(p, 0x36) ||
            has_prefix(p, 0x3e));
}

static bool nops(struct compare *c, const struct parts *p, enum code_mode mode, enum difference d)
{
    (void)c;
    (void)mode;
    bool hint = p->opcode >= 0x18 && p->opcode <= 0x1f;
    return p->map == 1 && (hint || p->opcode == 0x0d) && d != ONLY_CAPSTONE;
}

static bool undefined_opcodes(struct compare *c, const struct parts *p, enum code_mode mode,
                              enum difference d)
{
    (void)c;
    (void)mode;
    return p->map == 1 && (p->opcode == 0xff || p->opcode == 0xb9) && d != ONLY_CAPSTONE;
}

static bool movsxd_32(struct compare *c, const struct parts *p, enum code_mode mode,
                      enum difference d)
{
    return d == DIFF_OPERANDS && mode == MODE_64 && !p->map && p->opcode == 0x63 &&
           c->ours.opsize < 8;
}

/* All that an instruction means, but its length and prefixes. */
static bool same_meaning(const struct insn *a, const struct insn *b)
{
    return insn_info(a->row)->mnemonic == insn_info(b->row)->mnemonic && a->imm == b->imm &&
           a->imm2 == b->imm2 && a->disp == b->disp && a->base == b->base && a->index == b->index &&
           a->seg == b->seg && a->addrsize == b->addrsize && !memcmp(a->op, b->op, sizeof a->op);
}

/* The prefixes that count, each once: segment, LOCK, 67, then 66 and REP in this order or the
 * other, REX. */
static void prefixes_tidy(u8 *code, const struct parts *p, const struct insn *i, bool rep_first,
                          enum code_mode mode)
{
    static const u8 segs[] = {0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65}, reps[] = {0, 0xf3, 0xf2};
    unsigned n = 0;
    if (i->prefixes & PREFIX_SEG)
        code[n++] = segs[i->seg];
    if (i->prefixes & PREFIX_LOCK)
        code[n++] = 0xf0;
    if (i->prefixes & PREFIX_ADDRSIZE)
        code[n++] = 0x67;
    if (i->rep && rep_first)
        code[n++] = reps[i->rep];
    if (i->prefixes & PREFIX_OPSIZE)
        code[n++] = 0x66;
    if (i->rep && !rep_first)
        code[n++] = reps[i->rep];
    if (mode == MODE_64 && p->prefixes && (p->start[-1] & 0xf0) == 0x40)
        code[n++] = p->start[-1];
    memset(code + n, 0x90, INSN_MAX_LEN);
    memcpy(code + n, p->start, INSN_MAX_LEN - p->prefixes);
}

/* Prefixes count in any order and number; capstone reads some right only once and in one order. */
static bool prefix_order(struct compare *c, const struct parts *p, enum code_mode mode,
                         enum difference d)
{
    u8 code[2 * INSN_MAX_LEN];
    struct insn ours = c->ours;
    if (d == ONLY_CAPSTONE || p->prefixes < 2 || ours.seg > 5 || c->nesting > 2)
        return false;
    for (unsigned n = 0; n < 2; n++) {
        prefixes_tidy(code, p, &ours, n, mode);
        if (!memcmp(code, p->start - p->prefixes, p->prefixes))
            continue;
        enum difference e = compare_bytes(c, code, mode);
        if ((e == SAME || e == EXCUSED) && c->status == DECODE_OK &&
            decode(code, INSN_MAX_LEN, mode, &c->ours) == DECODE_OK &&
            same_meaning(&c->ours, &ours))
            return true;
    }
    return false;
}

/* The same instruction means the same in 32-bit code with 66 and 67 inverted (67 alone where 66
 * selects the row), and there capstone agrees. */
static bool same_in_32(struct compare *c, const struct parts *p, enum code_mode mode,
                       enum difference d)
{
    u8 code[3][INSN_MAX_LEN + 2];
    struct insn ours = c->ours;
    enum decode_status status = c->status;
    (void)d;
    if (mode != MODE_16 || c->nesting > 2)
        return false;
    prefixes_edit(code[0], p, "\x67", has_prefix(p, 0x67) ? 0 : 0x67, true, MODE_32);
    struct parts q = parts_of(code[0], MODE_32);
    prefixes_edit(code[1], &q, "\x66", has_prefix(&q, 0x66) ? 0 : 0x66, false, MODE_32);
    prefixes_edit(code[2], &q, "\x66", has_prefix(&q, 0x66) ? 0 : 0x66, true, MODE_32);
    for (unsigned n = 0; n < 3; n++) {
        enum difference e = compare_bytes(c, code[n], MODE_32);
        if ((e == SAME || e == EXCUSED) &&
            decode(code[n], INSN_MAX_LEN, MODE_32, &c->ours) == status &&
            (status != DECODE_OK || same_meaning(&c->ours, &ours)))
            return true;
    }
    return false;
}

static bool lone_names(struct compare *c, const struct parts *p, enum code_mode mode,
                       enum difference d)
{
    (void)mode;
    (void)c;
    bool rdpid = p->opcode == 0xc7 && p->modrm >= 0xf8 && d == DIFF_NAME;
    bool fence = p->opcode == 0xae && p->modrm >= 0xe8 && d == ONLY_OURS;
    return p->map == 1 && !p->vex && (rdpid || fence);
}

static bool sreg_rex(struct compare *c, const struct parts *p, enum code_mode mode,
                     enum difference d)
{
    (void)c;
    return !p->map && (p->opcode == 0x8c || p->opcode == 0x8e) && mode == MODE_64 && d == ONLY_OURS;
}

static bool sreg_cs(struct compare *c, const struct parts *p, enum code_mode mode,
                    enum difference d)
{
    (void)c;
    (void)mode;
    return !p->map && p->opcode == 0x8e && (p->modrm & 0x38) == 8 && d == ONLY_CAPSTONE;
}

static bool target_67(struct compare *c, const struct parts *p, enum code_mode mode,
                      enum difference d)
{
    (void)c;
    (void)mode;
    bool near = (p->opcode >= 0x70 && p->opcode <= 0x7f) || (p->opcode & 0xfc) == 0xe0 ||
                (p->opcode & 0xfc) == 0xe8;
    bool long_form = p->map == 1 && (p->opcode & 0xf0) == 0x80;
    bool xbegin = !p->map && p->opcode == 0xc7;
    return ((!p->map && near) || long_form || xbegin) &&
           (has_prefix(p, 0x67) || has_prefix(p, 0x66)) &&
           (d == DIFF_OPERANDS || (d == DIFF_NAME && p->opcode == 0xe3));
}

/* The same without REX.W. */
static bool rex_w_mandatory(struct compare *c, const struct parts *p, enum code_mode mode,
                            enum difference d)
{
    u8 code[INSN_MAX_LEN + 1];
    struct insn ours = c->ours;
    if (d == ONLY_CAPSTONE || mode != MODE_64 || !(ours.prefixes & PREFIX_REX_W) || p->vex ||
        (!ours.rep && !has_prefix(p, 0x66)) || c->nesting > 2)
        return false;
    prefixes_edit(code, p, "", 0, false, mode);
    code[p->prefixes - 1] &= 0xf7;
    enum difference e = compare_bytes(c, code, mode);
    return (e == SAME || e == EXCUSED) && decode(code, INSN_MAX_LEN, mode, &c->ours) == DECODE_OK &&
           same_meaning(&c->ours, &ours);
}

static bool rex_w_67(struct compare *c, const struct parts *p, enum code_mode mode,
                     enum difference d)
{
    u8 code[INSN_MAX_LEN + 1];
    (void)d;
    if (mode != MODE_64 || !has_prefix(p, 0x67) || c->nesting > 2)
        return false;
    prefixes_edit(code, p, "\x67", 0, false, mode);
    enum difference e = compare_bytes(c, code, mode);
    return e == SAME || e == EXCUSED;
}

static bool lone_rows(struct compare *c, const struct parts *p, enum code_mode mode,
                      enum difference d)
{
    (void)c;
    bool broadcast = p->vex && p->map == 2 && p->opcode == 0x5a && d == ONLY_OURS;
    bool ret = !p->map && p->opcode == 0xc2 && mode == MODE_64 && d == DIFF_LENGTH;
    bool lsl = p->map == 1 && p->opcode == 0x03 && d == DIFF_OPERANDS;
    return broadcast || ret || lsl;
}

static bool system_moves(struct compare *c, const struct parts *p, enum code_mode mode,
                         enum difference d)
{
    (void)c;
    (void)mode;
    return d == ONLY_CAPSTONE && p->map == 1 && p->opcode >= 0x20 && p->opcode <= 0x23;
}

static bool only_64(struct compare *c, const struct parts *p, enum code_mode mode,
                    enum difference d)
{
    (void)c;
    return d == ONLY_CAPSTONE && mode != MODE_64 && p->map == 1 &&
           (p->opcode == 0x05 || p->opcode == 0x07 || (p->opcode == 1 && p->modrm == 0xf8));
}

static bool sreg_width(struct compare *c, const struct parts *p, enum code_mode mode,
                       enum difference d)
{
    (void)mode;
    return d == DIFF_OPERANDS && !p->map && p->opcode == 0x8e &&
           c->theirs->detail->x86.op_count == 2;
}

static bool is4_32(struct compare *c, const struct parts *p, enum code_mode mode, enum difference d)
{
    (void)c;
    return d == DIFF_OPERANDS && mode != MODE_64 && p->vex && p->map == 3 && p->opcode >= 0x4a &&
           p->opcode <= 0x4c;
}

static bool vex_w_32(struct compare *c, const struct parts *p, enum code_mode mode,
                     enum difference d)
{
    (void)d;
    return mode != MODE_64 && p->vex && c->ours.vex & VEX_W;
}

/* Where only the spelling of the operand size by capstone is off. */
static bool size_by_name(struct compare *c, const struct parts *p, enum code_mode mode,
                         enum difference d)
{
    static const char *const names[] = {"les",    "lds",    "lfs",       "lgs",       "lss",
                                        "lsl",    "lar",    "punpcklbw", "punpcklwd", "punpckldq",
                                        "comiss", "comisd", "vcomiss",   "vcomisd",   "fnstsw",
                                        "jmp",    "call",   NULL};
    (void)p;
    (void)mode;
    for (unsigned n = 0; names[n] && d == DIFF_SIZE; n++)
        if (!strcmp(names[n], insn_info(c->ours.row)->name))
            return true;
    return false;
}

static const struct excuse excuses[] = {
    {"66, F2 or F3 that selects no row is #UD; capstone takes the row without it (SDM vol. 2, "
     "tables A-3 to A-5: blank cells are reserved)",
     prefix_ignored},
    {"LOCK needs an instruction of the list and a memory destination (SDM vol. 2, LOCK)",
     lock_ignored},
    {"AMD's and VIA's own opcodes, and AVX-512: not in the table (SDM vol. 2, A-2, A-3)",
     not_covered},
    {"VEX.W or VEX.vvvv must have its documented value (SDM vol. 2, 2.3.5.6, and the rows)",
     vex_fields},
    {"gathers: SIB, and three different registers (SDM vol. 2, VGATHERDPS)", gather_registers},
    {"near branches ignore 66 in 64-bit mode, and cut the target to 16 bits in others (SDM vol. 2, "
     "Jcc, CALL; vol. 1, 6.3.7)",
     branch_66},
    {"in 64-bit mode ES, CS, SS and DS prefixes are ignored, even after FS (SDM vol. 2, 2.1.1)",
     segment_after_fs},
    {"0F 0D and 0F 18 to 0F 1F have one operand and every form (SDM vol. 2, table A-3, NOP)", nops},
    {"UD0 and UD1 have a ModRM byte (SDM vol. 2, UD)", undefined_opcodes},
    {"MOVSXD without REX.W has a 32-bit destination (SDM vol. 2, MOVSX)", movsxd_32},
    {"REX.W does not change what 66, F2 or F3 select; without it there is agreement (SDM vol. 2, "
     "2.1.2)",
     rex_w_mandatory},
    {"67 beside REX.W is not 66; without it there is agreement (SDM vol. 2, 2.1.1)", rex_w_67},
    {"66, F2, F3, LOCK and REX before VEX are #UD (SDM vol. 2, 2.3.2, 2.3.3)", prefix_before_vex},
    {"66 is ignored beside REX.W, and IN, OUT, INS, OUTS have 32 bits then (SDM vol. 2, 2.2.1.2)",
     rex_w_66},
    {"MOV to CS is #UD (SDM vol. 2, MOV)", sreg_cs},
    {"REX.R does not extend a segment register (SDM vol. 2, 2.2.1.2: \"REX.R ... ignored\")",
     sreg_rex},
    {"F3 0F C7 /7 is RDPID; the fences' ModRM.rm is ignored (SDM vol. 2, RDPID, LFENCE)",
     lone_names},
    {"the operand size, not 67, cuts a branch target (SDM vol. 2, JMP, Jcc)", target_67},
    {"VBROADCASTI128 exists outside 64-bit mode; RET's operand has 16 bits beside REX.W; LSL r64 "
     "has an r32 "
     "source (SDM vol. 2, VBROADCAST, RET, LSL)",
     lone_rows},
    {"prefixes count in any order and number, and a REX that is not last not at all (SDM vol. 2, "
     "2.1.1, "
     "2.2.1)",
     prefix_order},
    {"capstone's 16-bit tables are incomplete; the 32-bit form with 66 and 67 inverted agrees (SDM "
     "vol. "
     "1, 3.6)",
     same_in_32},
    {"only CR0, 2, 3, 4, 8 and DR0-7 exist (SDM vol. 2, MOV CR, MOV DR)", system_moves},
    {"SYSCALL, SYSRET and SWAPGS: 64-bit mode only (SDM vol. 2)", only_64},
    {"MOV Sreg reads 16 bits (SDM vol. 2, MOV)", sreg_width},
    {"imm8[7] is ignored outside 64-bit mode (SDM vol. 2, VBLENDVPS)", is4_32},
    {"VEX.W of general registers is taken as 0 outside 64-bit mode (SDM vol. 2, VMOVD, VPINSRQ)",
     vex_w_32},
    {"size of the memory operand: SDM vol. 2, the instruction's own page", size_by_name},
};

const char *compare_excuse(struct compare *c, const u8 *bytes, enum code_mode mode,
                           enum difference d)
{
    struct parts p = parts_of(bytes, mode);
    struct insn ours = c->ours;
    for (unsigned n = 0; n < ARRAY_LEN(excuses); n++) {
        if (excuses[n].holds(c, &p, mode, d))
            return excuses[n].why;
        if (memcmp(&c->ours, &ours, sizeof ours))
            compare_raw(c, bytes, mode);
    }
    return NULL;
}
