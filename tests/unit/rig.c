/* A board for unit tests of chips. */
/* SPDX-License-Identifier: MIT */
#include "tests/unit/rig.h"
#include "tests/unit/suite.h"

#include <stdlib.h>

static u64 rig_time(void *opaque)
{
    return ((struct rig *)opaque)->now;
}

struct rig *rig_new(void)
{
    struct rig *r = xcalloc(1, sizeof *r);
    r->now = 1000000000;
    r->log.quiet = true;
    clock_init(&r->clock, rig_time, r);
    r->b = (struct board){.clock = &r->clock,
                          .io = ioports_new(&r->log),
                          .mem = physmem_new(RIG_RAM, 0, &r->log, &r->err),
                          .log = &r->log,
                          .err = &r->err};
    return r;
}

void rig_free(struct rig *r)
{
    board_destroy(&r->b);
    ioports_free(r->b.io);
    physmem_free(r->b.mem);
    clock_free(&r->clock);
    free(r);
}

static void wire_set(void *opaque, unsigned n, bool level)
{
    struct rig *r = opaque;
    r->rises[n] += level && !r->level[n];
    r->level[n] = level;
}

struct irq_line rig_wire(struct rig *r, unsigned n)
{
    return (struct irq_line){wire_set, r, n};
}

void rig_run(struct rig *r, u64 ns)
{
    u64 end = r->now + ns;
    while (clock_next_deadline(&r->clock) <= end) {
        if (clock_next_deadline(&r->clock) > r->now)
            r->now = clock_next_deadline(&r->clock);
        clock_run_due(&r->clock);
    }
    r->now = end;
}

u8 rig_in(struct rig *r, u16 port)
{
    return (u8)ioport_read(r->b.io, port, 1);
}

void rig_out(struct rig *r, u16 port, u8 value)
{
    ioport_write(r->b.io, port, value, 1);
}

void rig_save_and_load(struct rig *r)
{
    struct state *saved = state_new();
    size_t size;
    board_state(&r->b, saved);
    const u8 *bytes = state_bytes(saved, &size);
    board_reset(&r->b);
    rig_run(r, 12345678901);
    struct state *loading = state_parse(bytes, size, &r->err);
    ck_assert_ptr_nonnull(loading);
    board_state(&r->b, loading);
    ck_assert_ptr_null(state_failed(loading));
    state_free(saved);
    state_free(loading);
}

int rig_main(const char *name, const TTest **const *tests, unsigned count)
{
    Suite *suite = suite_create(name);
    TCase *tc = tcase_create(name);
    for (unsigned n = 0; n < count; n++)
        tcase_add_test(tc, *tests[n]);
    suite_add_tcase(suite, tc);
    return suite_run(suite);
}
