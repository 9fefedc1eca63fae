/* Guest memory accesses: page crossings, wrap, faults before writes, watchpoints, marked pages. */
/* SPDX-License-Identifier: MIT */
#include "cpu/exec.h"
#include "cpu/mem.h"
#include "tests/unit/suite.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#define MIB (1ull << 20)

enum { DIR = 0x1000, TABLE = 0x2000, TABLE_TOP = 0x3000, TABLE_WRAP = 0x4000, DATA = 0x100000 };
enum { P = 1, W = 2, U = 4, A = 0x20, D = 0x40 };

static struct physmem *pm;
static struct cpu *cpu;
static struct clock fake_clock;
static struct log quiet;

static u64 no_time(void *opaque)
{
    (void)opaque;
    return 0;
}

static void set_pte(u32 lin, u32 pte)
{
    u32 pde = (u32)phys_read(pm, DIR + (lin >> 22) * 4, 4) & ~0xfffu;
    phys_write(pm, pde + (lin >> 12 & 0x3ff) * 4, pte, 4);
    space_flush(cpu->space);
}

/* Paging on, flat segments, supervisor; linear 1 MiB.. are the same, the rest is not present. */
static void setup(void)
{
    struct error err;
    quiet = (struct log){.quiet = true};
    pm = physmem_new(8 * MIB, 0, &quiet, &err);
    clock_init(&fake_clock, no_time, NULL);
    cpu = cpu_new(pm, &fake_clock, &quiet);
    phys_write(pm, DIR, TABLE | P | W | U, 4);
    phys_write(pm, DIR + 1023 * 4, TABLE_TOP | P | W | U, 4);
    for (u32 n = 0; n < 16; n++)
        phys_write(pm, TABLE + (256 + n) * 4, (DATA + n * PAGE_SIZE) | P | W | U, 4);
    cpu->cr0 = cpu->walk.cr0 = CR0_PE | CR0_PG | CR0_WP | CR0_ET;
    cpu->cr3 = cpu->walk.cr3 = DIR;
    for (unsigned n = 0; n < 6; n++) {
        cpu->seg[n].limit = UINT32_MAX;
        cpu->seg[n].base = 0;
        cpu->seg[n].read_span = cpu->seg[n].write_span = UINT32_MAX;
    }
    cpu_update_mode(cpu);
}

static void teardown(void)
{
    cpu_free(cpu);
    physmem_free(pm);
}

/* Runs the statement; the vector that it raised, or -1. */
#define RAISES(statement)                                                                          \
    ({                                                                                             \
        volatile int vector_ = -1;                                                                 \
        if (setjmp(cpu->escape) == 0) {                                                            \
            statement;                                                                             \
        } else {                                                                                   \
            vector_ = cpu->fault.vector;                                                           \
        }                                                                                          \
        vector_;                                                                                   \
    })

START_TEST(sizes_and_flags)
{
    for (unsigned size = 1; size <= 8; size *= 2) {
        mem_write(cpu, SEG_DS, DATA + 3, 0x8877665544332211, size);
        u64 mask = size == 8 ? UINT64_MAX : BIT64(size * 8) - 1;
        ck_assert_uint_eq(mem_read(cpu, SEG_DS, DATA + 3, size), 0x8877665544332211 & mask);
    }
    ck_assert_uint_eq(phys_read(pm, TABLE + 256 * 4, 4), DATA | P | W | U | A | D);
    ck_assert_uint_eq(phys_read(pm, DIR, 4), TABLE | P | W | U | A);
    mem_read8(cpu, SEG_DS, DATA + PAGE_SIZE);
    ck_assert_uint_eq(phys_read(pm, TABLE + 257 * 4, 4), (DATA + PAGE_SIZE) | P | W | U | A);
}
END_TEST

START_TEST(page_crossing)
{
    set_pte(DATA + PAGE_SIZE, (DATA + 4 * PAGE_SIZE) | P | W | U);
    mem_write32(cpu, SEG_DS, DATA + PAGE_SIZE - 1, 0x44332211);
    ck_assert_uint_eq(phys_read(pm, DATA + PAGE_SIZE - 1, 1), 0x11);
    ck_assert_uint_eq(phys_read(pm, DATA + 4 * PAGE_SIZE, 4), 0x00443322);
    ck_assert_uint_eq(mem_read32(cpu, SEG_DS, DATA + PAGE_SIZE - 1), 0x44332211);
    u8 in[300], out[300];
    for (unsigned n = 0; n < sizeof in; n++)
        in[n] = (u8)n;
    mem_write_bytes(cpu, SEG_DS, DATA + PAGE_SIZE - 100, in, sizeof in);
    mem_read_bytes(cpu, SEG_DS, DATA + PAGE_SIZE - 100, out, sizeof out);
    ck_assert_mem_eq(in, out, sizeof in);
    ck_assert_uint_eq(phys_read(pm, DATA + 4 * PAGE_SIZE, 1), 100);
}
END_TEST

