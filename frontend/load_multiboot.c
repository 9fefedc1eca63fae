/* Multiboot 0.6.96 kernels: ELF files and flat ones with addresses in the header;
 * modules, map. */
/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include "frontend/elf_file.h"
#include "frontend/loader.h"

enum { HEADER_MAGIC = 0x1badb002, LOADER_MAGIC = 0x2badb002, SEARCH = 8192 };
enum { WANT_VIDEO = BIT(2), WANT_ADDRESSES = BIT(16), KNOWN = 0x1000f };

/* Offsets in the header: magic, flags, checksum, then with WANT_ADDRESSES the five addresses. */
enum {
    H_FLAGS = 4,
    H_CHECKSUM = 8,
    H_HEADER_ADDR = 12,
    H_LOAD = 16,
    H_LOAD_END = 20,
    H_BSS_END = 24,
    H_ENTRY = 28
};

/* Offsets in the information structure, and its flags. */
enum {
    I_FLAGS = 0,
    I_MEM_LOWER = 4,
    I_MEM_UPPER = 8,
    I_CMDLINE = 16,
    I_MODS_COUNT = 20,
    I_MODS_ADDR = 24,
    I_MMAP_LENGTH = 44,
    I_MMAP_ADDR = 48,
    I_LOADER_NAME = 64,
    I_SIZE = 120
};
enum {
    INFO_MEMORY = BIT(0),
    INFO_CMDLINE = BIT(2),
    INFO_MODS = BIT(3),
    INFO_MMAP = BIT(6),
    INFO_NAME = BIT(9)
};

/* The information goes below the EBDA; strings follow it. */
enum { INFO_AT = 0x80000, INFO_ROOM = 0x10000 };

bool multiboot_check(struct boot_image *image, const char *path, struct error *err)
{
    const struct blob *k = &image->kernel;
    size_t end = k->size < SEARCH ? k->size : SEARCH;
    for (size_t at = 0; at + 12 <= end; at += 4) {
        const u8 *h = k->data + at;
        u32 flags = load_le32(h + H_FLAGS);
        if (load_le32(h) != HEADER_MAGIC || HEADER_MAGIC + flags + load_le32(h + H_CHECKSUM) != 0)
            continue;
        if (flags & 0xffff & ~KNOWN)
            return error_set(err, "kernel %s: asks for multiboot features %#x that are not known",
                             path, flags & 0xffff & ~KNOWN);
        if ((flags & WANT_ADDRESSES) && at + 32 > k->size)
            return error_set(err, "kernel %s: the multiboot header is cut off", path);
        image->header = at;
        return true;
    }
    return false;
}

/* Copies a piece of the file to guest memory and clears what follows it; false if it lies outside
 * the RAM. */
static bool put(struct physmem *mem, u64 at, const u8 *data, u64 size, u64 total, u64 *end)
{
    static const u8 zero[PAGE_SIZE];
    if (total < size)
        total = size;
    if (at < 0x1000 || total > physmem_low(mem) || at > physmem_low(mem) - total)
        return false;
    dma_write(mem, at, data, size);
    for (u64 n = size; n < total; n += sizeof zero)
        dma_write(mem, at + n, zero, total - n < sizeof zero ? total - n : sizeof zero);
    if (at + total > *end)
        *end = at + total;
    return true;
}

static bool place_flat(const struct boot_image *image, struct physmem *mem, u32 *entry, u64 *end)
{
    const u8 *h = image->kernel.data + image->header;
    u32 load = load_le32(h + H_LOAD), load_end = load_le32(h + H_LOAD_END),
        bss_end = load_le32(h + H_BSS_END);
    u64 skip = load_le32(h + H_HEADER_ADDR) - (u64)load;
    if (skip > image->header)
        return false;
    u64 from = image->header - skip, size = image->kernel.size - from;
    if (load_end) {
        if (load_end < load || load_end - load > size)
            return false;
        size = load_end - load;
    }
    *entry = load_le32(h + H_ENTRY);
    return put(mem, load, image->kernel.data + from, size, bss_end > load ? bss_end - load : 0,
               end);
}

/* Where pieces of an ELF file go. */
struct elf_place {
    const struct boot_image *image; /* the file */
    struct physmem *mem;            /* to here */
    u64 entry;                      /* where it starts, as it is linked */
    u64 start;                      /* the same where it is loaded; 0: as linked */
    u64 *end;                       /* of what was placed */
};

/* Entry points are virtual; where the segment is linked elsewhere than it is loaded, the kernel
 * wants the physical place. */
