/* Control, debug and descriptor-table registers: privileges, reserved bits, what a write entails.
 */
/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "cpu/control.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "cpu/breakpoint.h"
#include "cpu/cpuid.h"
#include "cpu/debug.h"
#include "cpu/decode.h"
#include "cpu/exec.h"
#include "cpu/mem.h"
#include "tests/unit/board_fixture.h"
#include "tests/unit/suite.h"

#define MIB (1ull << 20)

static struct physmem *pm;
static struct cpu *cpu;
static struct clock fake_clock;
static struct log quiet;
static u64 virtual_ns;
static unsigned flushes;

static u64 read_time(void *opaque)
{
    (void)opaque;
    return virtual_ns;
}

static void count_flush(struct cpu *c)
{
    (void)c;
    flushes++;
}

static void setup(void)
{
    struct error err;
    quiet = (struct log){.quiet = true};
    virtual_ns = 1000;
    pm = physmem_new(4 * MIB, 0, &quiet, &err);
    clock_init(&fake_clock, read_time, NULL);
    cpu = cpu_new(pm, &fake_clock, &quiet);
    cpu->engine.flushed = count_flush;
    cpu->cr0 = cpu->walk.cr0 = CR0_PE | CR0_ET;
    cpu->seg[SEG_CS].attr |= DESC_DB;
    cpu_update_mode(cpu);
    flushes = 0;
}

static void teardown(void)
{
    cpu_free(cpu);
    physmem_free(pm);
}

enum { DONE = -1, ERROR_CODE = 0x100 };

/* Executes one instruction's bytes with its handler: DONE, or the vector that it raised. */
static int run(const char *bytes, size_t size, insn_exec *exec)
{
    static struct insn insn;
    enum decode_status status = decode((const u8 *)bytes, size, cpu->code_mode, &insn);
    if (status == DECODE_INVALID)
        return VEC_UD;
    ck_assert_int_eq(status, DECODE_OK);
    cpu->cur = &insn;
    if (setjmp(cpu->escape) == 0) {
        exec(cpu, &insn);
        return DONE;
    }
    ck_assert_uint_eq(cpu->fault.error, 0);
    return cpu->fault.vector | (cpu->fault.has_error ? ERROR_CODE : 0);
}

#define RUN(bytes, name) run(bytes, sizeof bytes - 1, exec_##name)
#define GP               (VEC_GP | ERROR_CODE)

static int load_cr(unsigned n, u64 value)
{
    char bytes[] = {0x0f, 0x22, (char)(0xc0 | n << 3)};
    cpu->regs[RAX] = value;
    return run(bytes, sizeof bytes, exec_mov_cr_load);
}

static int load_dr(unsigned n, u64 value)
{
    char bytes[] = {0x0f, 0x23, (char)(0xc0 | n << 3)};
    cpu->regs[RAX] = value;
    return run(bytes, sizeof bytes, exec_mov_dr_load);
}

static int store_dr(unsigned n)
{
    char bytes[] = {0x0f, 0x21, (char)(0xc0 | n << 3)};
    return run(bytes, sizeof bytes, exec_mov_dr_store);
}

START_TEST(reset_state)
{
    cpu_reset(cpu);
    ck_assert_uint_eq(cpu->seg[SEG_CS].selector, 0xf000);
    ck_assert_uint_eq(cpu->seg[SEG_CS].base, 0xffff0000);
    ck_assert_uint_eq(cpu->rip, 0xfff0);
    ck_assert_uint_eq(cpu_eflags(cpu), 2);
    ck_assert_uint_eq(cpu->cr0, 0x60000010);
    ck_assert_uint_eq(cpu->regs[RDX], CPUID_SIGNATURE);
    ck_assert_uint_eq(cpu->dr[6], 0xffff0ff0);
    ck_assert_uint_eq(cpu->dr[7], 0x400);
    ck_assert_uint_eq(cpu->gdtr.limit, 0xffff);
    ck_assert_uint_eq(load_le16(cpu->fpu.image), 0x40);
    ck_assert_uint_eq(cpu->fpu.mxcsr, 0x1f80);
    ck_assert_int_eq(cpu->code_mode, MODE_16);
    ck_assert_uint_eq(cpu->stack_mask, 0xffff);
    ck_assert_uint_eq(control_tsc(cpu), 0);
}
END_TEST