START_TEST(nothing_is_written_when_the_second_page_faults)
{
    set_pte(DATA + PAGE_SIZE, (DATA + PAGE_SIZE) | P | U); /* read-only */
    phys_write(pm, DATA + PAGE_SIZE - 4, 0, 8);
    ck_assert_int_eq(RAISES(mem_write32(cpu, SEG_DS, DATA + PAGE_SIZE - 2, 0xffffffff)), VEC_PF);
    ck_assert_uint_eq(cpu->fault.cr2, DATA + PAGE_SIZE);
    ck_assert_uint_eq(cpu->fault.error, PF_P | PF_W);
    ck_assert_uint_eq(phys_read(pm, DATA + PAGE_SIZE - 4, 8), 0);
    u8 block[64];
    memset(block, 0xee, sizeof block);
    ck_assert_int_eq(RAISES(mem_write_bytes(cpu, SEG_DS, DATA + PAGE_SIZE - 2, block, 64)), VEC_PF);
    ck_assert_uint_eq(phys_read(pm, DATA + PAGE_SIZE - 4, 8), 0);
    set_pte(DATA, DATA | P | U);
    ck_assert_int_eq(RAISES(mem_write32(cpu, SEG_DS, DATA + PAGE_SIZE - 2, 1)), VEC_PF);
    ck_assert_uint_eq(cpu->fault.cr2, DATA + PAGE_SIZE - 2); /* the first page comes first */
    ck_assert_uint_eq(mem_read32(cpu, SEG_DS, DATA + PAGE_SIZE - 2), 0);
}
END_TEST

START_TEST(rmw_faults_as_a_write)
{
    set_pte(DATA, DATA | P | U);
    ck_assert_int_eq(RAISES(mem_read_rmw(cpu, SEG_DS, DATA, 4)), VEC_PF);
    ck_assert_uint_eq(cpu->fault.error, PF_P | PF_W);
    set_pte(DATA, DATA | P | W | U);
    phys_write(pm, DATA + PAGE_SIZE - 2, 0x12345678, 4);
    ck_assert_uint_eq(mem_read_rmw(cpu, SEG_DS, DATA + PAGE_SIZE - 2, 4), 0x12345678);
    ck_assert_uint_eq(mem_read_rmw(cpu, SEG_DS, DATA + PAGE_SIZE - 1, 1), 0x56);
    ck_assert(phys_read(pm, TABLE + 256 * 4, 4) & D);
    cpu->seg[SEG_DS].write_span = -1;
    ck_assert_int_eq(RAISES(mem_read_rmw(cpu, SEG_DS, DATA, 4)), VEC_GP);
    ck_assert_int_eq(RAISES(mem_probe_write(cpu, SEG_DS, DATA, 4)), VEC_GP);
    cpu->seg[SEG_SS].write_span = -1;
    ck_assert_int_eq(RAISES(mem_write8(cpu, SEG_SS, DATA, 4)), VEC_SS);
}
END_TEST

START_TEST(linear_addresses_wrap)
{
    phys_write(pm, TABLE_TOP + 1023 * 4, (DATA + PAGE_SIZE) | P | W, 4);
    set_pte(0, (DATA + 2 * PAGE_SIZE) | P | W);
    lin_write32(cpu, 0xfffffffe, 0x44332211);
    ck_assert_uint_eq(phys_read(pm, DATA + 2 * PAGE_SIZE - 2, 2), 0x2211);
    ck_assert_uint_eq(phys_read(pm, DATA + 2 * PAGE_SIZE, 2), 0x4433);
    ck_assert_uint_eq(lin_read32(cpu, 0xfffffffe), 0x44332211);
    cpu->seg[SEG_DS].base = 0xfffffff0;
    ck_assert_uint_eq(mem_read16(cpu, SEG_DS, 0x10), 0x4433);
}
END_TEST

