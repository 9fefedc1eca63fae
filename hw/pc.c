/* The board's wiring: which chip sits at which port, drives which wire, and how the CPU meets them.
 */
/* SPDX-License-Identifier: MIT */
#include "hw/pc.h"

#include <stdlib.h>
#include <string.h>

#include "cpu/cpu.h"
#include "cpu/fpu.h"
#include "hw/bootport.h"
#include "hw/debugport.h"
#include "hw/dp8390.h"
#include "hw/floppy.h"
#include "hw/fw_cfg.h"
#include "hw/hpet.h"
#include "hw/i440fx.h"
#include "hw/i8042.h"
#include "hw/i82078.h"
#include "hw/i8237.h"
#include "hw/i8254.h"
#include "hw/i82540.h"
#include "hw/i8259.h"
#include "hw/ide.h"
#include "hw/ioapic.h"
#include "hw/isa_debug_exit.h"
#include "hw/lapic.h"
#include "hw/mc146818.h"
#include "hw/ns16550.h"
#include "hw/piix3.h"
#include "hw/piix4_pm.h"
#include "hw/port61.h"
#include "hw/port92.h"
#include "hw/ps2.h"
#include "hw/rtl8139.h"
#include "hw/vga.h"
#include "hw/virtio_devices.h"
#include "hw/vmport.h"

/* PCI slots behind the bridges and the VGA. */
enum { SLOT_NIC = 3, SLOT_DISK = SLOT_NIC + PC_NICS, SLOT_RNG = SLOT_DISK + PC_VIRTIO_DISKS };
enum { SLOT_BALLOON = SLOT_RNG + 1, SLOT_CONSOLE };

struct pc {
    struct cpu *cpu;         /* the processor */
    struct board *board;     /* everything on the board */
    struct pc_config config; /* whom to tell; its pointers into files are not used after creation */
    struct pci_bus *pci;     /* bus 0 */
    struct i440fx *i440fx;   /* host bridge */
    struct piix3 *piix3;     /* ISA bridge */
    struct piix4_pm *pm;     /* power management */
    struct i8259 *pic;       /* interrupt controllers */
    struct ioapic *ioapic;   /* the other one */
    struct lapic *lapic;     /* the CPU's local APIC */
    struct hpet *hpet;       /* event timers, which can take the next two's interrupts */
    struct i8254 *pit;       /* timer */
    struct i8237 *dma;       /* DMA controllers */
    struct mc146818 *rtc;    /* clock and CMOS */
    struct ps2_keyboard *keyboard;  /* on the keyboard controller */
    struct ps2_mouse *mouse;        /* on its other port */
    struct vmport *vmport;          /* VMware backdoor, or NULL */
    struct vga *vga;                /* display adapter */
    struct ide *ide;                /* disks */
    struct i82078 *fdc;             /* floppy disks */
    struct virtio_balloon *balloon; /* or NULL */
    struct fw_cfg *fw_cfg;          /* what the firmware asks */
};

/* The boot order that the CMOS holds: nibbles of 1 floppy, 2 disk, 3 CD, 4 network. */
static void set_boot_order(struct pc *pc, const char *order)
{
    static const char letters[] = "acdn";
    u8 device[3] = {0};
    for (unsigned n = 0; n < 3 && order[n]; n++)
        device[n] = (u8)(strchr(letters, order[n]) - letters + 1);
    mc146818_set_cmos(pc->rtc, 0x3d, (u8)(device[0] | device[1] << 4));
    mc146818_set_cmos(pc->rtc, 0x38, (u8)(device[2] << 4 | 1 /* no floppy signature check */));
}

