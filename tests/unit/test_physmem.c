/* Guest-physical memory: RAM, ROM, MMIO, shadowing, A20, marks and hooks, DMA across everything. */
/* SPDX-License-Identifier: MIT */
#include "mmu/physmem.h"
#include "tests/unit/suite.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#define MIB  (1ull << 20)
#define GIB4 (4ull << 30)

/* A device that records its accesses and reads as its offset, a byte a time. */
struct probe {
    u64 offset[32];    /* of each access */
    unsigned size[32]; /* of each access */
    u32 value[32];     /* of each write */
    unsigned count;    /* accesses so far */
};

static u32 probe_read(void *dev, u64 offset, unsigned size)
{
    struct probe *p = dev;
    u32 v = 0;
    for (unsigned n = 0; n < size; n++)
        v |= (u32)(u8)(offset + n) << 8 * n;
    p->offset[p->count] = offset;
    p->size[p->count++] = size;
    return v;
}

static void probe_write(void *dev, u64 offset, u32 value, unsigned size)
{
    struct probe *p = dev;
    p->offset[p->count] = offset;
    p->value[p->count] = value;
    p->size[p->count++] = size;
}

static const struct mmio_ops probe_ops = {probe_read, probe_write};

static struct physmem *pm;
static struct error err;
static struct log quiet;
static struct probe probe;
static unsigned remaps;
static struct physmem_change last_change;

static void count_remap(void *opaque, const struct physmem_change *change)
{
    (void)opaque;
    remaps++;
    last_change = *change;
}

static void setup(void)
{
    quiet = (struct log){.quiet = true};
    probe = (struct probe){.count = 0};
    remaps = 0;
    pm = physmem_new(4 * MIB, 2 * MIB, &quiet, &err);
    ck_assert_ptr_nonnull(pm);
    physmem_on_remap(pm, count_remap, NULL);
}

static void teardown(void)
{
    physmem_free(pm);
}

START_TEST(ram_low_and_high)
{
    phys_write(pm, 0, 0x11, 1);
    phys_write(pm, 4 * MIB - 8, 0x1122334455667788, 8);
    phys_write(pm, GIB4 + 2 * MIB - 4, 0xaabbccdd, 4);
    ck_assert_uint_eq(phys_read(pm, 0, 1), 0x11);
    ck_assert_uint_eq(phys_read(pm, 4 * MIB - 5, 2), 0x4455);
    ck_assert_uint_eq(phys_read(pm, GIB4 + 2 * MIB - 3, 1), 0xcc);
    ck_assert_uint_eq(physmem_page(pm, GIB4).ram_offset, 4 * MIB);
    ck_assert_int_eq(physmem_page(pm, 4 * MIB).kind, PHYS_NONE);
    ck_assert_int_eq(physmem_page(pm, GIB4 + 2 * MIB).kind, PHYS_NONE);
}
END_TEST

START_TEST(unmapped_is_ones_and_told_once)
{
    ck_assert_uint_eq(phys_read(pm, 0xd0000000, 8), UINT64_MAX);
    ck_assert_uint_eq(phys_read(pm, 0xd0000001, 2), 0xffff);
    phys_write(pm, 0xd0000000, 0, 8);
    ck_assert_uint_eq(quiet.count, 2);
    /* an access that runs out of RAM, and one that wraps the address space */
    ck_assert_uint_eq(phys_read(pm, 4 * MIB - 2, 4), 0xffff0000);
    u8 buf[16];
    dma_read(pm, UINT64_MAX - 3, buf, sizeof buf);
    dma_write(pm, UINT64_MAX - 3, buf, sizeof buf);
    ck_assert_uint_eq(buf[0], 0xff);
    ck_assert_uint_eq(buf[4], 0);
}
END_TEST

START_TEST(too_much_ram_is_refused)
{
    ck_assert_ptr_null(physmem_new(4 * MIB + 1, 0, NULL, &err));
    ck_assert_ptr_null(physmem_new(GIB4, 0, NULL, &err));
    ck_assert_ptr_null(physmem_new(MIB, 1ull << 50, NULL, &err));
}
END_TEST

