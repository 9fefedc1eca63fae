/* The registers as gdb numbers them for i386 (gdb manual, G.5.4 i386 Features). */
/* SPDX-License-Identifier: MIT */
#include "frontend/gdb_registers.h"

#include <stdlib.h>
#include <string.h>

#include "cpu/fpu.h"
#include "frontend/registers.h"

enum { FIRST_ST = 16, FIRST_X87 = 24, FIRST_XMM = 32, MXCSR = 40, FIRST_SYSTEM = 41 };
enum { CORE_ESP = 4, CORE_EIP = 8, X87_CONTROL = 8 };

/* The first 16, in gdb's order. */
static const char *const core[FIRST_ST] = {"eax", "ecx", "edx", "ebx",    "esp", "ebp",
                                           "esi", "edi", "eip", "eflags", "cs",  "ss",
                                           "ds",  "es",  "fs",  "gs"};
static const char *const x87[X87_CONTROL] = {"fctrl", "fstat", "ftag",  "fiseg",
                                             "fioff", "foseg", "fooff", "fop"};
/* Ours: a feature that gdb only shows. */
static const char *const system_names[GDB_REGISTERS - FIRST_SYSTEM] = {
    "cr0",     "cr2",     "cr3",     "cr4",  "efer", "cs_base", "ss_base", "ds_base",
    "es_base", "fs_base", "gs_base", "gdtr", "idtr", "dr6",     "dr7",     "icount"};

static void describe_core(struct text *t)
{
    text_add(t,
             "<feature name=\"org.gnu.gdb.i386.core\">"
             "<flags id=\"i386_eflags\" size=\"4\">"
             "<field name=\"CF\" start=\"0\" end=\"0\"/><field name=\"\" start=\"1\" end=\"1\"/>"
             "<field name=\"PF\" start=\"2\" end=\"2\"/><field name=\"AF\" start=\"4\" end=\"4\"/>"
             "<field name=\"ZF\" start=\"6\" end=\"6\"/><field name=\"SF\" start=\"7\" end=\"7\"/>"
             "<field name=\"TF\" start=\"8\" end=\"8\"/><field name=\"IF\" start=\"9\" end=\"9\"/>"
             "<field name=\"DF\" start=\"10\" end=\"10\"/>"
             "<field name=\"OF\" start=\"11\" end=\"11\"/>"
             "<field name=\"NT\" start=\"14\" end=\"14\"/>"
             "<field name=\"RF\" start=\"16\" end=\"16\"/>"
             "<field name=\"VM\" start=\"17\" end=\"17\"/>"
             "<field name=\"AC\" start=\"18\" end=\"18\"/>"
             "<field name=\"VIF\" start=\"19\" end=\"19\"/>"
             "<field name=\"VIP\" start=\"20\" end=\"20\"/>"
             "<field name=\"ID\" start=\"21\" end=\"21\"/></flags>");
    for (unsigned n = 0; n < FIRST_ST; n++)
        text_add(t, "<reg name=\"%s\" bitsize=\"32\" type=\"%s\"/>", core[n],
                 n == CORE_EIP                ? "code_ptr"
                 : n == 4 || n == 5           ? "data_ptr"
                 : !strcmp(core[n], "eflags") ? "i386_eflags"
                                              : "int32");
    for (unsigned n = 0; n < 8; n++)
        text_add(t, "<reg name=\"st%u\" bitsize=\"80\" type=\"i387_ext\"/>", n);
    for (unsigned n = 0; n < X87_CONTROL; n++)
        text_add(t, "<reg name=\"%s\" bitsize=\"32\" type=\"int\" group=\"float\"/>", x87[n]);
    text_add(t, "</feature>");
}

void gdb_describe(struct text *t)
{
    text_add(t, "<?xml version=\"1.0\"?><!DOCTYPE target SYSTEM \"gdb-target.dtd\">"
                "<target version=\"1.0\"><architecture>i386</architecture>");
    describe_core(t);
    text_add(t, "<feature name=\"org.gnu.gdb.i386.sse\">"
                "<vector id=\"v4f\" type=\"ieee_single\" count=\"4\"/>"
                "<vector id=\"v2d\" type=\"ieee_double\" count=\"2\"/>"
                "<vector id=\"v16i8\" type=\"int8\" count=\"16\"/>"
                "<vector id=\"v4i32\" type=\"int32\" count=\"4\"/>"
                "<vector id=\"v2i64\" type=\"int64\" count=\"2\"/>"
                "<union id=\"vec128\"><field name=\"v4_float\" type=\"v4f\"/>"
                "<field name=\"v2_double\" type=\"v2d\"/><field name=\"v16_int8\" type=\"v16i8\"/>"
                "<field name=\"v4_int32\" type=\"v4i32\"/><field name=\"v2_int64\" type=\"v2i64\"/>"
                "<field name=\"uint128\" type=\"uint128\"/></union>");
    for (unsigned n = 0; n < 8; n++)
        text_add(t, "<reg name=\"xmm%u\" bitsize=\"128\" type=\"vec128\"/>", n);
    text_add(t, "<reg name=\"mxcsr\" bitsize=\"32\" type=\"int\" group=\"vector\"/></feature>"
                "<feature name=\"org.prescient.i386.system\">");
    for (unsigned n = 0; n < ARRAY_LEN(system_names); n++)
        text_add(t, "<reg name=\"%s\" bitsize=\"32\" type=\"int32\" group=\"system\"/>",
                 system_names[n]);
    text_add(t, "</feature></target>");
}