START_TEST(privileges)
{
    set_pte(DATA, DATA | P | W);
    cpu->cpl = 3;
    cpu_update_mode(cpu);
    ck_assert_int_eq(RAISES(mem_read8(cpu, SEG_DS, DATA)), VEC_PF);
    ck_assert_uint_eq(cpu->fault.error, PF_P | PF_U);
    sys_write(cpu, DATA, 0x55aa, 2); /* implicit accesses are the supervisor's */
    ck_assert_uint_eq(sys_read(cpu, DATA, 2), 0x55aa);
    ck_assert_int_eq(RAISES(mem_read8(cpu, SEG_DS, DATA)), VEC_PF);
    sys_probe_write(cpu, DATA, 8);
    ck_assert_int_eq(RAISES(sys_probe_write(cpu, 0x5000, 8)), VEC_PF);
    ck_assert_uint_eq(cpu->fault.error, PF_W);
}
END_TEST

START_TEST(alignment_check)
{
    cpu->cr0 |= CR0_AM;
    cpu->cpl = 3;
    cpu_set_eflags(cpu, FLAG_AC, FLAG_AC);
    mem_write32(cpu, SEG_DS, DATA + 4, 7);
    ck_assert_uint_eq(mem_read32(cpu, SEG_DS, DATA + 4), 7);
    ck_assert_int_eq(RAISES(mem_read32(cpu, SEG_DS, DATA + 2)), VEC_AC);
    ck_assert(cpu->fault.has_error && cpu->fault.error == 0);
    ck_assert_int_eq(RAISES(mem_write16(cpu, SEG_DS, DATA + 3, 1)), VEC_AC);
    ck_assert_int_eq(RAISES(mem_read_rmw(cpu, SEG_DS, DATA + 1, 2)), VEC_AC);
    mem_read8(cpu, SEG_DS, DATA + 3);
    sys_read(cpu, DATA + 1, 4);
    cpu_set_eflags(cpu, 0, FLAG_AC);
    mem_read32(cpu, SEG_DS, DATA + 2);
    cpu_set_eflags(cpu, FLAG_AC, FLAG_AC);
    cpu->cpl = 0;
    cpu_update_mode(cpu);
    mem_read32(cpu, SEG_DS, DATA + 2);
}
END_TEST

START_TEST(watchpoints)
{
    cpu->dr[0] = DATA + 8;
    cpu->dr[1] = DATA + 0x10;
    cpu->dr[7] =
        0x400 | 1 | 4 | 1 << 16 | 3 << 18 | 3 << 20; /* 0: writes, 4 bytes; 1: r/w, 1 byte */
    space_flush(cpu->space);
    mem_read32(cpu, SEG_DS, DATA + 8);
    mem_write8(cpu, SEG_DS, DATA + 7, 1);
    mem_write8(cpu, SEG_DS, DATA + 12, 1);
    ck_assert_uint_eq(cpu->dr6_pending, 0);
    mem_write8(cpu, SEG_DS, DATA + 11, 1);
    ck_assert_uint_eq(cpu->dr6_pending, 1);
    ck_assert(atomic_load(&cpu->attention) & ATTENTION_TRAP);
    mem_read64(cpu, SEG_DS, DATA + 9);
    ck_assert_uint_eq(cpu->dr6_pending, 3);
    cpu->dr6_pending = 0;
    mem_write32(cpu, SEG_DS, DATA + 5, 0x01020304); /* unaligned, last byte hits */
    ck_assert_uint_eq(cpu->dr6_pending, 1);
    ck_assert_uint_eq(mem_read32(cpu, SEG_DS, DATA + 5), 0x01020304);
    ck_assert_int_eq(RAISES(mem_read8(cpu, SEG_DS, 0x5000)), VEC_PF);
    ck_assert_uint_eq(cpu->dr6_pending, 0); /* an instruction that faults hits nothing */
}
END_TEST

struct writes {
    unsigned count; /* calls of the hook */
    u64 offset;     /* of the last */
    unsigned size;  /* of the last */
    bool unmark;    /* drop the mark, as when the last block goes */
    bool restart;   /* escape, as when the running block goes */
};

static struct writes writes;

static void code_written(struct cpu *c, u64 ram_offset, unsigned size)
{
    writes.count++;
    writes.offset = ram_offset;
    writes.size = size;
    if (writes.unmark)
        physmem_unmark(c->mem, ram_offset, PAGE_CODE);
    if (writes.restart)
        cpu_restart(c);
}

/* [first, +size) of the page at place becomes code, whose bytes are known. */
static void put_code(u64 place, u8 mark, unsigned first, unsigned size)
{
    struct code_span all;
    physmem_mark(pm, place, mark);
    while (!physmem_own_code(pm, place))
        physmem_code_gone(pm, place, 1, &all);
    code_page_add(physmem_own_code(pm, place), first, size);
}