START_TEST(mmio_sizes)
{
    ck_assert(physmem_map_mmio(pm, 0xfec00000, 0x1000, &probe_ops, &probe, "probe", &err));
    ck_assert_uint_eq(phys_read(pm, 0xfec00010, 8), 0x1716151413121110);
    ck_assert_uint_eq(probe.count, 2);
    ck_assert_uint_eq(probe.size[1], 4);
    ck_assert_uint_eq(probe.offset[1], 0x14);
    probe.count = 0;
    phys_write(pm, 0xfec00021, 0x44332211, 4); /* bus cycles: byte, word, byte */
    ck_assert_uint_eq(probe.count, 3);
    ck_assert_uint_eq(probe.value[0], 0x11);
    ck_assert_uint_eq(probe.value[1], 0x3322);
    ck_assert_uint_eq(probe.value[2], 0x44);
    ck_assert_uint_eq(probe.offset[2], 0x24);
    ck_assert_ptr_null(physmem_page(pm, 0xfec00000).host);
}
END_TEST

START_TEST(mmio_smaller_than_a_page)
{
    static const struct mmio_ops silent = {NULL, NULL};
    ck_assert(physmem_map_mmio(pm, 0x200010, 0x10, &probe_ops, &probe, "probe", &err));
    ck_assert(physmem_map_mmio(pm, 0x200020, 0x10, &silent, NULL, "silent", &err));
    phys_write(pm, 0x20000c, 0x1122334455667788, 8);
    ck_assert_uint_eq(probe.count, 1);
    ck_assert_uint_eq(probe.value[0], 0x11223344);
    ck_assert_uint_eq(phys_read(pm, 0x20000c, 8), 0x0302010055667788);
    ck_assert_uint_eq(phys_read(pm, 0x200020, 4), 0xffffffff);
    ck_assert_uint_eq(phys_read(pm, 0x200030, 4), 0);
    ck_assert_int_eq(physmem_page(pm, 0x200000).kind, PHYS_MMIO);
    ck_assert_int_eq(physmem_page(pm, 0x201000).kind, PHYS_RAM);
}
END_TEST

START_TEST(overlap_is_an_error)
{
    static const u8 rom[0x2000];
    ck_assert(physmem_map_rom(pm, 0xe0000, rom, 0x2000, "bios", &err));
    ck_assert(!physmem_map_mmio(pm, 0xe1fff, 4, &probe_ops, &probe, "probe", &err));
    ck_assert_ptr_nonnull(strstr(err.text, "bios"));
    ck_assert(!physmem_map_mmio(pm, 0xd0000, 0x20000, &probe_ops, &probe, "probe", &err));
    ck_assert(!physmem_map_rom(pm, 0xf0010, rom, 0x1000, "rom", &err));
    ck_assert(!physmem_map_mmio(pm, UINT64_MAX, 2, &probe_ops, &probe, "probe", &err));
    ck_assert(!physmem_map_mmio(pm, 0, 0, &probe_ops, &probe, "probe", &err));
    physmem_unmap(pm, 0xe0000, 0x1000); /* not wholly inside: stays */
    ck_assert_int_eq(physmem_page(pm, 0xe0000).kind, PHYS_ROM);
    physmem_unmap(pm, 0xe0000, 0x2000);
    ck_assert_int_eq(physmem_page(pm, 0xe0000).kind, PHYS_RAM);
    ck_assert_uint_eq(remaps, 2);
}
END_TEST

START_TEST(rom_and_shadow)
{
    static u8 rom[0x1000];
    memset(rom, 0x5a, sizeof rom);
    ck_assert(physmem_map_rom(pm, 0xf0000, rom, sizeof rom, "bios", &err));
    phys_write(pm, 0xf0000, 0, 4);
    ck_assert_uint_eq(phys_read(pm, 0xf0000, 4), 0x5a5a5a5a);
    physmem_shadow(pm, 0xf0000, 0x1000, false, true); /* copying the ROM onto itself */
    phys_write(pm, 0xf0000, 0x01020304, 4);
    ck_assert_uint_eq(phys_read(pm, 0xf0000, 4), 0x5a5a5a5a);
    struct phys_page page = physmem_page(pm, 0xf0000);
    ck_assert_int_eq(page.kind, PHYS_ROM);
    ck_assert_ptr_ne(page.host, page.host_write);
    physmem_shadow(pm, 0xf0000, 0x1000, true, false);
    ck_assert_uint_eq(phys_read(pm, 0xf0000, 4), 0x01020304);
    phys_write(pm, 0xf0000, 0, 4);
    ck_assert_uint_eq(phys_read(pm, 0xf0000, 4), 0x01020304);
    unsigned before = remaps;
    physmem_shadow(pm, 0xf0000, 0x1000, true, false); /* no change, no flush */
    ck_assert_uint_eq(remaps, before);
    physmem_shadow(pm, 0xf0000, 0x1000, true, true);
    phys_write(pm, 0xf0000, 7, 4);
    ck_assert_uint_eq(phys_read(pm, 0xf0000, 4), 7);
    physmem_shadow(pm, 0xf0000, 0x1000, false, false);
    ck_assert_uint_eq(phys_read(pm, 0xf0000, 4), 0x5a5a5a5a);
}
END_TEST

