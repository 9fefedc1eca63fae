/* Linux bzImage by the 32-bit boot protocol (Linux Documentation/x86/boot.rst and
 * zero-page.rst, 2.06 and later). */
/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include "frontend/loader.h"

/* Offsets in the setup header, which begins at 0x1f1 of the file and of the zero page. */
enum {
    HDR = 0x1f1,
    HDR_SETUP_SECTS = 0x1f1,
    HDR_BOOT_FLAG = 0x1fe,
    HDR_JUMP = 0x200,
    HDR_MAGIC = 0x202,
    HDR_VERSION = 0x206,
    HDR_LOADER = 0x210,
    HDR_LOADFLAGS = 0x211,
    HDR_RAMDISK_IMAGE = 0x218,
    HDR_RAMDISK_SIZE = 0x21c,
    HDR_HEAP_END = 0x224,
    HDR_CMD_LINE = 0x228,
    HDR_INITRD_MAX = 0x22c,
    HDR_CMDLINE_SIZE = 0x238,
    HDR_PREF_ADDRESS = 0x258,
    HDR_INIT_SIZE = 0x260,
};
enum { LOADED_HIGH = 1, CAN_USE_HEAP = 0x80, LOADER_UNKNOWN = 0xff };
enum { MAGIC_HDRS = 0x53726448, FIRST_VERSION = 0x206 };

/* Zero page fields outside the header. */
enum {
    ZP_EXT_MEM_K = 0x02,
    ZP_VIDEO_MODE = 0x06,
    ZP_VIDEO_COLS = 0x07,
    ZP_VIDEO_LINES = 0x0e,
    ZP_IS_VGA = 0x0f,
    ZP_VIDEO_POINTS = 0x10,
    ZP_ALT_MEM_K = 0x1e0,
    ZP_E820_COUNT = 0x1e8,
    ZP_E820 = 0x2d0
};

/* Where things go: below the EBDA, away from the boot ROM's block; the kernel at 1 MiB. */
enum { ZERO_PAGE_AT = 0x90000, CMDLINE_AT = 0x91000, CMDLINE_MAX = 0x8000, KERNEL_AT = 0x100000 };

bool linux_check(struct boot_image *image, const char *path, struct error *err)
{
    const struct blob *k = &image->kernel;
    if (k->size < 0x264 || load_le16(k->data + HDR_BOOT_FLAG) != 0xaa55 ||
        load_le32(k->data + HDR_MAGIC) != MAGIC_HDRS)
        return false;
    if (load_le16(k->data + HDR_VERSION) < FIRST_VERSION)
        return error_set(err, "kernel %s: boot protocol %x is older than 2.06 (Linux 2.6.22)", path,
                         load_le16(k->data + HDR_VERSION));
    if (!(k->data[HDR_LOADFLAGS] & LOADED_HIGH))
        return error_set(err, "kernel %s: a zImage; only bzImage is supported", path);
    unsigned sects = k->data[HDR_SETUP_SECTS] ? k->data[HDR_SETUP_SECTS] : 4;
    if (k->size <= (sects + 1) * 512u)
        return error_set(err, "kernel %s: the file ends inside its setup code", path);
    u32 max = load_le32(k->data + HDR_CMDLINE_SIZE);
    if (strlen(image->cmdline) > (max ? max : 255) || strlen(image->cmdline) >= CMDLINE_MAX)
        return error_set(err, "-append: the kernel takes at most %u characters", max ? max : 255);
    return true;
}

/* Highest place for the initrd: below its limit and the end of low RAM, page-aligned; 0 if it does
 * not fit. */
static u64 initrd_place(const struct boot_image *image, const struct physmem *mem, u64 start,
                        u64 need)
{
    u64 top = physmem_low(mem), max = (u64)load_le32(image->kernel.data + HDR_INITRD_MAX) + 1;
    top =
        top > 0x100000 ? top - 0x40000 : top; /* leaves the BIOS's tables at the top of RAM alone */
    if (max < top)
        top = max;
    u64 at = top > image->initrd.size ? (top - image->initrd.size) & PAGE_MASK : 0;
    return at >= need && at - need >= start ? at : 0;
}

static void fill_screen_info(u8 *zp)
{
    zp[ZP_VIDEO_MODE] = 3;
    zp[ZP_VIDEO_COLS] = 80;
    zp[ZP_VIDEO_LINES] = 25;
    zp[ZP_IS_VGA] = 1;
    zp[ZP_VIDEO_POINTS] = 16;
}

/* Memory map and the sizes of old, in KiB above 1 MiB. */
static void fill_memory(u8 *zp, const struct physmem *mem, const struct launch_block *launch)
{
    u64 above = physmem_low(mem) > 0x100000 ? (physmem_low(mem) - 0x100000) >> 10 : 0;
    store_le16(zp + ZP_EXT_MEM_K, above > 0xfc00 ? 0xfc00 : (u16)above);
    store_le32(zp + ZP_ALT_MEM_K, (u32)above);
    zp[ZP_E820_COUNT] = (u8)launch->count;
    memcpy(zp + ZP_E820, launch->map, launch->count * sizeof launch->map[0]);
}

bool linux_place(const struct boot_image *image, struct physmem *mem, struct launch_block *launch,
                 struct error *err)
{
    const u8 *file = image->kernel.data;
    u8 zp[PAGE_SIZE] = {0};
    size_t header_end = 0x202 + file[HDR_JUMP + 1];
    size_t setup = ((file[HDR_SETUP_SECTS] ? file[HDR_SETUP_SECTS] : 4u) + 1) * 512;
    size_t size = image->kernel.size - setup;
    u64 start = KERNEL_AT, need = size;
    if (load_le16(file + HDR_VERSION) >= 0x20a) {
        need = load_le32(file + HDR_INIT_SIZE) > need ? load_le32(file + HDR_INIT_SIZE) : need;
        start = load_le64(file + HDR_PREF_ADDRESS);
        start = start > KERNEL_AT ? start : KERNEL_AT;
    }
    u64 initrd = image->initrd.size ? initrd_place(image, mem, start, need) : 0;
    if (need > physmem_low(mem) || start > physmem_low(mem) - need ||
        KERNEL_AT + size > physmem_low(mem) || (image->initrd.size && !initrd))
        return error_set(
            err, "the kernel and its initrd need more than the guest's %u MiB: give more with -m",
            (unsigned)(physmem_low(mem) >> 20));
    memcpy(zp + HDR, file + HDR, (header_end < 0x290 ? header_end : 0x290) - HDR);
    zp[HDR_LOADER] = LOADER_UNKNOWN;
    zp[HDR_LOADFLAGS] |= CAN_USE_HEAP;
    store_le16(zp + HDR_HEAP_END, 0xfe00);
    store_le32(zp + HDR_CMD_LINE, CMDLINE_AT);
    store_le32(zp + HDR_RAMDISK_IMAGE, (u32)initrd);
    store_le32(zp + HDR_RAMDISK_SIZE, (u32)image->initrd.size);
    fill_screen_info(zp);
    fill_memory(zp, mem, launch);
    dma_write(mem, ZERO_PAGE_AT, zp, sizeof zp);
    dma_write(mem, CMDLINE_AT, image->cmdline, strlen(image->cmdline) + 1);
    dma_write(mem, KERNEL_AT, file + setup, size);
    if (initrd)
        dma_write(mem, initrd, image->initrd.data, image->initrd.size);
    launch->eip = KERNEL_AT;
    launch->esi = ZERO_PAGE_AT;
    launch->eax = launch->ebx = 0;
    return true;
}
