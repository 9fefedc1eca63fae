/* Power management: Intel 82371AB PIIX4 function 3 (datasheet 290562), ACPI fixed hardware, SMBus.
 */
/* SPDX-License-Identifier: MIT */
#include "hw/piix4_pm.h"

#include <stdlib.h>
#include <string.h>

/* Configuration space. */
enum {
    PMBA = 0x40,      /* power management base address */
    DEVACTB = 0x58,   /* device activity B: bit 25 allows SMI by the APM control port */
    PMREGMISC = 0x80, /* bit 0: power management I/O enabled */
    SMBBA = 0x90,     /* SMBus base address */
    SMBHSTCFG = 0xd2  /* bit 0: SMBus I/O enabled */
};

/* Power management I/O, from PMBA. */
enum {
    PMSTS = 0x00,
    PMEN = 0x02,
    PMCNTRL = 0x04,
    PMTMR = 0x08,
    GPSTS = 0x0c,
    GPEN = 0x0e,
    GLBCTL = 0x28,
    PM_SIZE = 0x40
};

enum {
    TMROF_STS = 0x0001,
    PWRBTN_STS = 0x0100,
    RSM_STS = 0x8000,
    PM_EVENTS = 0x0521, /* timer, global, power button, RTC: those that PMEN has */
    SCI_EN = 0x0001,    /* PMCNTRL */
    SUS_EN = 0x2000,    /* PMCNTRL: enter the state in bits 12-10 */
    SMI_EN = 0x01,      /* GLBCTL */
    APMC_EN = 0x02      /* DEVACTB, its last byte */
};

enum { SUS_S5 = 0, SUS_S3 = 1, SUS_S4 = 2 }; /* as the firmware's DSDT has them */

enum {
    APMC = 0xb2,        /* APM control: writes raise SMI */
    APMS = 0xb3,        /* APM status: a byte of storage */
    ACPI_ENABLE = 0xf1, /* to APMC, as the firmware's FADT has them */
    ACPI_DISABLE = 0xf0,
    GPE_BASE = 0xafe0,    /* GPE0 block of the firmware's FADT: 2 bytes status, 2 enable */
    PCI_HOTPLUG = 0xae00, /* slots that the firmware's DSDT looks at: nothing ever changes */
    CPU_MAP = 0xaf00,     /* one bit a processor */
    CPU_MAP_SIZE = 32
};

/* SMBus host controller, from SMBBA. */
enum { SMBHSTSTS = 0, SMBHSTCNT = 2, SMB_SIZE = 16, SMB_START = 0x40, SMB_DEV_ERR = 0x04 };

enum { PM_HZ = 3579545, PM_TIMER_MASK = 0xffffff, PM_TIMER_HALF = 0x800000 };

struct piix4_pm {
    struct pci_device pci;     /* 00:01.3 */
    struct board *board;       /* ports, clock, log */
    struct piix4_pm_pins pins; /* what it drives */
    struct timer timer;        /* next toggle of the PM timer's top bit, while it can interrupt */
    u16 pm_base;               /* where the PM registers answer; 0: nowhere */
    u16 smb_base;              /* where the SMBus registers answer; 0: nowhere */
    u16 status;                /* PMSTS but for TMROF_STS */
    u16 enable;                /* PMEN */
    u16 control;               /* PMCNTRL */
    u64 overflow;              /* PM timer ticks since reset at which TMROF_STS becomes set */
    u8 plain[PM_SIZE];         /* registers that are only stored: from 10 on */
    u16 gpe_status;            /* the GPE0 block's */
    u16 gpe_enable;            /* the same */
    u8 apmc;                   /* last byte written there */
    u8 apms;                   /* the same */
    u8 smbus[SMB_SIZE];        /* SMBus registers */
};

/* Events */

static u64 timer_ticks(const struct piix4_pm *p)
{
    return clock_ticks(clock_now(p->board->clock), PM_HZ);
}

static u16 status_now(const struct piix4_pm *p)
{
    return p->status | (timer_ticks(p) >= p->overflow ? TMROF_STS : 0);
}