START_TEST(shadow_over_mmio)
{
    ck_assert(physmem_map_mmio(pm, 0xa0000, 0x20000, &probe_ops, &probe, "vga", &err));
    physmem_shadow(pm, 0xa0000, 0x20000, true, true); /* SMRAM open */
    phys_write(pm, 0xa8000, 0x1234, 2);
    ck_assert_uint_eq(probe.count, 0);
    physmem_shadow(pm, 0xa0000, 0x20000, false, false);
    ck_assert_uint_eq(phys_read(pm, 0xa8000, 2), 0x0100);
    phys_write(pm, 0xa8000, 0x1234, 2);
    ck_assert_uint_eq(probe.count, 2);
    physmem_shadow(pm, 0xa0000, 0x20000, false, true); /* writes to RAM, reads from the device */
    phys_write(pm, 0xa8000, 0x9988, 2);
    ck_assert_uint_eq(phys_read(pm, 0xa8000, 1), 0);
    physmem_shadow(pm, 0xa0000, 0x20000, true, false);
    ck_assert_uint_eq(phys_read(pm, 0xa8000, 2), 0x9988);
    probe.count = 0;
    phys_write(pm, 0xa8000, 0x1111, 2);
    ck_assert_uint_eq(probe.count, 1);
}
END_TEST

/* Blocks of code outlive what cannot have held any. */
START_TEST(change_of_what_holds_code)
{
    static const u8 rom[0x1000];
    u64 offset;
    ck_assert_ptr_nonnull(physmem_add_ram(pm, 2 * PAGE_SIZE, "vga", &offset, &err));
    ck_assert(physmem_map_mmio(pm, 0xfebf0000, 0x1000, &probe_ops, &probe, "probe", &err));
    ck_assert(!last_change.all && !last_change.size);
    physmem_unmap(pm, 0xfebf0000, 0x1000);
    ck_assert(!last_change.all && !last_change.size);
    ck_assert(physmem_map_ram(pm, 0xfd000000, 2 * PAGE_SIZE, offset, "vga", &err));
    ck_assert(!last_change.all);
    ck_assert_uint_eq(last_change.ram_offset, offset);
    ck_assert_uint_eq(last_change.size, 2 * PAGE_SIZE);
    physmem_mark(pm, offset + PAGE_SIZE, PAGE_TRANSLATED);
    physmem_unmap(pm, 0xfd000000, 2 * PAGE_SIZE);
    ck_assert(last_change.all);
    physmem_unmark(pm, offset + PAGE_SIZE, PAGE_TRANSLATED);
    ck_assert(physmem_map_rom(pm, 0xfeb00000, rom, sizeof rom, "rom", &err) && last_change.all);
    ck_assert(physmem_map_mmio(pm, 0xfebf0000, 0x1000, &probe_ops, &probe, "probe", &err));
    ck_assert(!last_change.all);
    physmem_unmap(pm, 0xfeb00000, 0x100000); /* more than one */
    ck_assert(last_change.all);
    ck_assert(physmem_map_mmio(pm, 0x200000, 16, &probe_ops, &probe, "probe", &err));
    ck_assert(last_change.all); /* it covers RAM */
    ck_assert(physmem_map_mmio(pm, GIB4 + MIB, 16, &probe_ops, &probe, "probe", &err));
    ck_assert(last_change.all);
    ck_assert(physmem_map_mmio(pm, GIB4 + 2 * MIB, 16, &probe_ops, &probe, "probe", &err));
    ck_assert(!last_change.all); /* behind it */
}
END_TEST

