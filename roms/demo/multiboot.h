/* What a multiboot loader leaves for the kernel (Multiboot Specification 0.6.96, 3.3). */
/* SPDX-License-Identifier: MIT */
#ifndef ROMS_DEMO_MULTIBOOT_H
#define ROMS_DEMO_MULTIBOOT_H

#include <stdint.h>

#define MULTIBOOT_LOADED 0x2badb002u /* in eax at entry */

enum {
    MULTIBOOT_CMDLINE = 1 << 2, /* cmdline is valid */
    MULTIBOOT_MMAP = 1 << 6,    /* mmap_* is valid */
};

/* The information structure, as far as it is used here. */
struct multiboot {
    uint32_t flags;       /* which of the fields below are valid */
    uint32_t mem_lower;   /* KiB below 1 MiB */
    uint32_t mem_upper;   /* KiB above 1 MiB */
    uint32_t boot_device; /* BIOS drive and partitions */
    uint32_t cmdline;     /* address of the command line */
    uint32_t mods_count;  /* modules loaded */
    uint32_t mods_addr;   /* address of their list */
    uint32_t syms[4];     /* symbol table */
    uint32_t mmap_length; /* bytes of the memory map */
    uint32_t mmap_addr;   /* its address */
};

/* One range of the memory map. */
struct multiboot_range {
    uint32_t size;   /* bytes of this record after this field */
    uint64_t base;   /* first physical address */
    uint64_t length; /* bytes */
    uint32_t type;   /* 1: RAM */
} __attribute__((packed));

#endif
