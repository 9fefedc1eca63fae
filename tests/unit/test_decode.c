/* The decoder on known encodings: every prefix, addressing form and operand letter (SDM vol. 2,
 * chapter 2). */
/* SPDX-License-Identifier: MIT */
#include <check.h>
#include <stdio.h>
#include <string.h>

#include "cpu/decode.h"

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

static const struct known known[] = {
    KNOWN(MODE_32, "\x00\x00", "add", "m8[ds:r0+0/32] r0.8@0 "),
    KNOWN(MODE_32, "\x0e", "push", "s1.16 "),
    KNOWN(MODE_32, "\x8e\xc8", NULL, ""),
    KNOWN(MODE_32, "\x88\xe5", "mov", "r5.8@9 r4.8@1 "),
};

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

int main(void)
{
    Suite *suite = suite_create("decode");
    TCase *tcase = tcase_create("decode");
    tcase_add_loop_test(tcase, known_encodings, 0, ARRAY_LEN(known));
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
