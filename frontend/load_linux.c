/* Linux kernels, and what looks like one (iPXE, memdisk, memtest86+), by the real-mode boot
 * protocol: the image's own setup code asks the BIOS for memory, video and disks (Linux
 * Documentation/x86/boot.rst, 2.00 and later). */
/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include "frontend/loader.h"

/* Offsets in the setup, the file's first part. */
enum {
    HDR_OLD_CMD_LINE = 0x020,
    HDR_OLD_CMD_LINE_AT = 0x022,
    HDR_SETUP_SECTS = 0x1f1,
    HDR_VIDEO_MODE = 0x1fa,
    HDR_BOOT_FLAG = 0x1fe,
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
    HDR_END = 0x264
};
enum { LOADED_HIGH = 1, CAN_USE_HEAP = 0x80, LOADER_UNKNOWN = 0xff, OLD_CMD_LINE = 0xa33f };
enum { MAGIC_HDRS = 0x53726448, FIRST_VERSION = 0x200 };
/* The versions that brought what is used here. */
enum {
    WITH_HEAP = 0x201,
    WITH_CMD_LINE = 0x202,
    WITH_INITRD_MAX = 0x203,
    WITH_CMDLINE_SIZE = 0x206,
    WITH_INIT_SIZE = 0x20a
};
enum { VIDEO_NORMAL = 0xffff, VIDEO_EXTENDED = 0xfffe, VIDEO_ASK = 0xfffd };

/* Where things go: the setup below the EBDA and away from the boot ROM's block, its heap and stack
 * and the command line behind it; the kernel at 1 MiB. Old kernels have their setup at 0x90000,
 * zImages are loaded at 0x10000. */
enum { SETUP_AT = 0x10000, CMDLINE_AT = 0x20000, CMDLINE_MAX = 0x8000, HEAP_END = 0xe000 };
enum { OLD_SETUP_AT = 0x90000, OLD_HEAP_END = 0x9800, ZIMAGE_AT = 0x10000, ZIMAGE_MAX = 0x80000 };
enum { KERNEL_AT = 0x100000 };

/* A header's version and what follows from it. */
struct protocol {
    unsigned version; /* as in the header: 0x20f for 2.15 */
    bool high;        /* loaded above 1 MiB */
    u32 setup_size;   /* bytes of the file before the kernel */
    u32 setup_at;     /* physical address of the setup */
    u32 heap_end;   /* end of its heap and stack from there, and the place of an old command line */
    u32 cmdline_at; /* physical address of the command line */
    u32 cmdline_max; /* bytes that it may have without the final 0 */
    u64 kernel_at;   /* where the kernel is loaded */
    u64 start, need; /* where it will be, and how much it needs there */
    u64 initrd_max;  /* no byte of the initrd may be there or above */
};

static struct protocol protocol_of(const struct blob *k)
{
    const u8 *h = k->data;
    struct protocol p = {.version = load_le16(h + HDR_VERSION),
                         .high = h[HDR_LOADFLAGS] & LOADED_HIGH,
                         .setup_size = ((h[HDR_SETUP_SECTS] ? h[HDR_SETUP_SECTS] : 4u) + 1) * 512,
                         .setup_at = SETUP_AT,
                         .heap_end = HEAP_END,
                         .cmdline_at = CMDLINE_AT,
                         .cmdline_max = 255,
                         .kernel_at = KERNEL_AT,
                         .start = KERNEL_AT,
                         .initrd_max = 0x38000000};
    if (p.version < WITH_CMD_LINE || !p.high) {
        p.setup_at = OLD_SETUP_AT;
        p.heap_end = OLD_HEAP_END;
        p.cmdline_at = OLD_SETUP_AT + OLD_HEAP_END;
    }
    if (!p.high)
        p.kernel_at = ZIMAGE_AT;
    p.need = k->size > p.setup_size ? k->size - p.setup_size : 0;
    if (p.version >= WITH_INITRD_MAX)
        p.initrd_max = (u64)load_le32(h + HDR_INITRD_MAX) + 1;
    if (p.version >= WITH_CMDLINE_SIZE && load_le32(h + HDR_CMDLINE_SIZE))
        p.cmdline_max = load_le32(h + HDR_CMDLINE_SIZE);
    if (p.version >= WITH_INIT_SIZE) {
        u64 init = load_le32(h + HDR_INIT_SIZE), preferred = load_le64(h + HDR_PREF_ADDRESS);
        p.need = init > p.need ? init : p.need;
        p.start = preferred > KERNEL_AT ? preferred : KERNEL_AT;
    }
    return p;
}

