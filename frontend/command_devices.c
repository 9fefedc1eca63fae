/* Monitor commands that show the board's chips: PCI functions, interrupt controllers, counts of
 * interrupts. */
/* SPDX-License-Identifier: MIT */
#include <inttypes.h>

#include "cpu/explain.h"
#include "cpu/mem.h"
#include "frontend/command.h"
#include "hw/i8259.h"
#include "hw/ioapic.h"
#include "hw/lapic.h"
#include "hw/pc.h"
#include "hw/pci.h"

enum { FUNCTIONS = 256, VECTORS = 256 };

/* PCI */

static void show_bar(const struct pci_device *d, unsigned n, struct text *out)
{
    static const char *const kinds[] = {[PCI_BAR_IO] = "I/O at",
                                        [PCI_BAR_MMIO] = "memory at",
                                        [PCI_BAR_RAM] = "RAM at",
                                        [PCI_BAR_OPTION_ROM] = "ROM at"};
    const struct pci_bar *bar = &d->bar[n];
    if (bar->kind == PCI_BAR_NONE)
        return;
    text_add(out, "        BAR%u: %s ", n, kinds[bar->kind]);
    if (bar->mapped)
        text_add(out, "%08x-%08x\n", bar->mapped, bar->mapped + bar->size - 1);
    else
        text_add(out, "nowhere, %x bytes\n", bar->size);
}

static void show_function(const struct pci_device *d, struct text *out)
{
    const u8 *c = d->config;
    text_add(out, "00:%02x.%u %s: %04x:%04x, class %02x%02x%02x", d->devfn >> 3, d->devfn & 7,
             d->name, load_le16(c + PCI_VENDOR_ID), load_le16(c + PCI_DEVICE_ID),
             c[PCI_CLASS_DEVICE + 1], c[PCI_CLASS_DEVICE], c[PCI_CLASS_PROG]);
    if (c[PCI_INTERRUPT_PIN])
        text_add(out, ", INT%c# on IRQ %u%s", 'A' + c[PCI_INTERRUPT_PIN] - 1, c[PCI_INTERRUPT_LINE],
                 d->intx ? ", asserted" : "");
    text_add(out, pci_is_master(d) ? ", bus master\n" : "\n");
    for (unsigned n = 0; n < PCI_BARS; n++)
        show_bar(d, n, out);
}

void command_info_pci(struct monitor *mon, const char *args, struct text *out)
{
    const struct pci_bus *bus = pc_pci(machine_pc(mon->m));
    if (!arg_end(args, out))
        return;
    for (unsigned n = 0; n < FUNCTIONS; n++) {
        const struct pci_device *d = pci_find(bus, n);
        if (d)
            show_function(d, out);
    }
}

/* Interrupt controllers */

static void show_8259(const struct i8259 *pic, struct text *out)
{
    for (unsigned n = 0; n < 2; n++) {
        struct i8259_view v = i8259_view(pic, n);
        text_add(out, "8259 %s: vectors from %02x; irr=%02x isr=%02x imr=%02x elcr=%02x\n",
                 n ? "slave" : "master", v.base, v.irr, v.isr, v.imr, v.elcr);
    }
}

static const char *apic_mode_name(u64 entry)
{
    static const char *const modes[] = {"fixed", "lowest", "SMI",     "3",
                                        "NMI",   "INIT",   "startup", "ExtINT"};
    return modes[entry >> 8 & 7];
}

static void show_ioapic(const struct ioapic *a, struct text *out)
{
    for (unsigned n = 0; n < IOAPIC_PINS; n++) {
        u64 e = ioapic_entry(a, n);
        if (e >> 16 & 1 && !ioapic_asserted(a, n))
            continue;
        text_add(out, "IO-APIC input %2u: vector %02x, %s, %s, to %s %02x%s%s%s\n", n, (u8)e,
                 apic_mode_name(e), e >> 15 & 1 ? "level" : "edge",
                 e >> 11 & 1 ? "logical" : "APIC", (u8)(e >> 56), e >> 16 & 1 ? ", masked" : "",
                 e >> 14 & 1 ? ", in service" : "", ioapic_asserted(a, n) ? ", asserted" : "");
    }
}

static void show_set(const char *name, const u32 set[8], struct text *out)
{
    text_add(out, "; %s:", name);
    bool any = false;
    for (unsigned n = 0; n < VECTORS; n++) {
        if (set[n / 32] >> n % 32 & 1) {
            text_add(out, " %02x", n);
            any = true;
        }
    }
    text_add(out, any ? "" : " none");
}

static void show_lapic(const struct lapic *l, struct text *out)
{
    static const char *const names[] = {"timer", "thermal", "performance",
                                        "LINT0", "LINT1",   "error"};
    struct lapic_view v;
    lapic_view(l, &v);
    text_add(out, "local APIC %u: %s, TPR %02x", v.id, v.enabled ? "enabled" : "disabled", v.tpr);
    show_set("requested", v.irr, out);
    show_set("in service", v.isr, out);
    text_add(out, "\n");
    for (unsigned n = 0; n < ARRAY_LEN(names); n++)
        if (!(v.lvt[n] >> 16 & 1))
            text_add(out, "local APIC %s: vector %02x, %s\n", names[n], (u8)v.lvt[n],
                     apic_mode_name(v.lvt[n]));
}

void command_info_pic(struct monitor *mon, const char *args, struct text *out)
{
    struct pc *pc = machine_pc(mon->m);
    if (!arg_end(args, out))
        return;
    show_8259(pc_pic(pc), out);
    show_ioapic(pc_ioapic(pc), out);
    show_lapic(pc_lapic(pc), out);
}

/* Where the IDT, or the table of real mode, leads to. */
static bool handler_of(struct cpu *cpu, unsigned vector, u64 *lin)
{
    u8 d[8];
    if (!(cpu->cr0 & CR0_PE)) {
        *lin = 0;
        if (mem_peek(cpu, (u32)(cpu->idtr.base + 4 * vector), d, 4) < 4)
            return false;
        *lin = ((u64)load_le16(d + 2) << 4) + load_le16(d);
        return true;
    }
    if (vector * 8u + 7 > cpu->idtr.limit ||
        mem_peek(cpu, (u32)(cpu->idtr.base + 8 * vector), d, 8) < 8)
        return false;
    *lin = load_le16(d) | (u32)load_le16(d + 6) << 16;
    return d[5] & 0x80;
}

static u64 show_count(struct monitor *mon, unsigned vector, const char *what, u64 count,
                      struct text *out)
{
    u64 lin;
    char name[128];
    if (!count)
        return 0;
    text_add(out, "%02x %s: %" PRIu64, vector, what, count);
    if (handler_of(mon->cpu, vector, &lin)) {
        text_add(out, ", handler %08" PRIx64, lin);
        if (*symbols_name(mon->symbols, lin, name, sizeof name))
            text_add(out, " <%s>", name);
    }
    text_add(out, "\n");
    return count;
}

void command_info_irq(struct monitor *mon, const char *args, struct text *out)
{
    const struct debugger *d = mon->cpu->debugger;
    u64 total = 0;
    if (!arg_end(args, out))
        return;
    for (unsigned n = 0; n < ARRAY_LEN(d->exceptions_taken); n++)
        total += show_count(mon, n, explain_name(n), d->exceptions_taken[n], out);
    for (unsigned n = 0; n < ARRAY_LEN(d->interrupts_taken); n++)
        total += show_count(mon, n, "interrupt", d->interrupts_taken[n], out);
    if (!total)
        text_add(out, "none since the monitor was opened\n");
}