START_TEST(writes_to_code)
{
    writes = (struct writes){.count = 0};
    cpu->engine.code_written = code_written;
    mem_write8(cpu, SEG_DS, DATA, 1); /* now direct */
    put_code(DATA, PAGE_CODE, 5, 3);
    mem_write8(cpu, SEG_DS, DATA + 5, 2);
    mem_write32(cpu, SEG_DS, DATA + 6, 2);
    ck_assert_uint_eq(writes.count, 2);
    ck_assert_uint_eq(writes.offset, DATA + 6);
    ck_assert_uint_eq(writes.size, 4);
    ck_assert_uint_eq(mem_read8(cpu, SEG_DS, DATA + 5), 2);
    put_code(DATA + PAGE_SIZE, PAGE_TRANSLATED, PAGE_SIZE - 1, 1);
    writes.restart = true;
    phys_read(pm, DATA, 1);
    volatile int how = 0;
    if ((how = setjmp(cpu->escape)) == 0)
        mem_write16(cpu, SEG_DS, DATA + 2 * PAGE_SIZE - 1, 0xffff);
    ck_assert_int_eq(how, ESCAPE_RESTART);
    ck_assert_uint_eq(phys_read(pm, DATA + 2 * PAGE_SIZE - 1, 2), 0); /* nothing is committed */
    writes.restart = false;
    writes.unmark = true;
    mem_write8(cpu, SEG_DS, DATA + 7, 3);
    writes.count = 0;
    mem_write8(cpu, SEG_DS, DATA + 7, 4);
    ck_assert_uint_eq(writes.count, 0);
    ck_assert_ptr_nonnull(lin_host(cpu, DATA, 1, ACCESS_WRITE)); /* direct again */
}
END_TEST

/* Bytes beside code are written without anyone being told; other marks end that. */
START_TEST(writes_beside_code)
{
    const u8 text[] = "0123456789";
    writes = (struct writes){.count = 0};
    cpu->engine.code_written = code_written;
    put_code(DATA, PAGE_CODE, 100, 2);
    put_code(DATA, PAGE_TRANSLATED, 106, 1);
    mem_write8(cpu, SEG_DS, DATA + 99, 1); /* fills the TLB */
    writes.count = 0;
    mem_write32(cpu, SEG_DS, DATA + 96, 2);
    mem_write32(cpu, SEG_DS, DATA + 102, 0x04030201);
    mem_write64(cpu, SEG_DS, DATA + 107, 5);
    mem_write_bytes(cpu, SEG_DS, DATA + 110, text, sizeof text);
    ck_assert_uint_eq(mem_read_rmw(cpu, SEG_DS, DATA + 102, 4), 0x04030201);
    ck_assert_uint_eq(writes.count, 0);
    ck_assert_uint_eq(phys_read(pm, DATA + 96, 4), 2);
    ck_assert_uint_eq(phys_read(pm, DATA + 102, 4), 0x04030201);
    ck_assert_uint_eq(phys_read(pm, DATA + 111, 1), '1');
    for (unsigned n = 97; n < 107; n++) {
        bool touches = n < 102 || n > 102;
        writes.count = 0;
        mem_write32(cpu, SEG_DS, DATA + n, n);
        ck_assert_uint_eq(writes.count, touches);
        ck_assert_uint_eq(mem_read32(cpu, SEG_DS, DATA + n), n);
    }
    physmem_mark(pm, DATA, PAGE_CLEAN_SAVE);
    mem_write8(cpu, SEG_DS, DATA, 1);
    ck_assert_uint_eq(physmem_marks(pm, DATA), PAGE_ANY_CODE);
    writes.count = 0;
    mem_write8(cpu, SEG_DS, DATA, 2);
    mem_write8(cpu, SEG_DS, DATA, 3);
    ck_assert_uint_le(writes.count, 1); /* to be told of once, while the TLB has it so */
}
END_TEST

/* A string instruction tells of what it writes once a page. */
START_TEST(strings_over_code)
{
    const struct insn stos = {
        .opsize = 4, .addrsize = 4, .rep = REP_F3, .len = 2, .op = {{.size = 4}}};
    writes = (struct writes){.count = 0};
    cpu->engine.code_written = code_written;
    put_code(DATA, PAGE_CODE, 100, 200);
    mem_write8(cpu, SEG_DS, DATA, 1); /* fills the TLB */
    writes.count = 0;
    cpu->regs[RAX] = 0x01020304;
    cpu->regs[RCX] = 500;
    cpu->regs[RDI] = DATA + 8;
    exec_stos(cpu, &stos);
    ck_assert_uint_eq(writes.count, 1);
    ck_assert_uint_eq(writes.offset, DATA + 8);
    ck_assert_uint_eq(writes.size, 2000);
    ck_assert_uint_eq(cpu->regs[RCX], 0);
    ck_assert_uint_eq(cpu->regs[RDI], DATA + 2008);
    for (unsigned n = 0; n < 500; n++)
        ck_assert_uint_eq(phys_read(pm, DATA + 8 + 4 * n, 4), 0x01020304);
}
END_TEST