/* Memory sizes as AT and later BIOSes keep them in CMOS. */
static void set_cmos_memory(struct pc *pc)
{
    u64 low = physmem_low(pc->board->mem), high = physmem_high(pc->board->mem);
    u64 extended = low > 0x100000 ? (low - 0x100000) >> 10 : 0;
    u64 above_16m = low > 0x1000000 ? (low - 0x1000000) >> 16 : 0;
    extended = extended > 0xffff ? 0xffff : extended;
    const u16 word[][2] = {{0x15, 640},
                           {0x17, (u16)extended},
                           {0x30, (u16)extended},
                           {0x34, (u16)(above_16m > 0xffff ? 0xffff : above_16m)},
                           {0x5b, (u16)(high >> 16)}};
    for (unsigned n = 0; n < ARRAY_LEN(word); n++) {
        mc146818_set_cmos(pc->rtc, word[n][0], (u8)word[n][1]);
        mc146818_set_cmos(pc->rtc, word[n][0] + 1u, (u8)(word[n][1] >> 8));
    }
    mc146818_set_cmos(pc->rtc, 0x5d, (u8)(high >> 32));
}

/* The equipment byte, and the floppy drives' types in 10h. */
static void set_cmos_floppies(struct pc *pc)
{
    u8 types = 0, equipment = 0x06; /* FPU, PS/2 mouse */
    unsigned count = 0;
    for (unsigned n = 0; n < FLOPPY_DRIVES; n++) {
        const struct pc_drive *d = &pc->config.floppy[n];
        if (d->present)
            types |= (u8)(floppy_cmos_type(d->image) << (n ? 0 : 4)), count++;
    }
    if (count)
        equipment |= (u8)(0x01 | (count - 1) << 6);
    mc146818_set_cmos(pc->rtc, 0x10, types);
    mc146818_set_cmos(pc->rtc, 0x14, equipment);
}

/* The backdoor takes and gives registers. */
static bool backdoor_read(struct pc *pc, u32 *value)
{
    u64 *regs = pc->cpu->regs;
    struct vmport_regs r = {(u32)regs[RAX], (u32)regs[RBX], (u32)regs[RCX], (u32)regs[RDX]};
    if (!vmport_call(pc->vmport, &r))
        return false;
    *value = r.eax;
    regs[RBX] = r.ebx, regs[RCX] = r.ecx, regs[RDX] = r.edx;
    return true;
}

static u32 cpu_io_read(void *opaque, u16 port, unsigned size)
{
    struct pc *pc = opaque;
    u32 value;
    if (port == VMPORT && size == 4 && pc->vmport && backdoor_read(pc, &value))
        return value;
    return ioport_read(((struct pc *)opaque)->board->io, port, size);
}

static void cpu_io_write(void *opaque, u16 port, u32 value, unsigned size)
{
    ioport_write(((struct pc *)opaque)->board->io, port, value, size);
}

/* INTA: the local APIC first, the 8259 for what it passes through. */
static int cpu_acknowledge(void *opaque)
{
    struct pc *pc = opaque;
    int vector = lapic_acknowledge(pc->lapic);
    return vector >= 0 ? vector : i8259_pending(pc->pic) ? i8259_acknowledge(pc->pic) : -1;
}

static void cpu_apic_base(void *opaque, u64 value)
{
    lapic_set_base(((struct pc *)opaque)->lapic, value);
}

static void cpu_smm(void *opaque, bool entered)
{
    i440fx_set_smiact(((struct pc *)opaque)->i440fx, entered);
}

static void cpu_ferr(void *opaque, bool level)
{
    struct irq_line irq13 = i8259_input(((struct pc *)opaque)->pic, 13);
    irq_set(&irq13, level);
}

/* IGNNE# falls by itself when FERR# does. */
static void on_ignore_error(void *opaque)
{
    struct pc *pc = opaque;
    if (!pc->cpu->fpu.ferr)
        return;
    cpu_ferr(pc, false);
    fpu_set_ignne(pc->cpu, true);
}

static void on_smi(void *opaque)
{
    cpu_attention(((struct pc *)opaque)->cpu, ATTENTION_SMI);
}

/* The CPU's INTR pin. */
static void set_intr(void *opaque, unsigned n, bool level)
{
    struct pc *pc = opaque;
    (void)n;
    cpu_set_intr(pc->cpu, level);
}

