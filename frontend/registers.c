/* The CPU's registers by name: read, set, shown. */
/* SPDX-License-Identifier: MIT */
#include "frontend/registers.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cpu/breakpoint.h"
#include "cpu/control.h"
#include "cpu/fpu.h"
#include "cpu/segment.h"

/* A register that is a plain field. */
struct plain {
    const char *name; /* lower case */
    u16 offset;       /* in struct cpu */
    u8 size;          /* bytes */
};

#define GPR(name, n, shift, size)                                                                  \
    {                                                                                              \
        name, offsetof(struct cpu, regs) + 8 * (n) + (shift), size                                 \
    }
#define FIELD(name, f, size)                                                                       \
    {                                                                                              \
        name, offsetof(struct cpu, f), size                                                        \
    }

static const struct plain plains[] = {
    GPR("eax", RAX, 0, 4),
    GPR("ecx", RCX, 0, 4),
    GPR("edx", RDX, 0, 4),
    GPR("ebx", RBX, 0, 4),
    GPR("esp", RSP, 0, 4),
    GPR("ebp", RBP, 0, 4),
    GPR("esi", RSI, 0, 4),
    GPR("edi", RDI, 0, 4),
    GPR("ax", RAX, 0, 2),
    GPR("cx", RCX, 0, 2),
    GPR("dx", RDX, 0, 2),
    GPR("bx", RBX, 0, 2),
    GPR("sp", RSP, 0, 2),
    GPR("bp", RBP, 0, 2),
    GPR("si", RSI, 0, 2),
    GPR("di", RDI, 0, 2),
    GPR("al", RAX, 0, 1),
    GPR("cl", RCX, 0, 1),
    GPR("dl", RDX, 0, 1),
    GPR("bl", RBX, 0, 1),
    GPR("ah", RAX, 1, 1),
    GPR("ch", RCX, 1, 1),
    GPR("dh", RDX, 1, 1),
    GPR("bh", RBX, 1, 1),
    FIELD("eip", rip, 4),
    FIELD("pc", rip, 4),
    FIELD("es", seg[SEG_ES].selector, 2),
    FIELD("cs", seg[SEG_CS].selector, 2),
    FIELD("ss", seg[SEG_SS].selector, 2),
    FIELD("ds", seg[SEG_DS].selector, 2),
    FIELD("fs", seg[SEG_FS].selector, 2),
    FIELD("gs", seg[SEG_GS].selector, 2),
    FIELD("ldtr", seg[SEG_LDTR].selector, 2),
    FIELD("tr", seg[SEG_TR].selector, 2),
    FIELD("es_base", seg[SEG_ES].base, 4),
    FIELD("cs_base", seg[SEG_CS].base, 4),
    FIELD("ss_base", seg[SEG_SS].base, 4),
    FIELD("ds_base", seg[SEG_DS].base, 4),
    FIELD("fs_base", seg[SEG_FS].base, 4),
    FIELD("gs_base", seg[SEG_GS].base, 4),
    FIELD("gdtr", gdtr.base, 4),
    FIELD("idtr", idtr.base, 4),
    FIELD("cr0", cr0, 4),
    FIELD("cr2", cr2, 4),
    FIELD("cr3", cr3, 4),
    FIELD("cr4", cr4, 4),
    FIELD("cr8", cr8, 4),
    FIELD("dr0", dr[0], 4),
    FIELD("dr1", dr[1], 4),
    FIELD("dr2", dr[2], 4),
    FIELD("dr3", dr[3], 4),
    FIELD("dr6", dr[6], 4),
    FIELD("dr7", dr[7], 4),
    FIELD("efer", efer, 8),
    FIELD("cpl", cpl, 1),
    FIELD("icount", icount, 8),
};

static const struct plain *plain_find(const char *name)
{
    for (size_t n = 0; n < ARRAY_LEN(plains); n++)
        if (!strcmp(plains[n].name, name))
            return &plains[n];
    return NULL;
}

bool register_read(struct cpu *cpu, const char *name, u64 *value)
{
    const struct plain *p = plain_find(name);
    *value = 0;
    if (p)
        memcpy(value, (const u8 *)cpu + p->offset, p->size);
    else if (!strcmp(name, "eflags"))
        *value = cpu_eflags(cpu);
    else if (!strcmp(name, "mxcsr"))
        *value = fpu_mxcsr(cpu);
    else
        return false;
    return true;
}

