/* The decoder on known encodings: every prefix, addressing form and operand letter (SDM vol. 2,
 * chapter 2). */
/* SPDX-License-Identifier: MIT */
#include <check.h>
#include <stdio.h>
#include <string.h>

#include "cpu/decode.h"
#include "tests/unit/suite.h"

/* One encoding and what it means. */
struct known {
    enum code_mode mode;  /* the code's mode */
    const char *bytes;    /* the encoding; 15 bytes at most */
    unsigned count;       /* how many bytes */
    const char *name;     /* mnemonic, or NULL if it is #UD */
    const char *operands; /* as text_of() writes them */
};

#define KNOWN(mode, bytes, name, operands)                                                         \
    {                                                                                              \
        mode, bytes, sizeof bytes - 1, name, operands                                              \
    }

static void text_mem(char *s, const struct insn *i, const struct operand *o)
{
    static const char *const segs[] = {"es", "cs", "ss", "ds", "fs", "gs"};
    s += sprintf(s, "m%u[%s:", o->size * 8, segs[i->seg]);
    if (i->base != REG_ZERO)
        s += sprintf(s, i->base == REG_IP ? "rip+" : "r%u+", i->base);
    if (i->index != REG_ZERO)
        s += sprintf(s, "r%u*%u+", i->index, 1 << i->scale);
    sprintf(s, "%#llx/%u]", (unsigned long long)i->disp, i->addrsize * 8);
}

/* Writes operand n: kind, size in bits, register or value. */
static void text_opnd(char *s, const struct insn *i, const struct operand *o)
{
    static const char *const kinds[] = {"-",  "r",  "m",  "i",   "j", "rel", "far", "s",
                                        "cr", "dr", "st", "mmx", "x", "src", "dst"};
    switch (o->kind) {
    case OPND_MEM: text_mem(s, i, o); break;
    case OPND_IMM:
    case OPND_REL:
        sprintf(s, "%s%u:%#llx", kinds[o->kind], o->size * 8, (unsigned long long)i->imm);
        break;
    case OPND_IMM2: sprintf(s, "%s%u:%#x", kinds[o->kind], o->size * 8, i->imm2); break;
    case OPND_FAR:
        sprintf(s, "far%u:%#x:%#llx", o->size * 8, i->imm2, (unsigned long long)i->imm);
        break;
    case OPND_REG: sprintf(s, "r%u.%u@%u", o->reg, o->size * 8, o->off); break;
    default: sprintf(s, "%s%u.%u", kinds[o->kind], o->reg, o->size * 8); break;
    }
}

static void text_of(char *s, const struct insn *i)
{
    *s = 0;
    for (unsigned n = 0; n < INSN_OPERANDS && i->op[n].kind; n++) {
        text_opnd(s, i, &i->op[n]);
        strcat(s, " ");
        s += strlen(s);
    }
}

