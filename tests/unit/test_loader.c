/* -kernel's formats: good images land where their headers say, and damaged ones are refused or
 * loaded as far as they go, never read or written out of bounds (sanitized builds see to that).
 * LOADER_ROUNDS sets how many damaged images are tried. */
/* SPDX-License-Identifier: MIT */
#include <check.h>
#include <elf.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "frontend/loader.h"
#include "tests/unit/suite.h"

enum { RAM = 4 << 20, BLOCK = 0x7000, IMAGE_MAX = 16384 };

static struct physmem *mem;
static struct log quiet = {.quiet = true};
static struct error err;
static u64 random_state = 1;

static u32 below(u32 n)
{
    random_state ^= random_state >> 12;
    random_state ^= random_state << 25;
    random_state ^= random_state >> 27;
    return (u32)((random_state * 0x2545f4914f6cdd1dull >> 32) * n >> 32);
}

static void setup(void)
{
    mem = physmem_new(RAM, 0, &quiet, &err);
    struct launch_block launch = {.count = 2,
                                  .map = {{0, 0x9fc00, 1}, {0x100000, RAM - 0x102000, 1}}};
    dma_write(mem, BLOCK, &launch, sizeof launch);
}

static void teardown(void)
{
    physmem_free(mem);
}

/* A bzImage: protocol 2.12, one setup sector, three more of kernel. */
static size_t make_linux(u8 *image)
{
    memset(image, 0, 2560);
    image[0x1f1] = 1;
    store_le16(image + 0x1fe, 0xaa55);
    image[0x201] = 0x66;
    memcpy(image + 0x202, "HdrS", 4);
    store_le16(image + 0x206, 0x20c);
    image[0x211] = 1;
    store_le32(image + 0x22c, 0x7fffffff);
    store_le32(image + 0x238, 2047);
    store_le64(image + 0x258, 0x100000);
    store_le32(image + 0x260, 0x10000);
    memset(image + 1024, 0x90, 1536);
    return 2560;
}

static void put_header(u8 *at, u32 flags)
{
    store_le32(at, 0x1badb002);
    store_le32(at + 4, flags);
    store_le32(at + 8, 0u - 0x1badb002 - flags);
}

/* A multiboot file with addresses in its header, loaded at 2 MiB. */
static size_t make_flat(u8 *image)
{
    memset(image, 0x90, 1024);
    put_header(image + 64, BIT(16));
    store_le32(image + 76, 0x200040);
    store_le32(image + 80, 0x200000);
    store_le32(image + 84, 0x200400);
    store_le32(image + 88, 0x201000);
    store_le32(image + 92, 0x200080);
    return 1024;
}

/* A multiboot ELF file with one segment at 1 MiB. */
static size_t make_elf(u8 *image)
{
    Elf32_Ehdr eh = {.e_ident = {0x7f, 'E', 'L', 'F', ELFCLASS32, ELFDATA2LSB, EV_CURRENT},
                     .e_type = ET_EXEC,
                     .e_machine = EM_386,
                     .e_version = EV_CURRENT,
                     .e_entry = 0x100010,
                     .e_phoff = sizeof eh,
                     .e_ehsize = sizeof eh,
                     .e_phentsize = sizeof(Elf32_Phdr),
                     .e_phnum = 1};
    Elf32_Phdr ph = {.p_type = PT_LOAD,
                     .p_offset = 0x1000,
                     .p_vaddr = 0x100000,
                     .p_paddr = 0x100000,
                     .p_filesz = 0x100,
                     .p_memsz = 0x2000};
    memset(image, 0, 0x1100);
    memcpy(image, &eh, sizeof eh);
    memcpy(image + sizeof eh, &ph, sizeof ph);
    put_header(image + 0x200, 0);
    memset(image + 0x1000, 0x90, 0x100);
    return 0x1100;
}