/* Every instruction here that only ring 0 may execute. */
START_TEST(privileges)
{
    cpu->cpl = 3;
    ck_assert_int_eq(load_cr(0, 0x10), GP);
    ck_assert_int_eq(load_cr(3, 0), GP);
    ck_assert_int_eq(RUN("\x0f\x20\xc0", mov_cr_store), GP);
    ck_assert_int_eq(load_dr(7, 0), GP);
    ck_assert_int_eq(store_dr(0), GP);
    ck_assert_int_eq(RUN("\x0f\x06", clts), GP);
    ck_assert_int_eq(RUN("\x0f\x01\xf0", lmsw), GP);
    ck_assert_int_eq(RUN("\x0f\x01\x38", invlpg), GP);
    ck_assert_int_eq(RUN("\x0f\x08", invd), GP);
    ck_assert_int_eq(RUN("\x0f\x09", wbinvd), GP);
    ck_assert_int_eq(RUN("\x0f\x01\x10", lgdt), GP);
    ck_assert_int_eq(RUN("\x0f\x01\x18", lidt), GP);
    ck_assert_int_eq(RUN("\xf4", hlt), GP);
    ck_assert(!cpu->halted);
    ck_assert_int_eq(RUN("\x0f\x31", rdtsc), DONE);
    ck_assert_int_eq(RUN("\x0f\x01\xe0", smsw), DONE);
    cpu->cr4 |= CR4_TSD;
    ck_assert_int_eq(RUN("\x0f\x31", rdtsc), GP);
    ck_assert_int_eq(RUN("\x0f\x33", rdpmc), GP);
    ck_assert_int_eq(load_cr(1, 0), VEC_UD); /* comes before the privilege */
}
END_TEST

START_TEST(no_such_registers)
{
    static const unsigned absent[] = {1, 5, 6, 7};
    for (unsigned n = 0; n < ARRAY_LEN(absent); n++) {
        ck_assert_int_eq(load_cr(absent[n], 0), VEC_UD);
        char store[] = {0x0f, 0x20, (char)(0xc0 | absent[n] << 3)};
        ck_assert_int_eq(run(store, 3, exec_mov_cr_store), VEC_UD);
    }
    ck_assert_int_eq(load_cr(2, 0x12345678), DONE);
    ck_assert_uint_eq(cpu->cr2, 0x12345678);
    ck_assert_int_eq(RUN("\x0f\x20\xd3", mov_cr_store), DONE); /* mov ebx, cr2 */
    ck_assert_uint_eq(cpu->regs[RBX], 0x12345678);
}
END_TEST

struct cr0_case {
    u64 value;  /* written */
    int result; /* DONE or the exception */
    u64 cr0;    /* afterwards */
};

static const struct cr0_case cr0_cases[] = {
    {0x11, DONE, 0x11},
    {0x01, DONE, 0x11},             /* ET is always 1 */
    {0xffffffff, DONE, 0xe005003f}, /* what does not exist is ignored */
    {CR0_PG | CR0_ET, GP, 0x11},    /* PG without PE */
    {CR0_NW | CR0_PE, GP, 0x11},    /* NW without CD */
    {CR0_CD | CR0_PE, DONE, 0x40000011},
    {0, DONE, 0x10},
};

START_TEST(cr0)
{
    const struct cr0_case *c = &cr0_cases[_i];
    ck_assert_int_eq(load_cr(0, c->value), c->result);
    ck_assert_uint_eq(cpu->cr0, c->cr0);
    ck_assert_uint_eq(cpu->walk.cr0, c->cr0);
}
END_TEST