/* clang-format off */
static const struct known known[] = {
    KNOWN(MODE_16, "\xd6", "salc", ""),
    KNOWN(MODE_16, "\xf1", "int1", ""),
    KNOWN(MODE_16, "\xf6\xc8\x05", "test", "r0.8@0 i8:0x5 "),
    KNOWN(MODE_16, "\xf7\xc8\x05\x06", "test", "r0.16@0 i16:0x605 "),
    KNOWN(MODE_16, "\xc0\xf1\x03", "shl", "r1.8@8 i8:0x3 "),
    KNOWN(MODE_16, "\xd1\xf1", "shl", "r1.16@8 i8:0x1 "),
    KNOWN(MODE_16, "\xd3\x34", "shl", "m16[ds:r6+0/16] r1.8@8 "),
    KNOWN(MODE_32, "\x82\xc3\xff", "add", "r3.8@24 i8:0xff "),
    KNOWN(MODE_64, "\x82\xc3\xff", NULL, ""),
    KNOWN(MODE_32, "\x83\xc3\xff", "add", "r3.32@24 i8:0xffffffffffffffff "),
    KNOWN(MODE_32, "\x81\xc3\xff\xff\xff\xff", "add", "r3.32@24 i32:0xffffffff "),
    KNOWN(MODE_64, "\x48\x81\xc3\xff\xff\xff\xff", "add", "r3.64@24 i32:0xffffffffffffffff "),
    KNOWN(MODE_64, "\x48\xb8\x01\x02\x03\x04\x05\x06\x07\x08", "mov", "r0.64@0 i64:0x807060504030201 "),
    KNOWN(MODE_32, "\xdf\xc3", "ffreep", "st3.80 "),
    KNOWN(MODE_32, "\xdc\xd3", "fcom", "st0.80 st3.80 "),
    KNOWN(MODE_32, "\xdc\xdb", "fcomp", "st0.80 st3.80 "),
    KNOWN(MODE_32, "\xdd\xcb", "fxch", "st3.80 "),
    KNOWN(MODE_32, "\xde\xd3", "fcomp", "st0.80 st3.80 "),
    KNOWN(MODE_32, "\xdf\xcb", "fxch", "st3.80 "),
    KNOWN(MODE_32, "\xdf\xd3", "fstp", "st3.80 "),
    KNOWN(MODE_32, "\xd9\xdb", "fstpnce", "st3.80 "),
    KNOWN(MODE_32, "\xd8\xe3", "fsub", "st0.80 st3.80 "),
    KNOWN(MODE_32, "\xdc\xe3", "fsubr", "st3.80 st0.80 "),
    KNOWN(MODE_32, "\xdc\xeb", "fsub", "st3.80 st0.80 "),
    KNOWN(MODE_32, "\xde\xf3", "fdivrp", "st3.80 st0.80 "),
    KNOWN(MODE_32, "\xde\xfb", "fdivp", "st3.80 st0.80 "),
    KNOWN(MODE_32, "\xdb\xe0", "feni8087_nop", ""),
    KNOWN(MODE_32, "\xdb\xe5", NULL, ""),
    KNOWN(MODE_32, "\x0f\xff\x44\x24\x10", "ud0", "r0.32@0 m32[ss:r4+0x10/32] "),
    KNOWN(MODE_32, "\x0f\xb9\xc1", "ud1", "r0.32@0 r1.32@8 "),
    KNOWN(MODE_32, "\x0f\x18\xe0", "nop", "r0.32@0 "),
    KNOWN(MODE_32, "\x0f\x0d\x00", "prefetchw", "m32[ds:r0+0/32] "),
    KNOWN(MODE_32, "\x88\xe0", "mov", "r0.8@0 r4.8@1 "),
    KNOWN(MODE_64, "\x88\xe0", "mov", "r0.8@0 r4.8@1 "),
    KNOWN(MODE_64, "\x40\x88\xe0", "mov", "r0.8@0 r4.8@32 "),
    KNOWN(MODE_64, "\x48\x66\x89\xc1", "mov", "r1.16@8 r0.16@0 "),
    KNOWN(MODE_64, "\x66\x48\x89\xc1", "mov", "r1.64@8 r0.64@0 "),
    KNOWN(MODE_64, "\x66\x50", "push", "r0.16@0 "),
    KNOWN(MODE_64, "\x66\x48\x50", "push", "r0.64@0 "),
    KNOWN(MODE_64, "\x66\xe8\x01\x02\x03\x04", "call", "rel32:0x4030201 "),
    KNOWN(MODE_64, "\x66\x0f\x84\x01\x02\x03\x04", "je", "rel32:0x4030201 "),
    KNOWN(MODE_16, "\x66\xe9\x01\x02\x03\x04", "jmp", "rel32:0x4030201 "),
    KNOWN(MODE_32, "\x66\xe9\x01\x02", "jmp", "rel16:0x201 "),
    KNOWN(MODE_32, "\xeb\xfe", "jmp", "rel8:0xfffffffffffffffe "),
    KNOWN(MODE_16, "\x8b\x46\xfe", "mov", "r0.16@0 m16[ss:r5+0xfffffffffffffffe/16] "),
    KNOWN(MODE_16, "\x8b\x06\x34\x12", "mov", "r0.16@0 m16[ds:0x1234/16] "),
    KNOWN(MODE_16, "\x8b\x02", "mov", "r0.16@0 m16[ss:r5+r6*1+0/16] "),
    KNOWN(MODE_16, "\x67\x8b\x44\x8d\x10", "mov", "r0.16@0 m16[ss:r5+r1*4+0x10/32] "),
    KNOWN(MODE_32, "\x67\x8b\x47\x80", "mov", "r0.32@0 m32[ds:r3+0xffffffffffffff80/16] "),
    KNOWN(MODE_32, "\x8b\x04\x8d\x10\x00\x00\x00", "mov", "r0.32@0 m32[ds:r1*4+0x10/32] "),
    KNOWN(MODE_32, "\x8b\x44\x25\x10", "mov", "r0.32@0 m32[ss:r5+0x10/32] "),
    KNOWN(MODE_64, "\x8b\x05\x10\x00\x00\x00", "mov", "r0.32@0 m32[ds:rip+0x10/64] "),
    KNOWN(MODE_64, "\x67\x8b\x05\x10\x00\x00\x00", "mov", "r0.32@0 m32[ds:rip+0x10/32] "),
    KNOWN(MODE_64, "\x8b\x04\x25\x10\x00\x00\x80", "mov", "r0.32@0 m32[ds:0xffffffff80000010/64] "),
    KNOWN(MODE_64, "\x42\x8b\x04\x20", "mov", "r0.32@0 m32[ds:r0+r12*1+0/64] "),
    KNOWN(MODE_64, "\x41\x8b\x45\x00", "mov", "r0.32@0 m32[ds:r13+0/64] "),
    KNOWN(MODE_64, "\x64\x2e\x8b\x00", "mov", "r0.32@0 m32[fs:r0+0/64] "),
    KNOWN(MODE_64, "\x2e\x8b\x00", "mov", "r0.32@0 m32[ds:r0+0/64] "),
    KNOWN(MODE_32, "\x2e\x8b\x45\x00", "mov", "r0.32@0 m32[cs:r5+0/32] "),
    KNOWN(MODE_32, "\x65\xa4", "movsb", "dst7.8 src6.8 "),
    KNOWN(MODE_32, "\x65\xa6", "cmpsb", "src6.8 dst7.8 "),
    KNOWN(MODE_32, "\x65\xaa", "stosb", "dst7.8 r0.8@0 "),
    KNOWN(MODE_32, "\x65\xd7", "xlatb", ""),
    KNOWN(MODE_32, "\x65\xa1\x01\x02\x03\x04", "mov", "r0.32@0 m32[gs:0x4030201/32] "),
    KNOWN(MODE_16, "\xa0\x01\x02", "mov", "r0.8@0 m8[ds:0x201/16] "),
    KNOWN(MODE_64, "\xa1\x01\x02\x03\x04\x05\x06\x07\x08", "mov", "r0.32@0 m32[ds:0x807060504030201/64] "),
    KNOWN(MODE_64, "\x67\xa1\x01\x02\x03\x04", "mov", "r0.32@0 m32[ds:0x4030201/32] "),
    KNOWN(MODE_32, "\x9a\x01\x02\x03\x04\x05\x06", "call", "far48:0x605:0x4030201 "),
    KNOWN(MODE_16, "\xea\x01\x02\x03\x04", "jmp", "far32:0x403:0x201 "),
    KNOWN(MODE_64, "\x9a\x01\x02\x03\x04\x05\x06", NULL, ""),
    KNOWN(MODE_32, "\xc8\x34\x12\x05", "enter", "i16:0x1234 j8:0x5 "),
    KNOWN(MODE_32, "\xff\x18", "call", "m48[ds:r0+0/32] "),
    KNOWN(MODE_64, "\x48\xff\x18", "call", "m80[ds:r0+0/64] "),
    KNOWN(MODE_32, "\x0f\x01\x10", "lgdt", "m48[ds:r0+0/32] "),
    KNOWN(MODE_64, "\x0f\x01\x10", "lgdt", "m80[ds:r0+0/64] "),
    KNOWN(MODE_32, "\x0f\x20\xd8", "mov", "r0.32@0 cr3.32 "),
    KNOWN(MODE_32, "\x0f\x20\x18", "mov", "r0.32@0 cr3.32 "),
    KNOWN(MODE_32, "\x0f\x20\xc8", NULL, ""),
    KNOWN(MODE_64, "\x44\x0f\x20\xc0", "mov", "r0.64@0 cr8.64 "),
    KNOWN(MODE_64, "\x0f\x21\xf8", "mov", "r0.64@0 dr7.64 "),
    KNOWN(MODE_64, "\x44\x0f\x21\xf8", NULL, ""),
    KNOWN(MODE_32, "\x8e\xc8", NULL, ""),
    KNOWN(MODE_32, "\x8e\xd0", "mov", "s2.16 r0.16@0 "),
    KNOWN(MODE_32, "\x8c\xf0", NULL, ""),
    KNOWN(MODE_32, "\x0e", "push", "s1.16 "),
    KNOWN(MODE_32, "\xf0\x01\x08", "add", "m32[ds:r0+0/32] r1.32@8 "),
    KNOWN(MODE_32, "\xf0\x01\xc8", NULL, ""),
    KNOWN(MODE_32, "\xf0\x03\x08", NULL, ""),
    KNOWN(MODE_32, "\xf0\x87\x08", "xchg", "m32[ds:r0+0/32] r1.32@8 "),
    KNOWN(MODE_32, "\xf0\x39\x08", NULL, ""),
    KNOWN(MODE_32, "\xf0\x0f\xc7\x08", "cmpxchg8b", "m64[ds:r0+0/32] "),
    KNOWN(MODE_32, "\x0f\xc7\xc8", NULL, ""),
    KNOWN(MODE_32, "\x8d\xc0", NULL, ""),
    KNOWN(MODE_32, "\xc4\x00", "les", "r0.32@0 m48[ds:r0+0/32] "),
    KNOWN(MODE_32, "\x62\xc0", NULL, ""),
    KNOWN(MODE_32, "\xc5\xf8\x58\xc1", "vaddps", "x0.128 x0.128 x1.128 "),
    KNOWN(MODE_32, "\xc4\xe2\xf9\x90\x04\x08", NULL, ""),
    KNOWN(MODE_32, "\xc4\xe2\xf1\x90\x04\x08", NULL, ""),
    KNOWN(MODE_64, "\xc4\xc1\x78\x28\xc0", "vmovaps", "x0.128 x8.128 "),
    KNOWN(MODE_64, "\x66\xc5\xf8\x58\xc1", NULL, ""),
    KNOWN(MODE_64, "\xc5\xf8\x28\x04\x24", "vmovaps", "x0.128 m128[ss:r4+0/64] "),
    KNOWN(MODE_32, "\xc5\xfd\x50\xc1", "vmovmskpd", "r0.32@0 x1.256 "),
    KNOWN(MODE_32, "\xc4\xe3\x71\x4a\xc2\xb0", "vblendvps", "x0.128 x1.128 x2.128 x3.128 "),
    KNOWN(MODE_64, "\xc4\xe3\x71\x4a\xc2\xb0", "vblendvps", "x0.128 x1.128 x2.128 x11.128 "),
    KNOWN(MODE_32, "\xc4\xe1\xf9\x6e\xc0", "vmovd", "x0.128 r0.32@0 "),
    KNOWN(MODE_64, "\xc4\xe1\xf9\x6e\xc0", "vmovq", "x0.128 r0.64@0 "),
    KNOWN(MODE_32, "\x66\x0f\x54\xc1", "andpd", "x0.128 x1.128 "),
    KNOWN(MODE_32, "\xf3\x0f\x54\xc1", NULL, ""),
    KNOWN(MODE_32, "\xf2\x0f\x10\x08", "movsd", "x1.64 m64[ds:r0+0/32] "),
    KNOWN(MODE_32, "\xf2\xf3\x0f\x10\x08", "movss", "x1.32 m32[ds:r0+0/32] "),
    KNOWN(MODE_32, "\xf3\xf2\x0f\x10\x08", "movsd", "x1.64 m64[ds:r0+0/32] "),
    KNOWN(MODE_32, "\x66\xf3\x0f\x10\x08", "movss", "x1.32 m32[ds:r0+0/32] "),
    KNOWN(MODE_32, "\xf3\x90", "pause", ""),
    KNOWN(MODE_64, "\x41\x90", "xchg", "r8.32@64 r0.32@0 "),
    KNOWN(MODE_64, "\x90", "nop", ""),
    KNOWN(MODE_32, "\xf3\x0f\xbc\xc1", "tzcnt", "r0.32@0 r1.32@8 "),
    KNOWN(MODE_32, "\x66\xf2\x0f\x38\xf1\xc1", "crc32", "r0.32@0 r1.16@8 "),
    KNOWN(MODE_32, "\x0f\x38\xf0\x08", "movbe", "r1.32@8 m32[ds:r0+0/32] "),
    KNOWN(MODE_32, "\x66\x0f\x38\xf0\xc8", NULL, ""),
    KNOWN(MODE_32, "\xe3\xfe", "jecxz", "rel8:0xfffffffffffffffe "),
    KNOWN(MODE_32, "\x67\xe3\xfe", "jcxz", "rel8:0xfffffffffffffffe "),
    KNOWN(MODE_64, "\x63\xc8", "movsxd", "r1.32@8 r0.32@0 "),
    KNOWN(MODE_64, "\x48\x63\xc8", "movsxd", "r1.64@8 r0.32@0 "),
    KNOWN(MODE_32, "\x63\xc8", "arpl", "r0.16@0 r1.16@8 "),
    KNOWN(MODE_32, "\x0f\x05", NULL, ""),
    KNOWN(MODE_64, "\x0f\x05", "syscall", ""),
    KNOWN(MODE_32, "\x27", "daa", ""),
    KNOWN(MODE_64, "\x27", NULL, ""),
    KNOWN(MODE_32, "\x60", "pushad", ""),
    KNOWN(MODE_16, "\x66\x60", "pushad", ""),
    KNOWN(MODE_32, "\x8f\xc0", "pop", "r0.32@0 "),
    KNOWN(MODE_32, "\x8f\xc8", NULL, ""),
    KNOWN(MODE_32, "\x66\x6d", "insw", "dst7.16 r2.16@16 "),
    KNOWN(MODE_32, "\x0f\xa4\xc8\x05", "shld", "r0.32@0 r1.32@8 i8:0x5 "),
    KNOWN(MODE_32, "\x0f\xae\xf8", "sfence", ""),
    KNOWN(MODE_32, "\x0f\xae\x38", "clflush", "m8[ds:r0+0/32] "),
    KNOWN(MODE_32, "\x0f\x73\xd8\x05", NULL, ""),
    KNOWN(MODE_32, "\x66\x0f\x73\xd8\x05", "psrldq", "x0.128 i8:0x5 "),
    KNOWN(MODE_32, "\x66\x0f\x7e\xc8", "movd", "r0.32@0 x1.32 "),
    KNOWN(MODE_32, "\x0f\x01\xe0", "smsw", "r0.32@0 "),
    KNOWN(MODE_32, "\xc4\xe2\xe9\x90\x04\x08", "vpgatherdq", "x0.128 m64[ds:r0+r1*1+0/32] x2.128 "),
};
/* clang-format on */