/* Opens and places an image through a file; false with err set. */
static bool load(const u8 *image, size_t size, const char *append, struct launch_block *launch)
{
    char path[] = "/tmp/prescient-test-XXXXXX";
    struct boot_image boot = {0};
    int fd = mkstemp(path);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write(fd, image, size), (ssize_t)size);
    close(fd);
    err.text[0] = 0;
    bool good = boot_image_open(&boot, path, NULL, append, &err);
    if (good && launch) {
        good = boot_image_place(&boot, mem, BLOCK, &err);
        dma_read(mem, BLOCK, launch, sizeof *launch);
    }
    boot_image_free(&boot);
    unlink(path);
    ck_assert_msg(good == !err.text[0], "%s", err.text);
    return good;
}

START_TEST(good_images)
{
    static const struct {
        size_t (*make)(u8 *image); /* the image */
        u32 eip, ebx;              /* how it is entered */
        u32 eax;
    } rows[] = {
        {make_flat, 0x200080, 0x80000, 0x2badb002},
        {make_elf, 0x100010, 0x80000, 0x2badb002},
    };
    static u8 image[IMAGE_MAX];
    for (unsigned n = 0; n < ARRAY_LEN(rows); n++) {
        struct launch_block launch;
        size_t size = rows[n].make(image);
        ck_assert_msg(load(image, size, "quiet", &launch), "%s", err.text);
        ck_assert_uint_eq(launch.eip, rows[n].eip);
        ck_assert_uint_eq(launch.eax, rows[n].eax);
        ck_assert_uint_eq(launch.ebx, rows[n].ebx);
        ck_assert_uint_eq(launch.real_segment, 0);
        ck_assert_uint_eq(phys_read(mem, launch.eip, 1), 0x90);
        ck_assert_uint_eq(phys_read(mem, 0x80004, 4), 639);                    /* mem_lower */
        ck_assert_uint_eq(phys_read(mem, 0x80008, 4), (RAM - 0x102000) >> 10); /* to the hole */
    }
}
END_TEST

/* Linux's setup code is entered in real mode, and finds what a boot loader of its protocol says. */
START_TEST(linux_images)
{
    enum { LOADFLAGS = 0x211, HEAP_END = 0x224, CMD_LINE = 0x228 };
    static const struct {
        u16 version;                 /* of the protocol */
        u8 flags;                    /* its load flags */
        u32 setup_at, cmdline, heap; /* where the setup, the command line and the heap's end are */
        u32 kernel;                  /* where the kernel is */
    } rows[] = {
        {0x20c, 1, 0x10000, 0x20000, 0xe000, 0x100000},
        {0x203, 1, 0x10000, 0x20000, 0xe000, 0x100000}, /* iPXE's and memdisk's */
        {0x201, 1, 0x90000, 0x99800, 0x9800, 0x100000},
        {0x200, 0, 0x90000, 0x99800, 0x9800, 0x10000}, /* a zImage */
        {0x203, 0, 0x90000, 0x99800, 0x9800, 0x10000},
    };
    static u8 image[IMAGE_MAX];
    for (unsigned n = 0; n < ARRAY_LEN(rows); n++) {
        struct launch_block launch;
        size_t size = make_linux(image);
        char text[9] = "";
        u32 at = rows[n].setup_at;
        store_le16(image + 0x206, rows[n].version);
        image[LOADFLAGS] = rows[n].flags;
        ck_assert_msg(load(image, size, "vga=ask.", &launch), "%s", err.text);
        ck_assert_uint_eq(launch.real_segment, at >> 4);
        ck_assert_uint_eq(launch.real_sp, rows[n].heap);
        ck_assert_uint_eq(phys_read(mem, at + 0x1f1, 1), 1); /* the whole setup is there */
        ck_assert_uint_eq(phys_read(mem, at + 0x210, 1), 0xff);
        ck_assert_uint_eq(phys_read(mem, rows[n].kernel, 1), 0x90);
        dma_read(mem, rows[n].cmdline, text, sizeof text - 1);
        ck_assert_str_eq(text, "vga=ask.");
        if (rows[n].version >= 0x202) {
            ck_assert_uint_eq(phys_read(mem, at + CMD_LINE, 4), rows[n].cmdline);
        } else {
            ck_assert_uint_eq(phys_read(mem, at + 0x20, 2), 0xa33f);
            ck_assert_uint_eq(phys_read(mem, at + 0x22, 2), rows[n].cmdline - at);
            ck_assert_uint_eq(phys_read(mem, at + CMD_LINE, 4), 0);
        }
        bool heap = rows[n].version >= 0x201;
        ck_assert_uint_eq(phys_read(mem, at + LOADFLAGS, 1), rows[n].flags | (heap ? 0x80 : 0));
        ck_assert_uint_eq(phys_read(mem, at + HEAP_END, 2), heap ? rows[n].heap - 0x200 : 0);
    }
}
END_TEST