START_TEST(cr0_flushes)
{
    ck_assert_int_eq(load_cr(0, CR0_PE | CR0_MP | CR0_TS), DONE);
    ck_assert_uint_eq(flushes, 0);
    lin_read8(cpu, 0x5000);
    ck_assert_int_eq(load_cr(0, CR0_PE | CR0_PG), DONE);
    ck_assert_uint_eq(flushes, 1);
    ck_assert_ptr_null(lin_host(cpu, 0x5000, 1, ACCESS_READ));
    ck_assert_int_eq(load_cr(0, CR0_PE | CR0_PG | CR0_WP), DONE);
    ck_assert_uint_eq(flushes, 2);
    ck_assert_int_eq(load_cr(3, 0x1000), DONE);
    ck_assert_uint_eq(flushes, 3);
    ck_assert_uint_eq(cpu->walk.cr3, 0x1000);
    ck_assert_int_eq(load_cr(4, CR4_OSFXSR), DONE);
    ck_assert_uint_eq(flushes, 3);
    ck_assert_int_eq(load_cr(4, CR4_PSE), DONE);
    ck_assert_uint_eq(flushes, 4);
    ck_assert_uint_eq(cpu->walk.cr4, CR4_PSE);
}
END_TEST

START_TEST(leaving_protected_mode)
{
    cpu->cpl = 0;
    ck_assert_int_eq(load_cr(0, 0), DONE);
    ck_assert(!cpu_protected(cpu));
    ck_assert_int_eq(cpu->code_mode, MODE_32); /* until CS is loaded */
}
END_TEST

START_TEST(cr4)
{
    u64 all = CR4_TSD | CR4_DE | CR4_PSE | CR4_PAE | CR4_MCE | CR4_PGE | CR4_PCE | CR4_OSFXSR |
              CR4_OSXMMEXCPT | (CPUID_VME_OFFERED ? CR4_VME | CR4_PVI : 0);
    ck_assert_int_eq(load_cr(4, all), DONE);
    ck_assert_uint_eq(cpu->cr4, all);
    for (unsigned n = 0; n < 32; n++)
        if (!(all & BIT(n)))
            ck_assert_int_eq(load_cr(4, BIT(n)), GP);
    ck_assert_uint_eq(cpu->cr4, all);
}
END_TEST

/* PAE's PDPTEs are loaded, and checked, by each write that may enable or change them. */
START_TEST(pdptes)
{
    phys_write(pm, 0x1008, 0x5001, 8);
    phys_write(pm, 0x2008, 0x6001, 8);
    phys_write(pm, 0x3008, 0x6003, 8); /* a reserved bit */
    ck_assert_int_eq(load_cr(4, CR4_PAE), DONE);
    ck_assert_int_eq(load_cr(3, 0x3000), DONE); /* not checked while paging is off */
    ck_assert_int_eq(load_cr(0, CR0_PE | CR0_PG), GP);
    ck_assert(!(cpu->cr0 & CR0_PG));
    ck_assert_int_eq(load_cr(3, 0x1000), DONE);
    ck_assert_uint_eq(cpu->walk.pdpte[1], 0);
    ck_assert_int_eq(load_cr(0, CR0_PE | CR0_PG), DONE);
    ck_assert_uint_eq(cpu->walk.pdpte[1], 0x5001);
    ck_assert_int_eq(load_cr(3, 0x2000), DONE);
    ck_assert_uint_eq(cpu->walk.pdpte[1], 0x6001);
    ck_assert_int_eq(load_cr(3, 0x3000), GP);
    ck_assert_uint_eq(cpu->cr3, 0x2000);
    ck_assert_uint_eq(cpu->walk.pdpte[1], 0x6001);
    phys_write(pm, 0x2008, 0x7001, 8);
    ck_assert_int_eq(load_cr(4, CR4_PAE | CR4_PGE), DONE); /* loads them again */
    ck_assert_uint_eq(cpu->walk.pdpte[1], 0x7001);
    phys_write(pm, 0x2008, 0x7003, 8);
    ck_assert_int_eq(load_cr(4, CR4_PAE), GP);
    ck_assert_uint_eq(cpu->cr4, CR4_PAE | CR4_PGE);
}
END_TEST

