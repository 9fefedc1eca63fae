/* A board for chip tests: ports, 16 MiB of memory, a clock that tests set, wires that remember
 * their level. */
/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "tests/unit/board_fixture.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "hw/pci.h"
#include "hw/vga.h"
#include "tests/unit/suite.h"

static u64 fixture_time(void *opaque)
{
    return ((struct fixture *)opaque)->now;
}

void fixture_setup(struct fixture *f)
{
    memset(f, 0, sizeof *f);
    f->log.quiet = true;
    clock_init(&f->clock, fixture_time, f);
    f->board.clock = &f->clock;
    f->board.log = &f->log;
    f->board.err = &f->err;
    f->board.io = ioports_new(&f->log);
    f->board.mem = physmem_new(16 << 20, 0, &f->log, &f->err);
    ck_assert_msg(f->board.mem != NULL, "%s", f->err.text);
}

void fixture_teardown(struct fixture *f)
{
    board_destroy(&f->board);
    physmem_free(f->board.mem);
    ioports_free(f->board.io);
    clock_free(&f->clock);
}

static void line_set(void *opaque, unsigned n, bool level)
{
    struct fixture *f = opaque;
    f->rises[n] += level && !f->level[n];
    f->level[n] = level;
}

struct irq_line fixture_line(struct fixture *f, unsigned n)
{
    return (struct irq_line){line_set, f, n};
}

void fixture_run(struct fixture *f, u64 ns)
{
    u64 end = f->now + ns;
    while (clock_next_deadline(&f->clock) <= end) {
        u64 next = clock_next_deadline(&f->clock);
        f->now = next > f->now ? next : f->now;
        clock_run_due(&f->clock);
    }
    f->now = end;
}

struct vga *fixture_vga(struct fixture *f, u32 frame_buffer)
{
    struct pci_bus *bus = pci_bus_create(&f->board);
    struct vga *vga = vga_create(&f->board, bus, NULL, 0);
    ck_assert_msg(vga != NULL, "%s", f->err.text);
    board_reset(&f->board);
    fixture_out(f, 0xcf8, 0x80001010, 4); /* the frame buffer's BAR, then memory space on */
    fixture_out(f, 0xcfc, frame_buffer, 4);
    fixture_out(f, 0xcf8, 0x80001004, 4);
    fixture_out(f, 0xcfc, 2, 2);
    return vga;
}

u32 fixture_in(struct fixture *f, u16 port, unsigned size)
{
    return ioport_read(f->board.io, port, size);
}

void fixture_out(struct fixture *f, u16 port, u32 value, unsigned size)
{
    ioport_write(f->board.io, port, value, size);
}

void fixture_save_and_load(struct fixture *f)
{
    size_t size;
    struct state *saved = state_new();
    board_state(&f->board, saved);
    const u8 *bytes = state_bytes(saved, &size);
    struct state *loaded = state_parse(bytes, size, &f->err);
    ck_assert_msg(loaded != NULL, "%s", f->err.text);
    board_reset(&f->board);
    board_state(&f->board, loaded);
    ck_assert_msg(!state_failed(loaded), "%s", state_failed(loaded));
    state_free(loaded);
    state_free(saved);
}

struct state *fixture_forge(struct state *saved, const char *field, u64 value, unsigned size)
{
    size_t all, name = strlen(field);
    struct error err;
    const u8 *bytes = state_bytes(saved, &all);
    u8 *copy = xmalloc(all);
    memcpy(copy, bytes, all);
    u8 *at = memmem(copy, all, field, name);
    ck_assert_ptr_nonnull(at);
    memcpy(at + name, &value, size);
    struct state *forged = state_parse(copy, all, &err);
    free(copy);
    return forged;
}

const char *fixture_load_forged(struct board *b, const char *field, u64 value, unsigned size)
{
    size_t all;
    struct error err;
    struct state *saved = state_new();
    board_state(b, saved);
    const u8 *bytes = state_bytes(saved, &all);
    struct state *forged = fixture_forge(saved, field, value, size);
    struct state *back = state_parse(bytes, all, &err);
    board_state(b, forged);
    const char *why = state_failed(forged);
    if (why)
        board_state(b, back);
    state_free(forged);
    state_free(back);
    state_free(saved);
    return why;
}

void fixture_temp_file(char path[64], const u8 *data, size_t size)
{
    strcpy(path, "/tmp/prescient-test-XXXXXX");
    int fd = mkstemp(path);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write(fd, data, size), (ssize_t)size);
    close(fd);
}

u64 fixture_seed(void)
{
    const char *text = getenv("FUZZ_SEED");
    return text ? strtoull(text, NULL, 0) : 0;
}

int fixture_main(const char *name, void (*add)(TCase *tc))
{
    Suite *s = suite_create(name);
    TCase *tc = tcase_create("all");
    add(tc);
    suite_add_tcase(s, tc);
    return suite_run(s);
}