/* An ISA interrupt reaches both controllers; IRQ 0 is pin 2 of the IO-APIC. */
static void set_isa_irq(void *opaque, unsigned n, bool level)
{
    struct pc *pc = opaque;
    struct irq_line pic = i8259_input(pc->pic, n);
    struct irq_line ioapic = ioapic_line(pc->ioapic, n == 0 ? 2 : n);
    irq_set(&pic, level);
    irq_set(&ioapic, level);
}

/* IRQ 0 where the guest takes it: from the IO-APIC, else from the 8259. */
static enum i8254_tick last_tick(void *opaque)
{
    const struct pc *pc = opaque;
    u8 vector = (u8)ioapic_entry(pc->ioapic, 2);
    if (!ioapic_masked(pc->ioapic, 2))
        return lapic_requested(pc->lapic, vector) ? TICK_WAITS : TICK_TAKEN;
    if (i8259_masked(pc->pic, 0))
        return TICK_MASKED;
    return i8259_requested(pc->pic, 0) ? TICK_WAITS : TICK_TAKEN;
}

static struct irq_line isa_irq(struct pc *pc, unsigned n)
{
    return (struct irq_line){set_isa_irq, pc, n};
}

static void set_a20(void *opaque, unsigned n, bool level)
{
    (void)n;
    physmem_set_a20(((struct pc *)opaque)->board->mem, level);
}

static void set_reset(void *opaque, unsigned n, bool level)
{
    struct pc *pc = opaque;
    (void)n;
    if (level)
        pc->config.reset(pc->config.opaque);
}

static void on_cf9_reset(void *opaque, bool hard)
{
    (void)hard;
    set_reset(opaque, 0, true);
}

static bool map_bios(struct pc *pc)
{
    const struct pc_config *c = &pc->config;
    size_t low = c->bios_size < 0x20000 ? c->bios_size : 0x20000;
    struct board *b = pc->board;
    return physmem_map_rom(b->mem, 0x100000000ull - c->bios_size, c->bios, c->bios_size, "bios",
                           b->err) &&
           physmem_map_rom(b->mem, 0x100000 - low, c->bios + c->bios_size - low, low, "bios, low",
                           b->err);
}

static void on_nmi(void *opaque)
{
    cpu_attention(((struct pc *)opaque)->cpu, ATTENTION_NMI);
}

/* The 8259's INTR goes through the local APIC's LINT0, which passes it on while the guest has not
 * set up anything else. */
static bool create_interrupts(struct pc *pc)
{
    struct board *b = pc->board;
    struct lapic_pins pins = {
        .intr = {set_intr, pc, 0}, .nmi = on_nmi, .smi = on_smi, .opaque = pc};
    struct apic_bus *bus = apic_bus_create(b);
    if (!bus || !(pc->lapic = lapic_create(b, bus, 0, &pins)))
        return false;
    pc->ioapic = ioapic_create(b, bus);
    pc->pic = i8259_create(b, 0x20, 0xa0, 0x4d0, lapic_lint(pc->lapic, 0));
    return pc->ioapic && pc->pic;
}

static void on_power_off(void *opaque)
{
    struct pc *pc = opaque;
    pc->config.power_off(pc->config.opaque);
}

static bool create_bridges(struct pc *pc)
{
    struct board *b = pc->board;
    struct piix3_pins pins = {.reset = on_cf9_reset, .ignore_error = on_ignore_error, .opaque = pc};
    for (unsigned n = 0; n < 16; n++)
        pins.isa[n] = isa_irq(pc, n);
    pc->pci = pci_bus_create(b);
    if (!pc->pci || !(pc->i440fx = i440fx_create(b, pc->pci)) ||
        !(pc->piix3 = piix3_create(b, pc->pci, &pins)))
        return false;
    struct piix4_pm_pins pm = {.sci = piix3_sci(pc->piix3),
                               .power_off = on_power_off,
                               .smi = on_smi,
                               .opaque = pc,
                               .cpus = 1};
    pc->pm = piix4_pm_create(b, pc->pci, &pm);
    return pc->pm != NULL;
}