START_TEST(a20)
{
    phys_write(pm, 0x100010, 0x22, 1);
    phys_write(pm, 0x10, 0x11, 1);
    physmem_set_a20(pm, false);
    ck_assert(!physmem_a20(pm));
    ck_assert_uint_eq(phys_read(pm, 0x100010, 1), 0x11);
    ck_assert_uint_eq(physmem_cpu_address(pm, 0x300123), 0x200123);
    u8 b;
    dma_read(pm, 0x100010, &b, 1); /* the gate is at the CPU */
    ck_assert_uint_eq(b, 0x22);
    ck_assert_uint_eq(remaps, 1);
    physmem_set_a20(pm, false);
    ck_assert_uint_eq(remaps, 1);
    physmem_set_a20(pm, true);
    ck_assert_uint_eq(phys_read(pm, 0x100010, 1), 0x22);
}
END_TEST

START_TEST(extra_ram)
{
    u64 at = 0;
    u8 *host = physmem_add_ram(pm, 16 * MIB, "frame buffer", &at, &err);
    ck_assert_ptr_nonnull(host);
    ck_assert_uint_eq(at, 6 * MIB);
    ck_assert_ptr_eq(host, physmem_ram(pm, at));
    ck_assert_uint_eq(physmem_ram_offset(pm, host), at);
    ck_assert(physmem_map_ram(pm, 0xe0000000, 16 * MIB, at, "frame buffer", &err));
    phys_write(pm, 0xe0000004, 0xdeadbeef, 4);
    ck_assert_uint_eq(load_le32(host + 4), 0xdeadbeef);
    physmem_unmap(pm, 0xe0000000, 16 * MIB);
    ck_assert(physmem_map_ram(pm, 0xf0000000, 16 * MIB, at, "frame buffer", &err));
    ck_assert_uint_eq(phys_read(pm, 0xf0000004, 4), 0xdeadbeef);
    ck_assert(!physmem_map_ram(pm, 0xd0000000, 32 * MIB, at, "beyond", &err));
    ck_assert(!physmem_map_ram(pm, 0xd0000000, MIB, 1ull << 40, "beyond", &err));
    ck_assert_ptr_null(physmem_add_ram(pm, 1ull << 40, "huge", &at, &err));
    ck_assert_ptr_null(physmem_add_ram(pm, 100, "odd", &at, &err));
}
END_TEST

struct hook {
    u64 offset;      /* of the last marked write */
    unsigned size;   /* its size */
    u8 marks;        /* the page's */
    u64 seen;        /* what memory held then */
    unsigned writes; /* calls */
    unsigned marked; /* calls of the mark hook */
};

static void on_write(void *opaque, u64 ram_offset, unsigned size, u8 marks)
{
    struct hook *h = opaque;
    *h = (struct hook){ram_offset,    size,     marks, *physmem_ram(pm, ram_offset),
                       h->writes + 1, h->marked};
}

static void on_mark(void *opaque, u64 ram_offset)
{
    struct hook *h = opaque;
    h->offset = ram_offset;
    h->marked++;
}

