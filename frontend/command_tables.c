/* Monitor commands that show the descriptor tables and the TSS (SDM vol. 3, chapters 3, 6, 7). */
/* SPDX-License-Identifier: MIT */
#include <inttypes.h>
#include <string.h>

#include "cpu/explain.h"
#include "cpu/mem.h"
#include "frontend/command.h"

static bool is_gate(u8 access)
{
    unsigned type = access & 0x1f;
    return type == 4 || type == 5 || type == 6 || type == 7 || type == 12 || type == 14 ||
           type == 15;
}

static void show_gate(struct monitor *mon, const u8 d[8], struct text *out)
{
    char name[128];
    u16 selector = load_le16(d + 2);
    u32 offset = load_le16(d) | (d[5] & 8 ? (u32)load_le16(d + 6) << 16 : 0);
    text_add(out, "%04x:%08x DPL=%u %s", selector, offset, d[5] >> 5 & 3, explain_type(d[5]));
    if (*symbols_name(mon->symbols, offset, name, sizeof name))
        text_add(out, " <%s>", name);
}

static void show_segment(const u8 d[8], struct text *out)
{
    u32 base = load_le16(d + 2) | (u32)d[4] << 16 | (u32)d[7] << 24;
    u32 limit = load_le16(d) | (u32)(d[6] & 15) << 16;
    bool code_or_data = d[5] & 0x10;
    if (d[6] & 0x80)
        limit = limit << 12 | 0xfff;
    text_add(out, "base=%08x limit=%08x DPL=%u %s", base, limit, d[5] >> 5 & 3, explain_type(d[5]));
    if (code_or_data)
        text_add(out, "%s%s", d[6] & 0x40 ? ", 32 bit" : ", 16 bit", d[5] & 1 ? ", accessed" : "");
}

static void show_descriptor(struct monitor *mon, const u8 d[8], struct text *out)
{
    if (is_gate(d[5]))
        show_gate(mon, d, out);
    else
        show_segment(d, out);
    text_add(out, d[5] & 0x80 ? "\n" : ", not present\n");
}

/* Entry n of a table, or all that are not zero. */
static void show_table(struct monitor *mon, const char *name, u64 base, u32 limit, const char *args,
                       struct text *out)
{
    u64 first = 0, last = ((u64)limit + 1) / 8;
    bool one = args[strspn(args, " \t")];
    if (one) {
        if (!arg_value(mon, &args, &first, out) || !arg_end(args, out))
            return;
        if (first >= last) {
            text_add(out, "the %s has %" PRIu64 " entries\n", name, last);
            return;
        }
        last = first + 1;
    }
    text_add(out, "%s at %08" PRIx64 ", limit %04x\n", name, base, limit);
    for (u64 n = first; n < last && n < 8192; n++) {
        u8 d[8];
        if (mem_peek(mon->cpu, (u32)(base + 8 * n), d, 8) < 8) {
            text_add(out, "%04" PRIx64 ": not mapped\n", n * 8);
            return;
        }
        if (!one && !load_le64(d))
            continue;
        text_add(out, strcmp(name, "IDT") ? "%04" PRIx64 ": " : "%02" PRIx64 ": ",
                 strcmp(name, "IDT") ? n * 8 : n);
        show_descriptor(mon, d, out);
    }
}

void command_info_gdt(struct monitor *mon, const char *args, struct text *out)
{
    show_table(mon, "GDT", mon->cpu->gdtr.base, mon->cpu->gdtr.limit, args, out);
}

void command_info_ldt(struct monitor *mon, const char *args, struct text *out)
{
    const struct segment *ldt = &mon->cpu->seg[SEG_LDTR];
    if (!(ldt->selector & ~3))
        text_add(out, "LDTR is null\n");
    else
        show_table(mon, "LDT", ldt->base, ldt->limit, args, out);
}

static void show_vectors(struct monitor *mon, struct text *out)
{
    for (unsigned n = 0; n < 256 && n * 4 + 3 <= mon->cpu->idtr.limit; n++) {
        u8 v[4];
        if (mem_peek(mon->cpu, (u32)(mon->cpu->idtr.base + 4 * n), v, 4) == 4)
            text_add(out, "%02x: %04x:%04x%s", n, load_le16(v + 2), load_le16(v),
                     n % 4 == 3 ? "\n" : "  ");
    }
}

void command_info_idt(struct monitor *mon, const char *args, struct text *out)
{
    if (cpu_mode(mon->cpu) == CPU_REAL)
        show_vectors(mon, out);
    else
        show_table(mon, "IDT", mon->cpu->idtr.base, mon->cpu->idtr.limit, args, out);
}

/* Fields of a 32-bit TSS (vol. 3, figure 7-2) that matter without a task switch come first. */
void command_info_tss(struct monitor *mon, const char *args, struct text *out)
{
    static const struct {
        const char *name; /* as the SDM has it */
        u8 offset;        /* in the TSS */
    } fields[] = {{"SS0", 8},   {"ESP0", 4}, {"SS1", 16}, {"ESP1", 12},   {"SS2", 24},
                  {"ESP2", 20}, {"CR3", 28}, {"EIP", 32}, {"EFLAGS", 36}, {"EAX", 40},
                  {"ECX", 44},  {"EDX", 48}, {"EBX", 52}, {"ESP", 56},    {"EBP", 60},
                  {"ESI", 64},  {"EDI", 68}, {"ES", 72},  {"CS", 76},     {"SS", 80},
                  {"DS", 84},   {"FS", 88},  {"GS", 92},  {"LDT", 96},    {"LINK", 0}};
    const struct segment *tr = &mon->cpu->seg[SEG_TR];
    u8 tss[104];
    (void)args;
    text_add(out, "TR=%04x base=%08" PRIx64 " limit=%08x\n", tr->selector, tr->base, tr->limit);
    if (!(tr->attr & BIT(11)) || tr->limit < 103) {
        text_add(out, "not a 32-bit TSS\n");
        return;
    }
    if (mem_peek(mon->cpu, tr->base, tss, sizeof tss) < sizeof tss) {
        text_add(out, "not mapped\n");
        return;
    }
    for (unsigned n = 0; n < ARRAY_LEN(fields); n++)
        text_add(out, "%-6s %08x%s", fields[n].name, load_le32(tss + fields[n].offset),
                 n % 4 == 3 ? "\n" : "  ");
    text_add(out, "\nI/O map at offset %04x\n", load_le16(tss + 102));
}
