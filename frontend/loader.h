/* What -kernel boots: an image that was read and checked at start, and is placed when the boot ROM
 * asks for it. */
/* SPDX-License-Identifier: MIT */
#ifndef FRONTEND_LOADER_H
#define FRONTEND_LOADER_H

#include "cpu/base.h"
#include "mmu/physmem.h"

/* One INT 15h E820h entry. */
struct e820_entry {
    u64 base; /* physical address */
    u64 size; /* bytes */
    u32 type; /* 1 RAM, 2 reserved, 3 ACPI reclaimable, 4 ACPI NVS */
} __attribute__((packed));

enum { E820_MAX = 128, E820_RAM = 1 };

/* What roms/boot.S and the emulator exchange, in guest memory, little-endian. */
struct launch_block {
    u32 eip, eax, ebx, esi;    /* answer: where and how to enter the kernel */
    u32 count;                 /* question: entries in map */
    u32 real_segment, real_sp; /* answer, instead of eip: in real mode, 0x200 bytes behind there */
    u32 unused;                /* pads the map to offset 32 */
    struct e820_entry map[E820_MAX]; /* the BIOS's memory map */
};
_Static_assert(offsetof(struct launch_block, map) == 32, "roms/boot.S knows this offset");

/* A whole file in memory. */
struct blob {
    u8 *data;    /* its bytes */
    size_t size; /* how many */
};

/* Reads a regular file; false with *err set (missing, unreadable, larger than max). what: "kernel",
 * ... */
bool blob_read(struct blob *b, const char *path, const char *what, size_t max, struct error *err);
void blob_free(struct blob *b);

struct boot_image {
    struct blob kernel;    /* the file of -kernel */
    struct blob initrd;    /* Linux: the file of -initrd */
    struct blob *module;   /* multiboot: the files of -initrd */
    char **module_args;    /* multiboot: their command lines */
    unsigned module_count; /* entries of module, module_args */
    char *cmdline;         /* the text of -append, never NULL */
    bool multiboot;        /* else Linux's format */
    size_t header;         /* multiboot: offset of its header */
};

/* Reads and checks the files; false with *err set. initrd and append may be NULL. */
bool boot_image_open(struct boot_image *image, const char *kernel, const char *initrd,
                     const char *append, struct error *err);
void boot_image_free(struct boot_image *image);

/* Writes the kernel into guest memory and answers the launch block at `block`; false with *err set
 * when it does not fit into the guest's memory. */
bool boot_image_place(const struct boot_image *image, struct physmem *mem, u32 block,
                      struct error *err);

/* The two formats: recognise (NULL *err text when it is simply not this format) and place. */
bool linux_check(struct boot_image *image, const char *path, struct error *err);
bool linux_place(const struct boot_image *image, struct physmem *mem, struct launch_block *launch,
                 struct error *err);
bool multiboot_check(struct boot_image *image, const char *path, struct error *err);
bool multiboot_place(const struct boot_image *image, struct physmem *mem,
                     struct launch_block *launch, struct error *err);

#endif