static bool place_segment(void *opaque, const struct elf_segment *s)
{
    struct elf_place *p = opaque;
    if (p->entry >= s->virtual && p->entry - s->virtual < s->size && s->virtual != s->physical &&
        p->entry >= physmem_low(p->mem))
        p->start = p->entry - s->virtual + s->physical;
    return put(p->mem, s->physical, p->image->kernel.data + s->offset, s->file_size, s->size,
               p->end);
}

static bool place_elf(const struct boot_image *image, struct physmem *mem, u32 *entry, u64 *end)
{
    struct elf_place p = {.image = image, .mem = mem, .end = end};
    if (!elf_file_segments(image->kernel.data, image->kernel.size, &p.entry, place_segment, &p))
        return false;
    *entry = (u32)(p.start ? p.start : p.entry);
    return true;
}

/* The information structure and its strings while they are composed. */
struct info {
    u8 data[INFO_ROOM]; /* what will be at INFO_AT */
    u32 used;           /* bytes of it */
};

/* Appends bytes, 4-byte aligned; the guest-physical address, or 0 when there is no room. */
static u32 info_add(struct info *info, const void *data, size_t size)
{
    u32 at = (info->used + 3) & ~3u;
    if (size > INFO_ROOM - at)
        return 0;
    memcpy(info->data + at, data, size);
    info->used = at + (u32)size;
    return INFO_AT + at;
}

static bool place_modules(const struct boot_image *image, struct physmem *mem, struct info *info,
                          u64 end)
{
    u8 *table = xcalloc(image->module_count + 1, 16);
    bool good = true;
    for (unsigned n = 0; good && n < image->module_count; n++) {
        u64 at = (end + PAGE_SIZE - 1) & PAGE_MASK;
        u32 args = info_add(info, image->module_args[n], strlen(image->module_args[n]) + 1);
        good = args && put(mem, at, image->module[n].data, image->module[n].size, 0, &end);
        store_le32(table + 16 * n, (u32)at);
        store_le32(table + 16 * n + 4, (u32)(at + image->module[n].size));
        store_le32(table + 16 * n + 8, args);
    }
    u32 at = good ? info_add(info, table, 16 * image->module_count) : 0;
    free(table);
    store_le32(info->data + I_MODS_COUNT, image->module_count);
    store_le32(info->data + I_MODS_ADDR, at);
    return at != 0;
}

static void fill_map(struct info *info, const struct launch_block *launch)
{
    u8 map[E820_MAX * 24];
    for (u32 n = 0; n < launch->count; n++) {
        store_le32(map + 24 * n, 20);
        memcpy(map + 24 * n + 4, &launch->map[n], 20);
    }
    u32 at = info_add(info, map, 24 * launch->count);
    store_le32(info->data + I_MMAP_ADDR, at);
    store_le32(info->data + I_MMAP_LENGTH, at ? 24 * launch->count : 0);
}

/* KiB of RAM from an address on, up to the first hole. */
static u32 memory_from(const struct launch_block *launch, u64 at)
{
    for (u32 n = 0; n < launch->count; n++) {
        const struct e820_entry *e = &launch->map[n];
        if (e->type == E820_RAM && e->base <= at && at - e->base < e->size)
            return (u32)((e->base + e->size - at) >> 10);
    }
    return 0;
}

bool multiboot_place(const struct boot_image *image, struct physmem *mem,
                     struct launch_block *launch, struct error *err)
{
    u64 end = 0;
    u32 flags = load_le32(image->kernel.data + image->header + H_FLAGS);
    if (!(flags & WANT_ADDRESSES ? place_flat : place_elf)(image, mem, &launch->eip, &end))
        return error_set(
            err, "the kernel's segments do not fit into the guest's %u MiB, or its file is damaged",
            (unsigned)(physmem_low(mem) >> 20));
    struct info *info = xcalloc(1, sizeof *info);
    info->used = I_SIZE;
    bool good = !image->module_count || place_modules(image, mem, info, end);
    fill_map(info, launch);
    store_le32(info->data + I_FLAGS, INFO_MEMORY | INFO_CMDLINE | INFO_MMAP | INFO_NAME |
                                         (image->module_count ? INFO_MODS : 0));
    store_le32(info->data + I_MEM_LOWER, memory_from(launch, 0));
    store_le32(info->data + I_MEM_UPPER, memory_from(launch, 0x100000));
    store_le32(info->data + I_CMDLINE, info_add(info, image->cmdline, strlen(image->cmdline) + 1));
    store_le32(info->data + I_LOADER_NAME, info_add(info, "Prescient", 10));
    dma_write(mem, INFO_AT, info->data, info->used);
    free(info);
    launch->eax = LOADER_MAGIC;
    launch->ebx = INFO_AT;
    launch->esi = launch->real_segment = 0;
    return good || error_set(err, "the multiboot modules do not fit into the guest's memory");
}