START_TEST(known_encodings)
{
    const struct known *k = &known[_i];
    struct insn i;
    char text[256];
    enum decode_status status = decode((const u8 *)k->bytes, k->count, k->mode, &i);
    ck_assert_int_eq(status, k->name ? DECODE_OK : DECODE_INVALID);
    if (!k->name)
        return;
    ck_assert_str_eq(insn_info(i.row)->name, k->name);
    text_of(text, &i);
    ck_assert_str_eq(text, k->operands);
    ck_assert_uint_eq(i.len, k->count);
}
END_TEST

/* 15 bytes are the limit, whatever they are (SDM vol. 3, 6.15, interrupt 13). */
START_TEST(length_limit)
{
    u8 bytes[32];
    struct insn i;
    memset(bytes, 0x66, sizeof bytes);
    ck_assert_int_eq(decode(bytes, sizeof bytes, MODE_32, &i), DECODE_TOO_LONG);
    ck_assert_int_eq(decode(bytes, 15, MODE_32, &i), DECODE_TOO_LONG);
    ck_assert_int_eq(decode(bytes, 14, MODE_32, &i), DECODE_TRUNCATED);
    bytes[14] = 0x90;
    ck_assert_int_eq(decode(bytes, sizeof bytes, MODE_32, &i), DECODE_OK);
    ck_assert_uint_eq(i.len, 15);
    bytes[14] = 0xb0; /* MOV AL, imm8: 16 bytes */
    ck_assert_int_eq(decode(bytes, sizeof bytes, MODE_32, &i), DECODE_TOO_LONG);
    ck_assert_int_eq(decode(bytes, 0, MODE_32, &i), DECODE_TRUNCATED);
}
END_TEST