/* What a root maps survives the loads of CR3, and is never stale. */
START_TEST(translations_survive_cr3)
{
    for (unsigned n = 0; n < 2; n++)
        phys_write(pm, 0x2000 + (n + 0x40) * 4, (0x40000 + n * 0x1000) | 1, 4);
    phys_write(pm, 0x1000, 0x2001, 4);
    phys_write(pm, 0x3000, 0x2001, 4);
    ck_assert_int_eq(load_cr(3, 0x1000), DONE);
    ck_assert_int_eq(load_cr(0, CR0_PE | CR0_PG), DONE);
    lin_read8(cpu, 0x40000);
    lin_read8(cpu, 0x41000);
    ck_assert_int_eq(load_cr(3, 0x3000), DONE);
    ck_assert_int_eq(load_cr(3, 0x1000), DONE);
    ck_assert_ptr_nonnull(lin_host(cpu, 0x40000, 1, ACCESS_READ));
    ck_assert_ptr_nonnull(lin_host(cpu, 0x41000, 1, ACCESS_READ));
    phys_write(pm, 0x2000 + 0x40 * 4, 0x42001, 4);
    ck_assert_ptr_null(lin_host(cpu, 0x40000, 1, ACCESS_READ));
    cpu->regs[RAX] = 0x41234;
    cpu->seg[SEG_DS].limit = 0; /* INVLPG does not look at limits */
    ck_assert_int_eq(RUN("\x0f\x01\x38", invlpg), DONE);
    ck_assert_ptr_null(lin_host(cpu, 0x41000, 1, ACCESS_READ));
    lin_read8(cpu, 0x41000);
    ck_assert_int_eq(load_cr(4, CR4_PSE), DONE);
    ck_assert_ptr_null(lin_host(cpu, 0x41000, 1, ACCESS_READ));
}
END_TEST

/* What was mapped for a root is gone when the machine's memory map changes behind another one. */
START_TEST(other_spaces_see_a_new_map)
{
    struct error err;
    u64 offset;
    ck_assert_ptr_nonnull(physmem_add_ram(pm, 0x1000, "vga", &offset, &err));
    ck_assert(physmem_map_ram(pm, 0xfd000000, 0x1000, offset, "vga", &err));
    phys_write(pm, 0xfd000000, 0x5a, 1);
    phys_write(pm, 0x2000 + 0x40 * 4, 0xfd000001, 4);
    phys_write(pm, 0x1000, 0x2001, 4);
    phys_write(pm, 0x3000, 0x2001, 4);
    ck_assert_int_eq(load_cr(3, 0x1000), DONE);
    ck_assert_int_eq(load_cr(0, CR0_PE | CR0_PG), DONE);
    ck_assert_uint_eq(lin_read8(cpu, 0x40000), 0x5a);
    ck_assert_int_eq(load_cr(3, 0x3000), DONE);
    physmem_unmap(pm, 0xfd000000, 0x1000);
    ck_assert_int_eq(load_cr(3, 0x1000), DONE);
    ck_assert_ptr_null(lin_host(cpu, 0x40000, 1, ACCESS_READ));
    ck_assert_uint_eq(lin_read8(cpu, 0x40000), 0xff);
}
END_TEST

START_TEST(machine_status_word)
{
    cpu->cr0 |= CR0_TS | CR0_WP;
    ck_assert_int_eq(RUN("\x0f\x06", clts), DONE);
    ck_assert_uint_eq(cpu->cr0, CR0_PE | CR0_ET | CR0_WP);
    cpu->regs[RAX] = 0xfffe; /* PE cannot be cleared, ET and NE are not in reach */
    ck_assert_int_eq(RUN("\x0f\x01\xf0", lmsw), DONE);
    ck_assert_uint_eq(cpu->cr0, CR0_PE | CR0_MP | CR0_EM | CR0_TS | CR0_ET | CR0_WP);
    cpu->regs[RCX] = 0xffffffff;
    ck_assert_int_eq(RUN("\x0f\x01\xe1", smsw), DONE);
    ck_assert_uint_eq(cpu->regs[RCX], cpu->cr0);
    cpu->regs[RCX] = 0xffffffff;
    ck_assert_int_eq(RUN("\x66\x0f\x01\xe1", smsw), DONE);
    ck_assert_uint_eq(cpu->regs[RCX], 0xffff001f);
    cpu->regs[RAX] = 0x4000;
    phys_write(pm, 0x4000, 0, 4);
    ck_assert_int_eq(RUN("\x0f\x01\x20", smsw), DONE); /* memory: 16 bits */
    ck_assert_uint_eq(phys_read(pm, 0x4000, 4), 0x1f);
}
END_TEST