/* The HPET sits between the 8254 and the RTC and their interrupts. */
static bool create_timers(struct pc *pc)
{
    struct board *b = pc->board;
    struct hpet_pins pins = {.irq0 = isa_irq(pc, 0), .irq8 = isa_irq(pc, 8)};
    for (unsigned n = 0; n < ARRAY_LEN(pins.route); n++)
        pins.route[n] = ioapic_line(pc->ioapic, 20 + n);
    pc->hpet = hpet_create(b, &pins);
    if (!pc->hpet)
        return false;
    pc->pit = i8254_create(b, 0x40, hpet_gate(pc->hpet, 0));
    if (!pc->pit)
        return false;
    i8254_set_tick(pc->pit, last_tick, pc);
    pc->rtc = mc146818_create(b, 0x70, pc->config.rtc_epoch, hpet_gate(pc->hpet, 1));
    return pc->rtc != NULL;
}

static bool create_isa(struct pc *pc)
{
    struct board *b = pc->board;
    const struct pc_config *c = &pc->config;
    pc->keyboard = ps2_keyboard_create(b);
    pc->mouse = ps2_mouse_create(b);
    if (!c->no_vmport)
        pc->vmport = vmport_create(b, pc->mouse, pc->cpu->tsc_hz);
    struct i8042_pins pins = {.irq1 = isa_irq(pc, 1),
                              .irq12 = isa_irq(pc, 12),
                              .a20 = {set_a20, pc, 0},
                              .reset = {set_reset, pc, 0}};
    return create_timers(pc) && port61_create(b, 0x61, pc->pit) && (pc->dma = i8237_create(b)) &&
           port92_create(b, 0x92, pins.a20, pins.reset) && debugport_create(b, 0xe9, c->debugcon) &&
           debugport_create(b, 0x402, c->debugcon) &&
           (!c->debug_exit_port ||
            isa_debug_exit_create(b, c->debug_exit_port, 1, c->debug_exit, c->opaque)) &&
           i8042_create(b, 0x60, 0x64, &pins, ps2_keyboard_plug(pc->keyboard),
                        ps2_mouse_plug(pc->mouse)) &&
           (!c->serial[0] || ns16550_create(b, 0x3f8, isa_irq(pc, 4), c->serial[0])) &&
           (!c->serial[1] || ns16550_create(b, 0x2f8, isa_irq(pc, 3), c->serial[1]));
}

static bool create_disk_controllers(struct pc *pc)
{
    const struct irq_line irq[2] = {isa_irq(pc, 14), isa_irq(pc, 15)};
    return (pc->ide = ide_create(pc->board, pc->pci, irq)) &&
           (pc->fdc = i82078_create(pc->board, 0x3f0, isa_irq(pc, 6), pc->dma));
}

/* Nothing can fail any more: the images are the board's from here on. */
static void attach_drives(struct pc *pc)
{
    u8 translation = 0;
    for (unsigned n = 0; n < 4; n++) {
        const struct pc_drive *d = &pc->config.ide[n];
        if (!d->present)
            continue;
        if (d->cdrom)
            ide_attach_cd(pc->ide, n / 2, n % 2, d->image);
        else
            ide_attach_disk(pc->ide, n / 2, n % 2, d->image, NULL);
        translation |= (u8)(ide_bios_translation(pc->ide, n / 2, n % 2) << 2 * n);
    }
    mc146818_set_cmos(pc->rtc, 0x39, translation);
    for (unsigned n = 0; n < FLOPPY_DRIVES; n++) {
        if (pc->config.floppy[n].present)
            i82078_attach(pc->fdc, n, pc->config.floppy[n].image);
    }
    for (unsigned n = 0; n < PC_VIRTIO_DISKS; n++) {
        if (pc->config.virtio_disk[n].present)
            virtio_blk_create(pc->board, pc->pci, SLOT_DISK + n, pc->config.virtio_disk[n].image);
    }
}