static bool load_segment(struct cpu *cpu, unsigned reg, u16 selector, struct error *err)
{
    jmp_buf outer;
    volatile bool good = true;
    if (!cpu_protected(cpu)) {
        segment_set_real(cpu, reg, selector);
        cpu_update_mode(cpu);
        return true;
    }
    if (reg >= SEG_LDTR || reg == SEG_CS)
        return error_set(err, "in protected mode only a far transfer or task switch loads it");
    memcpy(outer, cpu->escape, sizeof outer);
    if (setjmp(cpu->escape))
        good = error_set(err, "the CPU refuses selector 0x%x: %s", selector, cpu->fault.why);
    else
        segment_load(cpu, reg, selector);
    memcpy(cpu->escape, outer, sizeof outer);
    cpu_update_mode(cpu);
    return good;
}

static bool write_control(struct cpu *cpu, const char *name, u64 value, struct error *err)
{
    const char *why = NULL;
    switch (name[2]) {
    case '0': why = control_write_cr0(cpu, value); break;
    case '2': cpu->cr2 = value; break;
    case '3': why = control_write_cr3(cpu, value); break;
    case '4': why = control_write_cr4(cpu, value); break;
    default: why = "it cannot be set";
    }
    return !why || error_set(err, "%s: %s", name, why);
}

/* Segment register by its name, or -1. */
static int segment_number(const char *name)
{
    static const char *const names[] = {"es", "cs", "ss", "ds", "fs", "gs", "ldtr", "tr"};
    for (unsigned n = 0; n < ARRAY_LEN(names); n++)
        if (!strcmp(names[n], name))
            return (int)n;
    return -1;
}

bool register_write(struct cpu *cpu, const char *name, u64 value, struct error *err)
{
    const struct plain *p = plain_find(name);
    int seg = segment_number(name);
    if (seg >= 0)
        return load_segment(cpu, (unsigned)seg, (u16)value, err);
    if (!strcmp(name, "eflags")) {
        cpu_set_eflags(cpu, (u32)value,
                       FLAGS_ARITH | FLAG_TF | FLAG_IF | FLAG_DF | FLAG_IOPL | FLAG_NT | FLAG_RF |
                           FLAG_AC | FLAG_ID);
        return true;
    }
    if (!strcmp(name, "mxcsr")) {
        fpu_set_mxcsr(cpu, (u32)value & 0xffff);
        return true;
    }
    if (!p)
        return error_set(err, "there is no register %s", name);
    if (name[0] == 'c' && name[1] == 'r' && !name[3])
        return write_control(cpu, name, value, err);
    if (name[0] == 'd' && name[1] == 'r' && !name[3]) {
        control_write_dr(cpu, (unsigned)(name[2] - '0'), value);
        return true;
    }
    if (p->offset < offsetof(struct cpu, rip) || !strcmp(name, "eip") || !strcmp(name, "pc")) {
        memcpy((u8 *)cpu + p->offset, &value, p->size);
        return true;
    }
    return error_set(err, "%s can only be read", name);
}

const char *mode_name(struct cpu *cpu)
{
    static const char *const names[] = {
        [CPU_REAL] = "real mode",
        [CPU_V86] = "virtual-8086 mode",
        [CPU_PROT16] = "protected mode, 16 bit",
        [CPU_PROT32] = "protected mode, 32 bit",
        [CPU_LONG] = "64-bit mode",
    };
    return names[cpu_mode(cpu)];
}

void registers_show_eflags(u32 eflags, struct text *t)
{
    static const char names[] = "cf - pf - af - zf sf tf if df of - - nt - rf vm ac vif vip id";
    const char *p = names;
    text_add(t, "iopl=%u", eflags >> 12 & 3);
    for (unsigned n = 0; n < 22; n++) {
        int len = (int)strcspn(p, " ");
        if (*p != '-' && eflags >> n & 1)
            text_add(t, " %.*s", len, p);
        p += len + (p[len] == ' ');
    }
}