/* The prefixes as they were, and what the flags columns say. */
START_TEST(prefixes_and_flags)
{
    struct insn i;
    ck_assert_int_eq(decode((const u8 *)"\xf0\x66\x65\x67\x11\x00\x00", 7, MODE_32, &i), DECODE_OK);
    ck_assert_uint_eq(i.prefixes, PREFIX_LOCK | PREFIX_OPSIZE | PREFIX_SEG | PREFIX_ADDRSIZE);
    ck_assert_uint_eq(i.opsize, 2);
    ck_assert_uint_eq(i.addrsize, 2);
    ck_assert_uint_eq(i.seg, 5);
    ck_assert_uint_eq(insn_info(i.row)->flags_read, FLAG_CF);
    ck_assert_uint_eq(insn_info(i.row)->flags_written, FLAGS_ARITH);
    ck_assert_int_eq(decode((const u8 *)"\xf3\xf2\xa6", 3, MODE_32, &i), DECODE_OK);
    ck_assert_uint_eq(i.rep, REP_F2);
    ck_assert_int_eq(decode((const u8 *)"\x0f\xaf\xc0", 3, MODE_32, &i), DECODE_OK);
    ck_assert_uint_eq(insn_info(i.row)->flags_written, FLAG_CF | FLAG_OF);
    ck_assert_uint_eq(insn_info(i.row)->flags_undefined, FLAG_SF | FLAG_ZF | FLAG_AF | FLAG_PF);
    ck_assert_int_eq(decode((const u8 *)"\x77\x00", 2, MODE_32, &i), DECODE_OK);
    ck_assert_uint_eq(insn_info(i.row)->flags_read, FLAG_CF | FLAG_ZF);
}
END_TEST