START_TEST(marks_and_hooks)
{
    struct hook h = {0};
    physmem_on_marked_write(pm, on_write, &h);
    physmem_on_mark(pm, on_mark, &h);
    physmem_mark(pm, 0x200123, PAGE_CODE);
    ck_assert_uint_eq(h.marked, 1);
    ck_assert_uint_eq(h.offset, 0x200000);
    physmem_mark(pm, 0x200000, PAGE_CLEAN_SAVE);
    ck_assert_uint_eq(physmem_marks(pm, 0x200fff), PAGE_CODE | PAGE_CLEAN_SAVE);
    ck_assert_uint_eq(h.marked, 2); /* writes beside the code were allowed until then */
    physmem_mark(pm, 0x200000, PAGE_TRANSLATED);
    physmem_unmark(pm, 0x200000, PAGE_TRANSLATED);
    ck_assert_uint_eq(h.marked, 2);
    ck_assert_ptr_nonnull(physmem_code(pm, 0x200000));
    phys_write(pm, 0x1ffffe, 0x44332211, 4); /* two bytes of it are in the marked page */
    ck_assert_uint_eq(h.writes, 1);
    ck_assert_uint_eq(h.offset, 0x200000);
    ck_assert_uint_eq(h.size, 2);
    ck_assert_uint_eq(h.seen, 0); /* before the write */
    ck_assert_uint_eq(physmem_marks(pm, 0x200000), PAGE_CODE);
    u8 block[0x3000] = {1};
    dma_write(pm, 0x1ff800, block, sizeof block);
    ck_assert_uint_eq(h.writes, 2);
    ck_assert_uint_eq(h.size, 0x1000);
    physmem_unmark(pm, 0x200000, PAGE_CODE);
    ck_assert_uint_eq(h.marked, 3); /* writes may be direct again */
    ck_assert_ptr_null(physmem_code(pm, 0x200000));
    phys_write(pm, 0x200000, 0, 1);
    ck_assert_uint_eq(h.writes, 2);
    physmem_mark(pm, 0x201000, PAGE_CLEAN_VGA);
    dma_read(pm, 0x201000, block, 8);
    ck_assert_uint_eq(physmem_marks(pm, 0x201000), PAGE_CLEAN_VGA);
    phys_write(pm, 0x201ff8, 0, 8);
    ck_assert_uint_eq(physmem_marks(pm, 0x201000), 0);
}
END_TEST

/* Until a page with code is written, all of it is taken for code. */
START_TEST(own_maps_of_code)
{
    enum { PLACE = 0x200000 };
    struct hook h = {0};
    struct code_span gone;
    physmem_on_mark(pm, on_mark, &h);
    ck_assert(!physmem_code_hit(pm, PLACE, 4, &gone));
    ck_assert(!physmem_code_gone(pm, PLACE, 4, &gone));
    physmem_mark(pm, PLACE, PAGE_CODE);
    ck_assert_ptr_null(physmem_own_code(pm, PLACE));
    ck_assert(physmem_code_hit(pm, PLACE + 8, 4, &gone));
    ck_assert(gone.from == 8 && gone.end == 12);
    ck_assert(!physmem_code_gone(pm, PLACE, PAGE_SIZE, &gone)); /* nothing stays */
    ck_assert_uint_eq(physmem_code_bytes(pm, false), 0);
    ck_assert_uint_eq(h.marked, 1);
    for (unsigned n = 1; n < CODE_PAGE_WRITES; n++)
        ck_assert(!physmem_code_gone(pm, PLACE + 8, 4, &gone));
    ck_assert_ptr_null(physmem_own_code(pm, PLACE));
    ck_assert(!code_page_free(physmem_code(pm, PLACE), PAGE_SIZE - 1, 1));
    ck_assert_uint_eq(h.marked, 1);
    ck_assert(physmem_code_gone(pm, PLACE + 8, 4, &gone));
    ck_assert(gone.from == 0 && gone.end == PAGE_SIZE);
    ck_assert_uint_eq(h.marked, 2); /* cached pointers are told */
    ck_assert_uint_eq(physmem_code_bytes(pm, false), sizeof(struct code_page));
    struct code_page *code = physmem_own_code(pm, PLACE);
    ck_assert(code == physmem_code(pm, PLACE) && code_page_free(code, 0, PAGE_SIZE));
    code_page_add(code, 8, 8);
    ck_assert(!physmem_code_hit(pm, PLACE + 4, 4, &gone));
    ck_assert(physmem_code_hit(pm, PLACE + 4, 5, &gone));
    gone.end = 12;
    ck_assert(physmem_code_gone(pm, PLACE + 4, 5, &gone));
    ck_assert(gone.from == 4 && gone.end == 12 && code == physmem_own_code(pm, PLACE));
    ck_assert(code_page_free(code, 0, 12) && !code_page_free(code, 12, 4));
    ck_assert_uint_eq(h.marked, 2);
    physmem_code_forget(pm, PLACE);
    ck_assert_ptr_null(physmem_own_code(pm, PLACE));
    ck_assert_ptr_nonnull(physmem_code(pm, PLACE));
    ck_assert_uint_eq(h.marked, 3);
    physmem_unmark(pm, PLACE, PAGE_CODE);
    ck_assert_ptr_null(physmem_code(pm, PLACE));
    ck_assert_uint_eq(h.marked, 4);
    physmem_code_forget(pm, PLACE);
    ck_assert_uint_eq(h.marked, 4);
    ck_assert_uint_eq(physmem_code_bytes(pm, false), 0);
}
END_TEST

