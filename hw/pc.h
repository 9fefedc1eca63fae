/* The board: an i440FX + PIIX3 PC, wired on one page (pc.c). */
/* SPDX-License-Identifier: MIT */
#ifndef HW_PC_H
#define HW_PC_H

#include "hw/chardev.h"
#include "hw/device.h"
#include "hw/image/image.h"
#include "hw/net/net.h"

struct cpu;
struct pc;
struct vga;
struct virtio_balloon;
struct i8259;
struct ioapic;
struct lapic;
struct pci_bus;

/* One drive. */
struct pc_drive {
    bool present;        /* there is a drive at all */
    bool cdrom;          /* ATAPI; else a disk */
    struct image *image; /* the medium; NULL: none in the drive. The board owns it. */
};

enum pc_nic_model {
    PC_NIC_NONE,
    PC_NIC_E1000,
    PC_NIC_VIRTIO,
    PC_NIC_RTL8139,
    PC_NIC_NE2000_PCI,
    PC_NIC_NE2000_ISA /* ports 300h to 31Fh, IRQ 5: only one */
};
enum { PC_NICS = 4, PC_VIRTIO_DISKS = 4 };

/* One network card. */
struct pc_nic {
    enum pc_nic_model model; /* PC_NIC_NONE: not there */
    u8 mac[6];               /* its address */
    struct net *net;         /* its cable, which stays the caller's; NULL: not plugged in */
    const u8 *rom;           /* option ROM, or NULL */
    u32 rom_size;            /* bytes */
};

/* What the machine is made of, and whom it tells. */
struct pc_config {
    const u8 *bios;             /* firmware; ends at 4 GiB and, its last 128 KiB, at 1 MiB */
    size_t bios_size;           /* bytes, a multiple of 64 KiB */
    const u8 *vga_bios;         /* option ROM of the VGA */
    size_t vga_bios_size;       /* bytes */
    const u8 *boot_rom;         /* option ROM that starts a kernel, or NULL */
    size_t boot_rom_size;       /* bytes */
    const u8 *dsdt;             /* ACPI DSDT for the firmware, or NULL */
    size_t dsdt_size;           /* bytes */
    struct pc_drive ide[4];     /* primary master, slave, secondary master, slave */
    struct pc_nic nic[PC_NICS]; /* network cards, in slots 3 to 6 */
    struct pc_drive virtio_disk[PC_VIRTIO_DISKS]; /* virtual disks */
    struct chardev *virtio_console;               /* virtual console, or NULL */
    bool virtio_rng;                              /* virtual source of entropy */
    bool virtio_balloon;                          /* virtual memory balloon */
    struct pc_drive floppy[2];                    /* drives A and B */
    const char *boot_order;                       /* letters of "acdn" */
    bool boot_menu;                               /* SeaBIOS shows its boot menu */
    u16 text_port;                   /* serial port that repeats the VGA's text, or 0 */
    struct chardev *serial[2];       /* COM1, COM2; NULL: the port is not there */
    struct chardev *debugcon;        /* ports 0xE9 and 0x402, or NULL */
    bool no_vmport;                  /* the VMware backdoor port is not there */
    s64 rtc_epoch;                   /* what the RTC shows at start, seconds since 1970 */
    u16 debug_exit_port;             /* isa-debug-exit's port, or 0 */
    void *opaque;                    /* first argument of the functions below */
    void (*reset)(void *opaque);     /* the guest resets the machine */
    void (*power_off)(void *opaque); /* the guest switches it off */
    void (*debug_exit)(void *opaque, int status);  /* isa-debug-exit was written */
    void (*place_kernel)(void *opaque, u32 block); /* the boot ROM asks for the kernel */
};

/* Creates every chip on the board and connects the CPU. NULL with b->err set. */
struct pc *pc_create(struct board *b, struct cpu *cpu, const struct pc_config *config);
void pc_free(struct pc *pc); /* after board_destroy */

struct vga *pc_vga(struct pc *pc);
/* From the host's keyboard and mouse; usage: USB HID usage of the key. */
void pc_key(struct pc *pc, unsigned usage, bool down);
void pc_mouse(struct pc *pc, int dx, int dy, int dz, unsigned buttons);
/* Does the guest take absolute positions of the pointer? Then pc_pointer tells it: x and y from 0
 * to FFFFh over the screen. */
bool pc_pointer_is_absolute(const struct pc *pc);
void pc_pointer(struct pc *pc, u16 x, u16 y, int dz, unsigned buttons);
/* How many more bytes the keyboard's buffer takes; 16 when it is empty. */
unsigned pc_key_room(const struct pc *pc);
/* The memory balloon, or NULL. */
struct virtio_balloon *pc_balloon(struct pc *pc);
/* Chips, for people who want to look at them. */
struct i8259 *pc_pic(struct pc *pc);
struct ioapic *pc_ioapic(struct pc *pc);
struct lapic *pc_lapic(struct pc *pc);
struct pci_bus *pc_pci(struct pc *pc);
/* Changes the medium of IDE CD drive n (0-3), or of floppy drive n; NULL: takes it out. The board
 * owns the image on success. False with *err set: there is no such drive, the guest has locked the
 * tray and force is false, or the disk is too large. */
bool pc_change_cd(struct pc *pc, unsigned n, struct image *image, bool force, struct error *err);
bool pc_change_floppy(struct pc *pc, unsigned n, struct image *image, struct error *err);
/* Bytes that went to and from disks, CDs and network cards so far. */
u64 pc_disk_bytes(const struct pc *pc);
u64 pc_net_bytes(const struct pc *pc);
/* Presses the power button for a moment. */
void pc_power_button(struct pc *pc);

#endif