/* Drives SCI, and sets the deadline at which the timer will. */
static void sci_update(struct piix4_pm *p)
{
    u16 status = status_now(p);
    bool event = (status & p->enable & PM_EVENTS) || (p->gpe_status & p->gpe_enable);
    bool waiting = p->enable & TMROF_STS && !(status & TMROF_STS);
    irq_set(&p->pins.sci, event && p->control & SCI_EN);
    timer_set(&p->timer, waiting ? clock_ns(p->overflow, PM_HZ) : CLOCK_NEVER);
}

static void timer_due(void *opaque, u64 now)
{
    (void)now;
    sci_update(opaque);
}

static void status_clear(struct piix4_pm *p, u16 bits)
{
    p->status &= (u16)~bits;
    if (bits & TMROF_STS)
        p->overflow = (timer_ticks(p) | (PM_TIMER_HALF - 1)) + 1;
}

void piix4_pm_power_button(struct piix4_pm *p)
{
    p->status |= PWRBTN_STS;
    sci_update(p);
}

void piix4_pm_wake(struct piix4_pm *p)
{
    p->status |= RSM_STS;
    sci_update(p);
}

static void sleep_enter(struct piix4_pm *p, unsigned type)
{
    if (type == SUS_S3 && p->pins.suspend)
        p->pins.suspend(p->pins.opaque);
    else if ((type == SUS_S5 || type == SUS_S4) && p->pins.power_off)
        p->pins.power_off(p->pins.opaque);
    else
        log_once(p->board->log, type, "PIIX4: sleep type %u is not supported", type);
}

/* Writing the byte that has SUS_EN enters the state that the same byte names; SUS_EN reads as zero.
 */
static void control_write(struct piix4_pm *p, unsigned byte, u8 value)
{
    unsigned shift = 8 * byte;
    u16 control = (u16)((p->control & ~(0xffu << shift)) | (unsigned)value << shift);
    p->control = control & (u16)~SUS_EN;
    sci_update(p);
    if (control & SUS_EN)
        sleep_enter(p, control >> 10 & 7);
}

/* Power management I/O */

static u32 pm_dword(const struct piix4_pm *p, unsigned offset)
{
    switch (offset) {
    case PMSTS: return status_now(p) | (u32)p->enable << 16;
    case PMCNTRL: return p->control;
    case PMTMR: return (u32)(timer_ticks(p) & PM_TIMER_MASK);
    case GPSTS: return 0;
    default: return load_le32(p->plain + offset);
    }
}

/* Each register is read once: bytes of the running timer taken at different times would make it
 * jump back and forth. */
static u32 pm_read(void *dev, u16 port, unsigned size)
{
    const struct piix4_pm *p = dev;
    unsigned offset = port % PM_SIZE, skip = offset & 3;
    u64 value = pm_dword(p, offset - skip);
    if (skip + size > 4)
        value |= (u64)pm_dword(p, (offset - skip + 4) % PM_SIZE) << 32;
    return (u32)(value >> 8 * skip);
}

static void pm_write_byte(struct piix4_pm *p, unsigned offset, u8 value)
{
    unsigned shift = 8 * (offset & 1);
    switch (offset & ~1u) {
    case PMSTS: status_clear(p, (u16)(value << shift)); break;
    case PMEN: p->enable = (u16)((p->enable & ~(0xffu << shift)) | (unsigned)value << shift); break;
    case PMCNTRL: control_write(p, offset & 1, value); return;
    default:
        if (offset >= 0x10)
            p->plain[offset] = value;
        return;
    }
    sci_update(p);
}

static void pm_write(void *dev, u16 port, u32 value, unsigned size)
{
    for (unsigned n = 0; n < size; n++)
        pm_write_byte(dev, (port + n) % PM_SIZE, (u8)(value >> 8 * n));
}

static const struct ioport_ops pm_ops = {pm_read, pm_write, 4};

/* GPE0 block, and what the firmware's DSDT asks about slots and processors */

static u32 gpe_read(void *dev, u16 port, unsigned size)
{
    const struct piix4_pm *p = dev;
    u32 both = p->gpe_status | (u32)p->gpe_enable << 16;
    (void)size;
    return both >> 8 * (port & 3);
}

static void gpe_write(void *dev, u16 port, u32 value, unsigned size)
{
    struct piix4_pm *p = dev;
    unsigned shift = 8 * (port & 1);
    (void)size;
    if (port & 2)
        p->gpe_enable = (u16)((p->gpe_enable & ~(0xffu << shift)) | value << shift);
    else
        p->gpe_status &= (u16) ~(value << shift);
    sci_update(p);
}