struct tree {
    char text[512]; /* names in the order given */
};

static void add_name(void *opaque, u64 base, u64 size, enum phys_kind kind, const char *name)
{
    struct tree *t = opaque;
    (void)base, (void)size, (void)kind;
    strcat(strcat(t->text, name), ";");
}

/* RAM that comes in pieces of a megabyte: who was asked for, and how often. */
static unsigned fetched[6], freed;

static void bring(void *opaque, u64 ram_offset)
{
    if (!fetched[ram_offset / MIB]++)
        memset((u8 *)opaque + ram_offset / MIB * MIB, (int)(0xa0 + ram_offset / MIB), MIB);
    if (fetched[1] && fetched[2] && fetched[3] && fetched[4] && fetched[5])
        physmem_end_source(pm);
}

static void source_freed(void *opaque)
{
    (void)opaque;
    freed++;
}

START_TEST(memory_comes_when_it_is_looked_at)
{
    static const struct physmem_source source = {bring, source_freed};
    u8 byte = 0;
    memset(fetched, 0, sizeof fetched);
    freed = 0;
    physmem_set_source(pm, &source, physmem_ram(pm, 0));
    ck_assert_uint_eq(remaps, 1);
    ck_assert_uint_eq(fetched[1] + fetched[2] + fetched[3] + fetched[4] + fetched[5], 0);
    ck_assert_uint_eq(phys_read(pm, MIB + 4, 4), 0xa1a1a1a1);
    phys_write(pm, 2 * MIB + 8, 0x55, 1); /* a write brings the rest of its page, too */
    ck_assert_uint_eq(phys_read(pm, 2 * MIB + 8, 2), 0xa255);
    ck_assert_uint_eq(fetched[3] + fetched[4] + fetched[5], 0);
    dma_read(pm, 3 * MIB + 100, &byte, 1);
    ck_assert_uint_eq(byte, 0xa3);
    ck_assert_uint_eq(physmem_page(pm, GIB4).host[77], 0xa4);
    ck_assert_uint_eq(fetched[5] + freed, 0);
    physmem_fetch_all(pm); /* the last piece: bring ends it */
    ck_assert_uint_eq(freed, 1);
    ck_assert_uint_eq(phys_read(pm, GIB4 + MIB, 1), 0xa5);
    ck_assert_uint_eq(phys_read(pm, 2 * MIB + 8, 2), 0xa255);
    ck_assert_uint_eq(remaps, 1);
    unsigned asked = fetched[1];
    ck_assert_uint_eq(phys_read(pm, MIB + 4, 4), 0xa1a1a1a1); /* now without asking */
    ck_assert_uint_eq(fetched[1], asked);
}
END_TEST

START_TEST(walk_is_ascending)
{
    struct tree t = {""};
    static const u8 rom[0x1000];
    ck_assert(physmem_map_rom(pm, 0xfffff000, rom, 0x1000, "reset", &err));
    ck_assert(physmem_map_rom(pm, 0xf0000, rom, 0x1000, "bios", &err));
    physmem_walk(pm, add_name, &t);
    ck_assert_str_eq(t.text, "ram;bios;reset;ram above 4 GiB;");
}
END_TEST

int main(void)
{
    Suite *s = suite_create("physmem");
    TCase *t = tcase_create("physmem");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, ram_low_and_high);
    tcase_add_test(t, unmapped_is_ones_and_told_once);
    tcase_add_test(t, too_much_ram_is_refused);
    tcase_add_test(t, mmio_sizes);
    tcase_add_test(t, mmio_smaller_than_a_page);
    tcase_add_test(t, overlap_is_an_error);
    tcase_add_test(t, rom_and_shadow);
    tcase_add_test(t, shadow_over_mmio);
    tcase_add_test(t, a20);
    tcase_add_test(t, change_of_what_holds_code);
    tcase_add_test(t, extra_ram);
    tcase_add_test(t, marks_and_hooks);
    tcase_add_test(t, own_maps_of_code);
    tcase_add_test(t, memory_comes_when_it_is_looked_at);
    tcase_add_test(t, walk_is_ascending);
    suite_add_tcase(s, t);
    return suite_run(s);
}