void registers_show_segments(struct cpu *cpu, struct text *t)
{
    static const char *const names[] = {"ES", "CS", "SS", "DS", "FS", "GS", "LDT", "TR"};
    for (unsigned n = 0; n < SEG_COUNT; n++) {
        const struct segment *s = &cpu->seg[n];
        text_add(t, "%-3s=%04x %08x %08x %08x DPL=%u %s%s\n", names[n], s->selector, (u32)s->base,
                 s->limit, s->attr, s->attr >> DESC_DPL_SHIFT & 3,
                 !(s->attr & DESC_P)   ? "not present"
                 : !(s->attr & DESC_S) ? "system"
                 : s->attr & DESC_CODE ? "code"
                 : s->attr & DESC_EC   ? "data, expand-down"
                                       : "data",
                 (s->attr & DESC_S) && (s->attr & DESC_DB) ? ", 32 bit" : "");
    }
    text_add(t, "GDT=     %08x %08x\nIDT=     %08x %08x\n", (u32)cpu->gdtr.base, cpu->gdtr.limit,
             (u32)cpu->idtr.base, cpu->idtr.limit);
}

void registers_show_control(struct cpu *cpu, struct text *t)
{
    static const char *const cr0[32] = {
        [0] = "PE",  [1] = "MP",  [2] = "EM",  [3] = "TS",  [4] = "ET", [5] = "NE",
        [16] = "WP", [18] = "AM", [29] = "NW", [30] = "CD", [31] = "PG"};
    static const char *const cr4[11] = {"VME", "PVI", "TSD", "DE",   "PSE",     "PAE",
                                        "MCE", "PGE", "PCE", "FXSR", "XMMEXCPT"};
    text_add(t, "CR0=%08x CR2=%08x CR3=%08x CR4=%08x EFER=%" PRIx64 "\n", (u32)cpu->cr0,
             (u32)cpu->cr2, (u32)cpu->cr3, (u32)cpu->cr4, cpu->efer);
    text_add(t, "CR0:");
    for (unsigned n = 0; n < 32; n++)
        if (cr0[n] && cpu->cr0 >> n & 1)
            text_add(t, " %s", cr0[n]);
    text_add(t, "\nCR4:");
    for (unsigned n = 0; n < ARRAY_LEN(cr4); n++)
        if (cpu->cr4 >> n & 1)
            text_add(t, " %s", cr4[n]);
    text_add(t, "\n");
}

void registers_show_debug(struct cpu *cpu, struct text *t)
{
    text_add(t, "DR0=%08x DR1=%08x DR2=%08x DR3=%08x\nDR6=%08x DR7=%08x\n", (u32)cpu->dr[0],
             (u32)cpu->dr[1], (u32)cpu->dr[2], (u32)cpu->dr[3], (u32)cpu->dr[6], (u32)cpu->dr[7]);
}

void registers_show(struct cpu *cpu, struct text *t)
{
    const u64 *r = cpu->regs;
    text_add(t, "EAX=%08x EBX=%08x ECX=%08x EDX=%08x\n", (u32)r[RAX], (u32)r[RBX], (u32)r[RCX],
             (u32)r[RDX]);
    text_add(t, "ESI=%08x EDI=%08x EBP=%08x ESP=%08x\n", (u32)r[RSI], (u32)r[RDI], (u32)r[RBP],
             (u32)r[RSP]);
    text_add(t, "EIP=%08x EFL=%08x [", (u32)cpu->rip, cpu_eflags(cpu));
    registers_show_eflags(cpu_eflags(cpu), t);
    text_add(t, "] CPL=%u A20=%d SMM=%d HLT=%d\n%s\n", cpu->cpl, physmem_a20(cpu->mem), cpu->in_smm,
             cpu->halted, mode_name(cpu));
    registers_show_segments(cpu, t);
    registers_show_control(cpu, t);
    registers_show_debug(cpu, t);
}

void registers_show_fpu(struct cpu *cpu, struct text *t)
{
    if (cpu->fpu.live)
        fpu_save_live(cpu);
    const u8 *image = cpu->fpu.image;
    u16 sw = load_le16(image + 2);
    text_add(t, "FCW=%04x FSW=%04x [top %u] FTW=%02x MXCSR=%08x\n", load_le16(image), sw,
             sw >> 11 & 7, image[4], fpu_mxcsr(cpu));
    for (unsigned n = 0; n < 8; n++)
        text_add(t, "ST%u=%04x %016" PRIx64 "%s", n, load_le16(image + 32 + 16 * n + 8),
                 load_le64(image + 32 + 16 * n), n & 1 ? "\n" : "  ");
    for (unsigned n = 0; n < 8; n++)
        text_add(t, "XMM%u=%016" PRIx64 "%016" PRIx64 "%s", n, cpu->fpu.xmm[n].q[1],
                 cpu->fpu.xmm[n].q[0], n & 1 ? "\n" : "  ");
}