static u32 slots_read(void *dev, u16 port, unsigned size)
{
    (void)dev;
    (void)port;
    (void)size;
    return 0;
}

static u32 cpu_map_read(void *dev, u16 port, unsigned size)
{
    const struct piix4_pm *p = dev;
    (void)size;
    return port == CPU_MAP ? BIT(p->pins.cpus) - 1 : 0;
}

static const struct ioport_ops gpe_ops = {gpe_read, gpe_write, 1};
static const struct ioport_ops slots_ops = {slots_read, NULL, 4};
static const struct ioport_ops cpu_map_ops = {cpu_map_read, NULL, 1};

/* APM ports */

static u32 apm_read(void *dev, u16 port, unsigned size)
{
    const struct piix4_pm *p = dev;
    (void)size;
    return port == APMC ? p->apmc : p->apms;
}

static void apm_write(void *dev, u16 port, u32 value, unsigned size)
{
    struct piix4_pm *p = dev;
    (void)size;
    if (port == APMS) {
        p->apms = (u8)value;
        return;
    }
    p->apmc = (u8)value;
    if (value == ACPI_ENABLE)
        p->control |= SCI_EN;
    else if (value == ACPI_DISABLE)
        p->control &= (u16)~SCI_EN;
    sci_update(p);
    if (p->pci.config[DEVACTB + 3] & APMC_EN && p->plain[GLBCTL] & SMI_EN && p->pins.smi)
        p->pins.smi(p->pins.opaque);
}

static const struct ioport_ops apm_ops = {apm_read, apm_write, 1};

/* SMBus: an empty bus. Starting a transaction ends at once with "no answer". */

static u32 smb_read(void *dev, u16 port, unsigned size)
{
    const struct piix4_pm *p = dev;
    (void)size;
    return p->smbus[port % SMB_SIZE];
}

static void smb_write(void *dev, u16 port, u32 value, unsigned size)
{
    struct piix4_pm *p = dev;
    u8 *reg = &p->smbus[port % SMB_SIZE];
    (void)size;
    if (port % SMB_SIZE <= SMBHSTSTS + 1) {
        *reg &= (u8)~value;
        return;
    }
    *reg = (u8)value;
    if (port % SMB_SIZE == SMBHSTCNT && value & SMB_START) {
        *reg &= (u8)~SMB_START;
        p->smbus[SMBHSTSTS] |= SMB_DEV_ERR;
    }
}

static const struct ioport_ops smb_ops = {smb_read, smb_write, 1};

/* Where the two I/O blocks answer */

static void block_move(struct piix4_pm *p, u16 *base, u16 wanted, unsigned size,
                       const struct ioport_ops *ops, const char *name)
{
    struct error err = {""};
    if (*base == wanted)
        return;
    if (*base)
        ioport_remove(p->board->io, *base, size, p);
    *base = wanted;
    if (wanted && !ioport_add(p->board->io, wanted, size, ops, p, name, &err)) {
        log_once(p->board->log, wanted, "%s", err.text);
        *base = 0;
    }
}

static void blocks_update(struct piix4_pm *p)
{
    const u8 *c = p->pci.config;
    u16 pm = c[PMREGMISC] & 1 ? load_le16(c + PMBA) & 0xffc0 : 0;
    u16 smb = c[SMBHSTCFG] & 1 ? load_le16(c + SMBBA) & 0xfff0 : 0;
    block_move(p, &p->pm_base, pm, PM_SIZE, &pm_ops, "PIIX4 power management");
    block_move(p, &p->smb_base, smb, SMB_SIZE, &smb_ops, "PIIX4 SMBus");
}

static void piix4_pm_written(void *dev, unsigned offset, unsigned size)
{
    (void)size;
    if (offset >= 0x40)
        blocks_update(dev);
}