START_TEST(linux_video)
{
    static const struct {
        const char *append; /* a command line */
        u16 mode;           /* the mode that the setup code is asked for */
    } rows[] = {
        {"quiet", 0xffff},           {"vga=0x317 quiet", 0x317},     {"quiet vga=791", 791},
        {"vga=ask", 0xfffd},         {"vga=ext vga=normal", 0xffff}, {"vga=ext quiet", 0xfffe},
        {"novga=ask quiet", 0xffff}, {"vga=1 vga=0x318", 0x318},
    };
    static u8 image[IMAGE_MAX];
    for (unsigned n = 0; n < ARRAY_LEN(rows); n++) {
        struct launch_block launch;
        size_t size = make_linux(image);
        ck_assert_msg(load(image, size, rows[n].append, &launch), "%s", err.text);
        ck_assert_uint_eq(phys_read(mem, 0x10000 + 0x1fa, 2), rows[n].mode);
    }
}
END_TEST

START_TEST(refused)
{
    static u8 image[IMAGE_MAX];
    struct launch_block launch;
    size_t size = make_linux(image);
    ck_assert(!load(image, 1024, NULL, NULL)); /* ends in its setup code */
    image[0x1f1] = 200;                        /* more setup than fits below the command line */
    ck_assert(!load(image, sizeof image, NULL, NULL));
    image[0x1f1] = 1;
    store_le16(image + 0x206, 0x1ff);
    ck_assert(!load(image, size, NULL, NULL));
    store_le16(image + 0x206, 0x20c);
    static char longest[3000];
    memset(longest, 'x', sizeof longest - 1);
    ck_assert(!load(image, size, longest, NULL));
    store_le32(image + 0x260, RAM); /* wants more memory than there is */
    ck_assert(!load(image, size, NULL, &launch));
    store_le32(image + 0x260, 0x10000);
    store_le64(image + 0x258, UINT64_MAX - 0x8000); /* and where the sum wraps around */
    ck_assert(!load(image, size, NULL, &launch));
    size = make_elf(image);
    store_le32(image + 0x34 + 12, RAM - 0x1000); /* p_paddr */
    ck_assert(!load(image, size, NULL, &launch));
    size = make_flat(image);
    store_le32(image + 76, 0x1fffff); /* a header before what is loaded */
    ck_assert(!load(image, size, NULL, &launch));
}
END_TEST

START_TEST(damaged)
{
    static size_t (*const makers[])(u8 * image) = {make_linux, make_flat, make_elf};
    static const u32 edges[] = {0, 1, 0x7fffffff, 0x80000000, UINT32_MAX, 0xfffff000, RAM, RAM - 1};
    static u8 image[IMAGE_MAX];
    const char *text = getenv("LOADER_ROUNDS");
    for (unsigned rounds = text ? (unsigned)atoi(text) : 3000; rounds; rounds--) {
        struct launch_block launch;
        size_t size = makers[below(3)](image);
        for (unsigned n = 1 + below(6); n; n--) {
            u32 at = below(3) ? below(0x120) : 0x1e8 + below(0x90);
            if (below(2))
                store_le32(image + (at & ~3u), below(3) ? edges[below(ARRAY_LEN(edges))]
                                                        : below(UINT32_MAX) >> below(32));
            else
                image[at] = (u8)below(256);
        }
        if (below(8) == 0)
            size = 1 + below((u32)size);
        load(image, size, below(2) ? "console=ttyS0" : NULL, &launch);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("loader");
    TCase *tc = tcase_create("loader");
    tcase_set_timeout(tc, 0);
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, good_images);
    tcase_add_test(tc, linux_images);
    tcase_add_test(tc, linux_video);
    tcase_add_test(tc, refused);
    tcase_add_test(tc, damaged);
    suite_add_tcase(suite, tc);
    return suite_run(suite);
}