/* Linux looks for the backdoor where the system's serial number in the SMBIOS begins with "VMware".
 * One entry of QEMU's legacy interface: count; length, kind (field), table, offset; contents. */
static void add_serial_number(struct pc *pc)
{
    static const char serial[] = "VMware-compatible pointer";
    u8 entry[8 + sizeof serial] = {
        1, 0, 6 + sizeof serial, 0, 0 /* a field */, 1 /* system */, 7 /* serial number */, 0};
    memcpy(entry + 8, serial, sizeof serial);
    fw_cfg_add_bytes(pc->fw_cfg, FW_CFG_SMBIOS_ENTRIES, entry, sizeof entry);
}

/* The boot ROM as SeaBIOS takes it from fw_cfg: with a checksum, and first in the boot order. */
static void add_boot_rom(struct pc *pc)
{
    static const char first[] = "/rom@genroms/prescient.bin";
    u8 *rom = xmalloc(pc->config.boot_rom_size), sum = 0;
    memcpy(rom, pc->config.boot_rom, pc->config.boot_rom_size);
    for (size_t n = 0; n < pc->config.boot_rom_size; n++)
        sum += rom[n];
    rom[pc->config.boot_rom_size - 1] -= sum;
    fw_cfg_add_file(pc->fw_cfg, "genroms/prescient.bin", rom, pc->config.boot_rom_size);
    fw_cfg_add_file(pc->fw_cfg, "bootorder", first, sizeof first);
    free(rom);
}

static bool create_firmware(struct pc *pc)
{
    const struct pc_config *c = &pc->config;
    struct board *b = pc->board;
    pc->fw_cfg = fw_cfg_create(b);
    if (!pc->fw_cfg || !map_bios(pc))
        return false;
    fw_cfg_add_machine(pc->fw_cfg, physmem_low(b->mem), physmem_high(b->mem), 1);
    fw_cfg_add_u16(pc->fw_cfg, FW_CFG_BOOT_MENU, c->boot_menu);
    if (c->text_port)
        fw_cfg_add_file_u64(pc->fw_cfg, "etc/sercon-port", c->text_port);
    if (c->dsdt)
        fw_cfg_add_file(pc->fw_cfg, "acpi-dsdt.aml", c->dsdt, c->dsdt_size);
    set_cmos_memory(pc);
    set_cmos_floppies(pc);
    set_boot_order(pc, c->boot_order);
    if (pc->vmport)
        add_serial_number(pc);
    if (c->boot_rom)
        add_boot_rom(pc);
    return !c->boot_rom || bootport_create(b, c->place_kernel, c->opaque);
}

static void connect_cpu(struct pc *pc)
{
    pc->cpu->bus = (struct cpu_bus){.opaque = pc,
                                    .io_read = cpu_io_read,
                                    .io_write = cpu_io_write,
                                    .acknowledge = cpu_acknowledge,
                                    .ferr = cpu_ferr,
                                    .apic_base = cpu_apic_base,
                                    .smm = cpu_smm};
}

static bool create_nics(struct pc *pc)
{
    bool good = true;
    for (unsigned n = 0; n < PC_NICS && good; n++) {
        const struct pc_nic *c = &pc->config.nic[n];
        if (c->model == PC_NIC_E1000)
            good = i82540_create(pc->board, pc->pci, SLOT_NIC + n, c->mac, c->net, c->rom,
                                 c->rom_size);
        else if (c->model == PC_NIC_RTL8139)
            rtl8139_create(pc->board, pc->pci, SLOT_NIC + n, c->mac, c->net, c->rom, c->rom_size);
        else if (c->model == PC_NIC_NE2000_PCI)
            dp8390_create_pci(pc->board, pc->pci, SLOT_NIC + n, c->mac, c->net, c->rom,
                              c->rom_size);
        else if (c->model == PC_NIC_NE2000_ISA)
            good = dp8390_create_isa(pc->board, 0x300, isa_irq(pc, 5), c->mac, c->net);
        else if (c->model == PC_NIC_VIRTIO)
            virtio_net_create(pc->board, pc->pci, SLOT_NIC + n, c->mac, c->net, c->rom,
                              c->rom_size);
    }
    return good;
}