/* Without SMM, DEVACTB says that SMI is set up already, so that the firmware leaves it alone. */
static void piix4_pm_reset(void *dev)
{
    struct piix4_pm *p = dev;
    pci_device_reset(&p->pci);
    if (!p->pins.smi)
        p->pci.config[DEVACTB + 3] |= APMC_EN;
    blocks_update(p);
    p->status = p->enable = p->control = 0;
    status_clear(p, TMROF_STS);
    p->gpe_status = p->gpe_enable = 0;
    p->apmc = p->apms = 0;
    memset(p->plain, 0, sizeof p->plain);
    memset(p->smbus, 0, sizeof p->smbus);
    sci_update(p);
}

static void piix4_pm_state(void *dev, struct state *s)
{
    struct piix4_pm *p = dev;
    pci_device_state(&p->pci, s);
    state_u16(s, "status", &p->status);
    state_u16(s, "enable", &p->enable);
    state_u16(s, "control", &p->control);
    state_u64(s, "overflow", &p->overflow);
    state_data(s, "plain", p->plain, sizeof p->plain);
    state_u16(s, "gpe_status", &p->gpe_status);
    state_u16(s, "gpe_enable", &p->gpe_enable);
    state_u8(s, "apmc", &p->apmc);
    state_u8(s, "apms", &p->apms);
    state_data(s, "smbus", p->smbus, sizeof p->smbus);
    if (state_loading(s)) {
        if (p->overflow > timer_ticks(p) + PM_TIMER_HALF)
            status_clear(p, TMROF_STS);
        blocks_update(p);
        sci_update(p);
    }
}

static void piix4_pm_destroy(void *dev)
{
    struct piix4_pm *p = dev;
    timer_cancel(&p->timer);
    ioport_remove(p->board->io, 0, 65535, p);
    pci_remove(&p->pci);
    free(p);
}

static const struct device_ops piix4_pm_ops = {"piix4_pm", piix4_pm_reset, piix4_pm_state,
                                               piix4_pm_destroy};

static bool fixed_ports(struct piix4_pm *p, struct board *b)
{
    return ioport_add(b->io, APMC, 2, &apm_ops, p, "APM control", b->err) &&
           ioport_add(b->io, GPE_BASE, 4, &gpe_ops, p, "ACPI GPE0", b->err) &&
           ioport_add(b->io, PCI_HOTPLUG, 16, &slots_ops, p, "ACPI slots", b->err) &&
           ioport_add(b->io, CPU_MAP, CPU_MAP_SIZE, &cpu_map_ops, p, "ACPI processors", b->err);
}

static void add_function(struct piix4_pm *p, struct pci_bus *bus)
{
    static const struct pci_ids ids = {
        .vendor = 0x8086,
        .device = 0x7113,
        .class_code = 0x068000,
        .revision = 3,
        .pin = 1,
        .subvendor = 0x1af4,
        .subdevice = 0x1100,
    };
    pci_add(bus, &p->pci, PCI_DEVFN(1, 3), "PIIX4 PM", &ids, p);
    pci_define(&p->pci, PCI_COMMAND, 2, 0, PCI_COMMAND_IO);
    pci_define(&p->pci, PCI_STATUS, 2, 0x0280, 0);
    pci_define(&p->pci, PCI_INTERRUPT_LINE, 1, 9, 0xff);
    pci_define(&p->pci, PMBA, 4, 1, 0xffc0);
    for (unsigned r = 0x44; r < 0x80; r += 4)
        pci_define(&p->pci, r, 4, 0, 0xffffffff); /* counts, activity, DEVRES */
    pci_define(&p->pci, PMREGMISC, 1, 0, 0x01);
    pci_define(&p->pci, SMBBA, 4, 1, 0xfff0);
    pci_define(&p->pci, SMBHSTCFG, 4, 0, 0xffffff0f); /* and SMBSLVC, SMBSHDW1-2 */
    p->pci.written = piix4_pm_written;
}

struct piix4_pm *piix4_pm_create(struct board *b, struct pci_bus *bus,
                                 const struct piix4_pm_pins *pins)
{
    struct piix4_pm *p = xcalloc(1, sizeof *p);
    p->board = b;
    p->pins = *pins;
    timer_init(&p->timer, b->clock, timer_due, p);
    add_function(p, bus);
    if (!fixed_ports(p, b)) {
        piix4_pm_destroy(p);
        return NULL;
    }
    board_add(b, &piix4_pm_ops, p);
    piix4_pm_reset(p);
    return p;
}
