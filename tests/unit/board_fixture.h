/* A board for chip tests: ports, 16 MiB of memory, a clock that tests set, wires that remember
 * their level. */
/* SPDX-License-Identifier: MIT */
#ifndef TESTS_UNIT_BOARD_FIXTURE_H
#define TESTS_UNIT_BOARD_FIXTURE_H

#include "hw/device.h"

#include <check.h>

struct fixture {
    struct board board; /* what chips are created on */
    struct clock clock; /* its time is now */
    struct log log;     /* quiet */
    struct error err;   /* of creations */
    u64 now;            /* virtual ns */
    bool level[64];     /* wires from fixture_line, by number */
    unsigned rises[64]; /* how often each went from low to high */
};

void fixture_setup(struct fixture *f);
void fixture_teardown(struct fixture *f); /* destroys the chips too */
struct irq_line fixture_line(struct fixture *f, unsigned n);
void fixture_run(struct fixture *f, u64 ns); /* lets time pass, timers included */

/* A VGA on a PCI bus, its linear frame buffer at this address. */
struct vga;
struct vga *fixture_vga(struct fixture *f, u32 frame_buffer);

/* Port access in short. */
u32 fixture_in(struct fixture *f, u16 port, unsigned size);
void fixture_out(struct fixture *f, u16 port, u32 value, unsigned size);

/* Saves and loads every chip, as a snapshot would. */
void fixture_save_and_load(struct fixture *f);

/* A saved state with another value behind the name of its first such field. */
struct state *fixture_forge(struct state *saved, const char *field, u64 value, unsigned size);
/* Loads every chip's saved state with another value behind the first field of that name; why it was
 * refused (the chips are then as they were), or NULL. */
const char *fixture_load_forged(struct board *b, const char *field, u64 value, unsigned size);

/* A temporary file without a name left behind: its path is good until the image is opened; then
 * unlink it. */
void fixture_temp_file(char path[64], const u8 *data, size_t size);

/* Added to the seeds of tests with random numbers: 0, or what the variable FUZZ_SEED says. */
u64 fixture_seed(void);

/* Runs one suite of one test case; returns main's status. */
int fixture_main(const char *name, void (*add)(TCase *tc));

#endif