bool linux_check(struct boot_image *image, const char *path, struct error *err)
{
    const struct blob *k = &image->kernel;
    if (k->size < HDR_END || load_le16(k->data + HDR_BOOT_FLAG) != 0xaa55 ||
        load_le32(k->data + HDR_MAGIC) != MAGIC_HDRS)
        return false;
    struct protocol p = protocol_of(k);
    if (p.version < FIRST_VERSION)
        return error_set(err, "kernel %s: boot protocol %x is older than 2.00 (Linux 1.3.73)", path,
                         p.version);
    if (k->size <= p.setup_size || p.setup_size > p.heap_end - 0x1000)
        return error_set(err, "kernel %s: the file ends inside its setup code, or that is too long",
                         path);
    if (!p.high && k->size - p.setup_size > ZIMAGE_MAX)
        return error_set(err, "kernel %s: a zImage of more than 512 KiB", path);
    if (strlen(image->cmdline) > p.cmdline_max || strlen(image->cmdline) >= CMDLINE_MAX)
        return error_set(err, "-append: the kernel takes at most %u characters", p.cmdline_max);
    return true;
}

/* Highest place for the initrd: below its limit and the end of low RAM, page-aligned; 0 if it does
 * not fit. */
static u64 initrd_place(const struct boot_image *image, const struct physmem *mem,
                        const struct protocol *p)
{
    u64 top = physmem_low(mem);
    top =
        top > 0x100000 ? top - 0x40000 : top; /* leaves the BIOS's tables at the top of RAM alone */
    if (p->initrd_max < top)
        top = p->initrd_max;
    u64 at = top > image->initrd.size ? (top - image->initrd.size) & PAGE_MASK : 0;
    return at >= p->need && at - p->need >= p->start ? at : 0;
}

/* The video mode that the last vga= of a command line asks the setup code for. */
static u16 video_mode(const char *cmdline)
{
    static const struct {
        const char *name; /* instead of a number */
        u16 mode;         /* what it stands for */
    } names[] = {{"normal", VIDEO_NORMAL}, {"ext", VIDEO_EXTENDED}, {"ask", VIDEO_ASK}};
    u16 mode = VIDEO_NORMAL;
    for (const char *at = cmdline; (at = strstr(at, "vga=")) != NULL;) {
        bool word = at == cmdline || at[-1] == ' ';
        at += strlen("vga=");
        if (!word)
            continue;
        mode = (u16)strtoul(at, NULL, 0);
        for (unsigned n = 0; n < ARRAY_LEN(names); n++) {
            if (strcspn(at, " ") == strlen(names[n].name) &&
                !strncmp(at, names[n].name, strlen(names[n].name)))
                mode = names[n].mode;
        }
    }
    return mode;
}

/* Fills in what the boot loader tells the setup code. */
static void setup_fill(u8 *setup, const struct protocol *p, const struct boot_image *image,
                       u64 initrd)
{
    store_le16(setup + HDR_VIDEO_MODE, video_mode(image->cmdline));
    setup[HDR_LOADER] = LOADER_UNKNOWN;
    if (p->version >= WITH_HEAP) {
        setup[HDR_LOADFLAGS] |= CAN_USE_HEAP;
        store_le16(setup + HDR_HEAP_END, (u16)(p->heap_end - 0x200));
    }
    if (p->version >= WITH_CMD_LINE) {
        store_le32(setup + HDR_CMD_LINE, p->cmdline_at);
    } else {
        store_le16(setup + HDR_OLD_CMD_LINE, OLD_CMD_LINE);
        store_le16(setup + HDR_OLD_CMD_LINE_AT, (u16)(p->cmdline_at - p->setup_at));
    }
    store_le32(setup + HDR_RAMDISK_IMAGE, (u32)initrd);
    store_le32(setup + HDR_RAMDISK_SIZE, (u32)image->initrd.size);
}

bool linux_place(const struct boot_image *image, struct physmem *mem, struct launch_block *launch,
                 struct error *err)
{
    const struct blob *k = &image->kernel;
    struct protocol p = protocol_of(k);
    u64 size = k->size - p.setup_size, low = physmem_low(mem);
    u64 initrd = image->initrd.size ? initrd_place(image, mem, &p) : 0;
    if (p.need > low || p.start > low - p.need || KERNEL_AT + size > low ||
        (image->initrd.size && !initrd))
        return error_set(
            err, "the kernel and its initrd need more than the guest's %u MiB: give more with -m",
            (unsigned)(low >> 20));
    u8 *setup = xmalloc(p.setup_size);
    memcpy(setup, k->data, p.setup_size);
    setup_fill(setup, &p, image, initrd);
    dma_write(mem, p.setup_at, setup, p.setup_size);
    free(setup);
    dma_write(mem, p.cmdline_at, image->cmdline, strlen(image->cmdline) + 1);
    dma_write(mem, p.kernel_at, k->data + p.setup_size, size);
    if (initrd)
        dma_write(mem, initrd, image->initrd.data, image->initrd.size);
    launch->real_segment = p.setup_at >> 4;
    launch->real_sp = p.heap_end;
    launch->eip = launch->eax = launch->ebx = launch->esi = 0;
    return true;
}