START_TEST(debug_registers)
{
    ck_assert_int_eq(load_dr(3, 0x12345678), DONE);
    ck_assert_int_eq(load_dr(6, 0), DONE);
    ck_assert_uint_eq(cpu->dr[6], 0xffff0ff0);
    ck_assert_int_eq(load_dr(4, 0xffffffff), DONE); /* an alias of DR6 */
    ck_assert_uint_eq(cpu->dr[6], 0xffffeff0 | 0xf);
    ck_assert_int_eq(load_dr(5, 0xffffdfff), DONE);
    ck_assert_uint_eq(cpu->dr[7], 0xffff07ff);
    ck_assert_int_eq(store_dr(3), DONE);
    ck_assert_uint_eq(cpu->regs[RAX], 0x12345678);
    ck_assert_int_eq(store_dr(5), DONE);
    ck_assert_uint_eq(cpu->regs[RAX], 0xffff07ff);
    cpu->cr4 = CR4_DE;
    ck_assert_int_eq(store_dr(4), VEC_UD);
    ck_assert_int_eq(load_dr(5, 0), VEC_UD);
    ck_assert_int_eq(store_dr(6), DONE);
}
END_TEST

START_TEST(general_detect)
{
    ck_assert_int_eq(load_dr(7, 0x2400), DONE);
    ck_assert_int_eq(store_dr(0), VEC_DB);
    debug_deliver(cpu);
    ck_assert(cpu->dr[6] & DR6_BD);
    ck_assert_int_eq(store_dr(0), DONE); /* delivery clears GD, so that the handler may use them */
}
END_TEST

START_TEST(breakpoints_slow_their_page)
{
    lin_write8(cpu, 0x5000, 1);
    ck_assert_ptr_nonnull(lin_host(cpu, 0x5000, 1, ACCESS_WRITE));
    load_dr(0, 0x5004);
    load_dr(7, 0x10001);                                         /* writes of one byte */
    ck_assert(!(atomic_load(&cpu->attention) & ATTENTION_TRAP)); /* nothing is stepped */
    lin_write8(cpu, 0x5000, 1);
    ck_assert_uint_eq(cpu->dr6_pending, 0);
    lin_write32(cpu, 0x5001, 1);
    ck_assert_uint_eq(cpu->dr6_pending, 1);
    cpu->dr6_pending = 0;
    load_dr(7, 0);
    lin_write32(cpu, 0x5001, 1);
    ck_assert_uint_eq(cpu->dr6_pending, 0);
    ck_assert_ptr_nonnull(lin_host(cpu, 0x5000, 1, ACCESS_WRITE));
}
END_TEST

START_TEST(descriptor_tables)
{
    cpu->regs[RAX] = 0x4000;
    phys_write(pm, 0x4000, 0x876543210fff, 8);
    ck_assert_int_eq(RUN("\x0f\x01\x10", lgdt), DONE);
    ck_assert_uint_eq(cpu->gdtr.base, 0x87654321);
    ck_assert_uint_eq(cpu->gdtr.limit, 0x0fff);
    ck_assert_int_eq(RUN("\x66\x0f\x01\x18", lidt), DONE); /* 16-bit: 24 bits of base */
    ck_assert_uint_eq(cpu->idtr.base, 0x654321);
    cpu->regs[RAX] = 0x4010;
    phys_write(pm, 0x4010, UINT64_MAX, 8);
    ck_assert_int_eq(RUN("\x0f\x01\x00", sgdt), DONE);
    ck_assert_uint_eq(phys_read(pm, 0x4010, 8), 0xffff876543210fff);
    ck_assert_int_eq(RUN("\x0f\x01\x08", sidt), DONE);
    ck_assert_uint_eq(phys_read(pm, 0x4010, 8), 0xffff006543210fff);
    cpu->regs[RAX] = 0xfffc; /* beyond the segment's limit */
    ck_assert_int_eq(RUN("\x0f\x01\x10", lgdt), GP);
    ck_assert_uint_eq(cpu->gdtr.base, 0x87654321);
}
END_TEST

