/* A whole machine and its thread: the run loop of CPU and devices, and the queue through which
 * others speak to it. */
/* SPDX-License-Identifier: MIT */
#ifndef FRONTEND_MACHINE_H
#define FRONTEND_MACHINE_H

#include "frontend/options.h"

struct monitor;
struct pause;

struct board;
struct image;
struct machine;

/* Builds the machine that the options describe; NULL with *err set. The options must outlive it. */
struct machine *machine_new(const struct options *options, struct error *err);
void machine_free(struct machine *m);

/* Runs it on the calling thread until the guest switches it off or somebody quits; returns the exit
 * status. May be called again, to go on. */
int machine_run(struct machine *m);

/* From any thread: has fn called on the machine thread, between two instructions. */
void machine_post(struct machine *m, void (*fn)(struct machine *m, void *opaque), void *opaque);
/* After machine_run has returned, from the thread that goes on with the machine: calls what was
 * posted too late for it. Who has posted pointers to what is about to go does this first. */
void machine_settle(struct machine *m);
/* From any thread: ends machine_run with this status. */
void machine_quit(struct machine *m, int status);

/* From any thread: has the user stopped it? */
bool machine_paused(const struct machine *m);

/* On the machine thread, from posted functions. */
struct pc *machine_pc(struct machine *m);
struct cpu *machine_cpu(struct machine *m);
struct board *machine_board(struct machine *m);
struct image *machine_disk(struct machine *m, unsigned n); /* by -drive, in their order, or NULL */
/* The board has another medium (NULL: none) in the drive of that -drive: a CD's requests are done
 * by a thread of its own, and a floppy is part of snapshots. */
void machine_adopt_image(struct machine *m, unsigned n, struct image *image);
u64 machine_time(struct machine *m);                /* virtual, ns */
void machine_set_time(struct machine *m, u64 now);  /* while paused */
void machine_pause(struct machine *m, bool paused); /* virtual time stops while paused */
void machine_reset(struct machine *m);
/* Its monitor, or NULL: it was not asked for. */
struct monitor *machine_monitor(struct machine *m);
/* Stops it for a reason (cpu/breakpoint.h) and tells the monitor; the CPU has its debugger. */
void machine_stop(struct machine *m, const struct pause *pause);
/* What -on and the monitor's `on` say; false with *err set. */
bool machine_on_event(struct machine *m, const char *text, struct error *err);

#endif