/* Which instructions end a block. */
static const struct end {
    const char *bytes; /* 32-bit code, then zeros */
    bool ends;         /* no instruction follows it in a block */
} ends[] = {
    {"\x01\xc8", false}, {"\x8e\xd8", false},    {"\x8e\xd0", true},      {"\x8c\xd0", false},
    {"\x17", true},      {"\x1f", false},        {"\x75\x01", true},      {"\xc3", true},
    {"\xfb", true},      {"\x9c", false},        {"\x9d", true},          {"\xe4\x01", true},
    {"\x6c", true},      {"\xa4", false},        {"\x0f\xa2", false},     {"\x0f\x22\xc0", true},
    {"\x0f\x0b", true},  {"\xf4", true},         {"\xff\xd0", true},      {"\xff\xc0", false},
    {"\xcd\x80", true},  {"\x0f\x01\x38", true}, {"\x0f\xb4\x01", false}, {"\x0f\xb2\x01", true},
};

START_TEST(block_ends)
{
    u8 bytes[INSN_MAX_LEN] = {0};
    struct insn i;
    memcpy(bytes, ends[_i].bytes, strlen(ends[_i].bytes));
    ck_assert_int_eq(decode(bytes, sizeof bytes, MODE_32, &i), DECODE_OK);
    ck_assert_int_eq(insn_ends_block(&i), ends[_i].ends);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("decode");
    TCase *tcase = tcase_create("decode");
    tcase_add_loop_test(tcase, known_encodings, 0, ARRAY_LEN(known));
    tcase_add_test(tcase, length_limit);
    tcase_add_test(tcase, prefixes_and_flags);
    tcase_add_loop_test(tcase, block_ends, 0, ARRAY_LEN(ends));
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