START_TEST(halt_and_counters)
{
    ck_assert_int_eq(RUN("\xf4", hlt), DONE);
    ck_assert(cpu->halted);
    virtual_ns += 5000000000;
    ck_assert_int_eq(RUN("\x0f\x31", rdtsc), DONE);
    u64 want = clock_ticks(5000000000, cpu->tsc_hz);
    ck_assert_uint_eq(cpu->regs[RAX], (u32)want);
    ck_assert_uint_eq(cpu->regs[RDX], want >> 32);
    ck_assert_int_eq(RUN("\x0f\x33", rdpmc), GP);
}
END_TEST

static unsigned told; /* flushes of everything */

static void hear_flush(struct hook *h, struct cpu *c, enum flush_kind kind, u64 lin)
{
    (void)h, (void)c, (void)lin;
    told += kind == FLUSH_ALL;
}

/* Listeners hear that what they know of translations is over. */
START_TEST(loading_flushes)
{
    struct error err;
    size_t size;
    struct state *s = state_new();
    struct hook hook = {.flushed = hear_flush};
    debugger_init(cpu);
    hook_add(cpu, &hook);
    told = 0;
    cpu_state(cpu, s);
    ck_assert_uint_eq(told, 0);
    const u8 *bytes = state_bytes(s, &size);
    struct state *loaded = state_parse(bytes, size, &err);
    cpu_state(cpu, loaded);
    ck_assert_uint_eq(told, 1);
    hook_remove(cpu, &hook);
    debugger_free(cpu);
    state_free(s);
    state_free(loaded);
}
END_TEST

START_TEST(saved_and_loaded)
{
    struct error err;
    size_t size;
    struct state *s = state_new();
    load_cr(3, 0x7000);
    cpu->regs[RBX] = 0x11223344;
    cpu->seg[SEG_FS] = (struct segment){7, 0, 0, 0xf300, 99, 0x1000, 3, 96, -1};
    cpu->fpu.xmm[3].q[1] = 5;
    cpu_state(cpu, s);
    const u8 *bytes = state_bytes(s, &size);
    struct state *loaded = state_parse(bytes, size, &err);
    ck_assert_ptr_nonnull(loaded);
    cpu_reset(cpu);
    cpu_state(cpu, loaded);
    ck_assert_ptr_null(state_failed(loaded));
    ck_assert_uint_eq(cpu->cr3, 0x7000);
    ck_assert_uint_eq(cpu->walk.cr3, 0x7000);
    ck_assert_uint_eq(cpu->regs[RBX], 0x11223344);
    ck_assert_uint_eq(cpu->seg[SEG_FS].limit, 99);
    ck_assert_int_eq(cpu->seg[SEG_FS].write_span, -1);
    ck_assert_uint_eq(cpu->fpu.xmm[3].q[1], 5);
    ck_assert_int_eq(cpu->code_mode, MODE_32);
    state_free(s);
    state_free(loaded);
}
END_TEST

/* Saves, changes the field behind its name, and loads; why it was refused, or NULL. */
static const char *load_forged(const char *field, u64 value, unsigned size)
{
    struct state *s = state_new();
    cpu_state(cpu, s);
    struct state *loaded = fixture_forge(s, field, value, size);
    cpu_state(cpu, loaded);
    const char *why = state_failed(loaded);
    state_free(loaded);
    state_free(s);
    return why;
}

/* Addresses in the host are computed from registers and bases: they have 32 bits. */
START_TEST(forged_states)
{
    static const struct {
        const char *field; /* and the value that it cannot have */
        u64 value;
    } bad[] = {{"cr0", CR0_PG | CR0_ET}, {"cr0", CR0_PE | CR0_NW | CR0_ET}, {"cr4", BIT(11)},
               {"cr4", BIT64(40)},       {"efer", EFER_LMA | EFER_LME},     {"efer", EFER_SCE}};
    ck_assert_ptr_null(load_forged("regs", 0x7777000000000005, 8));
    ck_assert_uint_eq(cpu->regs[RAX], 5);
    ck_assert_ptr_null(load_forged("rip", 0x100001234, 8));
    ck_assert_uint_eq(cpu->rip, 0x1234);
    cpu->seg[SEG_ES].base = 0x8000000000012340;
    ck_assert_ptr_null(load_forged("rip", 0, 8));
    ck_assert_uint_eq(cpu->seg[SEG_ES].base, 0x12340);
    ck_assert_ptr_null(load_forged("gdtr.base", UINT64_MAX, 8));
    ck_assert_uint_eq(cpu->gdtr.base, UINT32_MAX);
    ck_assert_ptr_null(load_forged("halted", 0xfe, 1));
    ck_assert(cpu->halted == true);
    for (unsigned n = 0; n < ARRAY_LEN(bad); n++) {
        ck_assert_ptr_nonnull(load_forged(bad[n].field, bad[n].value, 8));
        ck_assert_uint_eq(cpu->cr0, CR0_CD | CR0_NW | CR0_ET); /* as after reset */
        ck_assert_uint_eq(cpu->cr4, 0);
        ck_assert_uint_eq(cpu->efer, 0);
    }
}
END_TEST