/* The image of FXSAVE (SDM vol. 1, 10.5.1) with the guest's registers in it. */
static u8 *fpu_image(struct cpu *cpu)
{
    if (cpu->fpu.live)
        fpu_save_live(cpu);
    return cpu->fpu.image;
}

/* The two tag bits of a register's value: valid, zero, special. */
static unsigned tag_of(const u8 *st)
{
    unsigned exponent = load_le16(st + 8) & 0x7fff;
    u64 mantissa = load_le64(st);
    if (!exponent && !mantissa)
        return 1;
    return exponent == 0x7fff || !exponent || !(mantissa >> 63) ? 2 : 0;
}

/* FSAVE's tag word out of FXSAVE's, which has one bit a register. */
static u32 full_tags(const u8 *image)
{
    unsigned top = load_le16(image + 2) >> 11 & 7;
    u32 tags = 0;
    for (unsigned n = 0; n < 8; n++) {
        bool used = image[4] >> n & 1;
        tags |= (used ? tag_of(image + 32 + 16 * ((n - top) & 7)) : 3u) << 2 * n;
    }
    return tags;
}

static u32 x87_read(struct cpu *cpu, unsigned n)
{
    const u8 *image = fpu_image(cpu);
    switch (n) {
    case 0: return load_le16(image);
    case 1: return load_le16(image + 2);
    case 2: return full_tags(image);
    case 3: return cpu->fpu.fcs;
    case 4: return (u32)cpu->fpu.fip;
    case 5: return cpu->fpu.fds;
    case 6: return (u32)cpu->fpu.fdp;
    default: return cpu->fpu.fop;
    }
}

static void x87_write(struct cpu *cpu, unsigned n, u32 value)
{
    u8 *image = fpu_image(cpu);
    switch (n) {
    case 0: store_le16(image, (u16)value); break;
    case 1: store_le16(image + 2, (u16)value); break;
    case 2:
        image[4] = 0;
        for (unsigned r = 0; r < 8; r++)
            image[4] |= (u8)(((value >> 2 * r & 3) != 3) << r);
        break;
    case 3: cpu->fpu.fcs = (u16)value; break;
    case 4: cpu->fpu.fip = value; break;
    case 5: cpu->fpu.fds = (u16)value; break;
    case 6: cpu->fpu.fdp = value; break;
    default: cpu->fpu.fop = value & 0x7ff;
    }
}

/* What gdb sees of a register in the table: linear addresses for eip and esp. */
static u64 shown_base(const struct cpu *cpu, unsigned n)
{
    return n == CORE_EIP ? cpu->seg[SEG_CS].base : n == CORE_ESP ? cpu->seg[SEG_SS].base : 0;
}

static unsigned named_read(struct cpu *cpu, const char *name, u64 base, u8 *bytes)
{
    u64 value = 0;
    register_read(cpu, name, &value);
    if (base && !strcmp(name, "esp"))
        value &= cpu->stack_mask;
    store_le32(bytes, (u32)(value + base));
    return 4;
}

unsigned gdb_register_read(struct cpu *cpu, unsigned n, u8 bytes[GDB_REGISTER_MAX])
{
    if (n < FIRST_ST)
        return named_read(cpu, core[n], shown_base(cpu, n), bytes);
    if (n < FIRST_X87) {
        memcpy(bytes, fpu_image(cpu) + 32 + 16 * (n - FIRST_ST), 10);
        return 10;
    }
    if (n < FIRST_XMM) {
        store_le32(bytes, x87_read(cpu, n - FIRST_X87));
        return 4;
    }
    if (n < MXCSR) {
        memcpy(bytes, cpu->fpu.xmm[n - FIRST_XMM].b, 16);
        return 16;
    }
    if (n >= GDB_REGISTERS)
        return 0;
    return named_read(cpu, n == MXCSR ? "mxcsr" : system_names[n - FIRST_SYSTEM], 0, bytes);
}

/* Sets it when it differs: what cannot be set may be written back as it was. */
static bool named_write(struct cpu *cpu, const char *name, u64 base, const u8 *bytes)
{
    u8 old[GDB_REGISTER_MAX];
    u64 value = load_le32(bytes);
    named_read(cpu, name, base, old);
    if (load_le32(old) == value)
        return true;
    return register_write(cpu, name, (u32)(value - base), NULL);
}

bool gdb_register_write(struct cpu *cpu, unsigned n, const u8 bytes[GDB_REGISTER_MAX])
{
    if (n < FIRST_ST)
        return named_write(cpu, core[n], shown_base(cpu, n), bytes);
    if (n < FIRST_X87)
        memcpy(fpu_image(cpu) + 32 + 16 * (n - FIRST_ST), bytes, 10);
    else if (n < FIRST_XMM)
        x87_write(cpu, n - FIRST_X87, load_le32(bytes));
    else if (n < MXCSR)
        memcpy(cpu->fpu.xmm[n - FIRST_XMM].b, bytes, 16);
    else
        return n < GDB_REGISTERS &&
               named_write(cpu, n == MXCSR ? "mxcsr" : system_names[n - FIRST_SYSTEM], 0, bytes);
    return true;
}