static void create_virtio(struct pc *pc)
{
    const struct pc_config *c = &pc->config;
    if (c->virtio_rng)
        virtio_rng_create(pc->board, pc->pci, SLOT_RNG);
    if (c->virtio_balloon)
        pc->balloon = virtio_balloon_create(pc->board, pc->pci, SLOT_BALLOON);
    if (c->virtio_console)
        virtio_console_create(pc->board, pc->pci, SLOT_CONSOLE, c->virtio_console);
}

struct pc *pc_create(struct board *b, struct cpu *cpu, const struct pc_config *config)
{
    struct pc *pc = xcalloc(1, sizeof *pc);
    *pc = (struct pc){.cpu = cpu, .board = b, .config = *config};
    if (create_interrupts(pc) && create_bridges(pc) && create_isa(pc) &&
        (pc->vga = vga_create(b, pc->pci, config->vga_bios, config->vga_bios_size)) &&
        create_nics(pc) && create_disk_controllers(pc) && create_firmware(pc)) {
        create_virtio(pc);
        attach_drives(pc);
        connect_cpu(pc);
        return pc;
    }
    free(pc);
    return NULL;
}

void pc_free(struct pc *pc)
{
    free(pc);
}

struct virtio_balloon *pc_balloon(struct pc *pc)
{
    return pc->balloon;
}

struct vga *pc_vga(struct pc *pc)
{
    return pc->vga;
}

void pc_key(struct pc *pc, unsigned usage, bool down)
{
    ps2_keyboard_key(pc->keyboard, usage, down);
}

void pc_mouse(struct pc *pc, int dx, int dy, int dz, unsigned buttons)
{
    ps2_mouse_move(pc->mouse, dx, dy, dz, buttons);
}

bool pc_pointer_is_absolute(const struct pc *pc)
{
    return pc->vmport && vmport_is_absolute(pc->vmport);
}

void pc_pointer(struct pc *pc, u16 x, u16 y, int dz, unsigned buttons)
{
    vmport_pointer(pc->vmport, x, y, dz, buttons);
}

unsigned pc_key_room(const struct pc *pc)
{
    return ps2_keyboard_room(pc->keyboard);
}

void pc_power_button(struct pc *pc)
{
    piix4_pm_power_button(pc->pm);
}

struct i8259 *pc_pic(struct pc *pc)
{
    return pc->pic;
}

struct ioapic *pc_ioapic(struct pc *pc)
{
    return pc->ioapic;
}

struct lapic *pc_lapic(struct pc *pc)
{
    return pc->lapic;
}

struct pci_bus *pc_pci(struct pc *pc)
{
    return pc->pci;
}

bool pc_change_cd(struct pc *pc, unsigned n, struct image *image, bool force, struct error *err)
{
    return ide_change_medium(pc->ide, n / 2, n % 2, image, force, err);
}

bool pc_change_floppy(struct pc *pc, unsigned n, struct image *image, struct error *err)
{
    return i82078_change(pc->fdc, n, image, err);
}

u64 pc_disk_bytes(const struct pc *pc)
{
    u64 sectors = i82078_sectors_moved(pc->fdc);
    for (unsigned n = 0; n < ARRAY_LEN(pc->config.ide); n++)
        sectors += ide_sectors_moved(pc->ide, n / 2, n % 2);
    for (unsigned n = 0; n < PC_VIRTIO_DISKS; n++)
        if (pc->config.virtio_disk[n].present)
            sectors += pc->config.virtio_disk[n].image->moved;
    return sectors << SECTOR_SHIFT;
}

u64 pc_net_bytes(const struct pc *pc)
{
    u64 bytes = 0;
    for (unsigned n = 0; n < PC_NICS; n++)
        bytes += net_moved(pc->config.nic[n].net);
    return bytes;
}