START_TEST(first_write_clears_a_clean_mark)
{
    mem_write8(cpu, SEG_DS, DATA, 1);
    for (unsigned n = 0; n < 3; n++) {
        physmem_mark(pm, DATA, PAGE_CLEAN_VGA | PAGE_CLEAN_SAVE);
        mem_read8(cpu, SEG_DS, DATA);
        ck_assert_uint_eq(physmem_marks(pm, DATA), PAGE_CLEAN_VGA | PAGE_CLEAN_SAVE);
        mem_write8(cpu, SEG_DS, DATA, 1);
        ck_assert_uint_eq(physmem_marks(pm, DATA), 0);
    }
}
END_TEST

START_TEST(rom_and_fetch)
{
    static u8 rom[PAGE_SIZE];
    struct error err;
    u64 pa;
    rom[5] = 0x77;
    ck_assert(physmem_map_rom(pm, 0xf0000000, rom, sizeof rom, "rom", &err));
    set_pte(DATA, 0xf0000000 | P | W | U);
    mem_write8(cpu, SEG_DS, DATA + 5, 1);
    ck_assert_uint_eq(mem_read8(cpu, SEG_DS, DATA + 5), 0x77);
    ck_assert_ptr_eq(mem_fetch_page(cpu, DATA + 5, &pa), rom);
    ck_assert_uint_eq(pa, 0xf0000000);
    set_pte(DATA, 0xd0000000 | P | W | U); /* nothing there */
    ck_assert_ptr_null(mem_fetch_page(cpu, DATA + 5, &pa));
    ck_assert_uint_eq(pa, 0xd0000000);
    ck_assert_uint_eq(mem_read64(cpu, SEG_DS, DATA), UINT64_MAX);
    ck_assert_int_eq(RAISES(mem_fetch_page(cpu, 0x5000, &pa)), VEC_PF);
    ck_assert_uint_eq(cpu->fault.error, 0);
}
END_TEST

START_TEST(peek_disturbs_nothing)
{
    u8 buf[0x3000];
    set_pte(DATA + 2 * PAGE_SIZE, 0);
    phys_write(pm, DATA + 0x10, 0x42, 1);
    ck_assert_uint_eq(mem_peek(cpu, DATA + 0x10, buf, sizeof buf), 2 * PAGE_SIZE - 0x10);
    ck_assert_uint_eq(buf[0], 0x42);
    ck_assert_uint_eq(phys_read(pm, TABLE + 256 * 4, 4), DATA | P | W | U);
    ck_assert_uint_eq(mem_peek(cpu, 0x5000, buf, 1), 0);
}
END_TEST

START_TEST(a20_and_remap)
{
    set_pte(DATA, 0x200000 | P | W | U);
    set_pte(DATA + PAGE_SIZE, 0x300000 | P | W | U);
    mem_write8(cpu, SEG_DS, DATA, 0x20);
    mem_write8(cpu, SEG_DS, DATA + PAGE_SIZE, 0x30);
    physmem_set_a20(pm, false);
    ck_assert_uint_eq(mem_read8(cpu, SEG_DS, DATA + PAGE_SIZE), 0x20);
    physmem_set_a20(pm, true);
    ck_assert_uint_eq(mem_read8(cpu, SEG_DS, DATA + PAGE_SIZE), 0x30);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("mem");
    TCase *t = tcase_create("mem");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, sizes_and_flags);
    tcase_add_test(t, page_crossing);
    tcase_add_test(t, nothing_is_written_when_the_second_page_faults);
    tcase_add_test(t, rmw_faults_as_a_write);
    tcase_add_test(t, linear_addresses_wrap);
    tcase_add_test(t, privileges);
    tcase_add_test(t, alignment_check);
    tcase_add_test(t, watchpoints);
    tcase_add_test(t, writes_to_code);
    tcase_add_test(t, writes_beside_code);
    tcase_add_test(t, strings_over_code);
    tcase_add_test(t, first_write_clears_a_clean_mark);
    tcase_add_test(t, rom_and_fetch);
    tcase_add_test(t, peek_disturbs_nothing);
    tcase_add_test(t, a20_and_remap);
    suite_add_tcase(s, t);
    return suite_run(s);
}