/* Instruction breakpoints that the guest had set break in the machine that goes on. */
START_TEST(breakpoints_are_loaded)
{
    size_t size;
    struct error err;
    struct state *s = state_new();
    struct cpu *first = cpu;
    control_write_dr(cpu, 0, 0x12345);
    control_write_dr(cpu, 7, 1);
    cpu_state(cpu, s);
    const u8 *bytes = state_bytes(s, &size);
    struct state *loaded = state_parse(bytes, size, &err);
    struct physmem *mem = physmem_new(4 * MIB, 0, &quiet, &err);
    cpu = cpu_new(mem, &fake_clock, &quiet);
    ck_assert(!breakpoint_planted(cpu, 0x12345, UINT64_MAX));
    cpu_state(cpu, loaded);
    ck_assert(breakpoint_planted(cpu, 0x12345, UINT64_MAX));
    ck_assert(!breakpoint_planted(cpu, 0x12346, UINT64_MAX));
    state_free(s);
    state_free(loaded);
    cpu_free(cpu);
    physmem_free(mem);
    cpu = first;
}
END_TEST

START_TEST(flags)
{
    cpu_set_eflags(cpu, FLAG_CF | FLAG_IF | FLAG_TF, FLAG_CF | FLAG_IF | FLAG_TF);
    ck_assert_uint_eq(cpu_eflags(cpu), 2 | FLAG_CF | FLAG_IF | FLAG_TF);
    ck_assert(atomic_load(&cpu->attention) & ATTENTION_TRAP);
    cpu_set_eflags(cpu, 0, FLAG_TF | FLAG_CF);
    ck_assert_uint_eq(cpu_eflags(cpu), 2 | FLAG_IF);
    ck_assert(!(atomic_load(&cpu->attention) & ATTENTION_TRAP));
    cpu_set_eflags(cpu, FLAG_VM, FLAG_VM);
    ck_assert_uint_eq(cpu->cpl, 3);
    ck_assert_ptr_eq(cpu->tlb, &cpu->space->tlb[1]);
    cpu_set_intr(cpu, true);
    ck_assert(atomic_load(&cpu->attention) & ATTENTION_INTR);
    cpu_set_intr(cpu, false);
    ck_assert(!(atomic_load(&cpu->attention) & ATTENTION_INTR));
}
END_TEST

int main(void)
{
    Suite *s = suite_create("control");
    TCase *t = tcase_create("control");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, reset_state);
    tcase_add_test(t, privileges);
    tcase_add_test(t, no_such_registers);
    tcase_add_loop_test(t, cr0, 0, ARRAY_LEN(cr0_cases));
    tcase_add_test(t, cr0_flushes);
    tcase_add_test(t, leaving_protected_mode);
    tcase_add_test(t, cr4);
    tcase_add_test(t, pdptes);
    tcase_add_test(t, translations_survive_cr3);
    tcase_add_test(t, other_spaces_see_a_new_map);
    tcase_add_test(t, machine_status_word);
    tcase_add_test(t, debug_registers);
    tcase_add_test(t, general_detect);
    tcase_add_test(t, breakpoints_slow_their_page);
    tcase_add_test(t, descriptor_tables);
    tcase_add_test(t, halt_and_counters);
    tcase_add_test(t, saved_and_loaded);
    tcase_add_test(t, forged_states);
    tcase_add_test(t, breakpoints_are_loaded);
    tcase_add_test(t, loading_flushes);
    tcase_add_test(t, flags);
    suite_add_tcase(s, t);
    return suite_run(s);
}
