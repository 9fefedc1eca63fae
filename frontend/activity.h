/* What the machine is doing: disk, network, CPU; for a person to see. */
/* SPDX-License-Identifier: MIT */
#ifndef FRONTEND_ACTIVITY_H
#define FRONTEND_ACTIVITY_H

#include "frontend/machine.h"

/* Counted since the machine was made. */
struct activity {
    u64 host_ns;      /* when, by the host's clock */
    u64 cpu_ns;       /* time of a host CPU that the machine thread has taken */
    u64 disk;         /* bytes read and written by disks, CD and floppy drives */
    u64 net;          /* bytes sent and received by network cards */
    u64 instructions; /* executed, where they are counted; else 0 */
};

/* On the machine thread. counted: the CPU counts all its instructions. */
struct activity activity_now(struct machine *m, bool counted);

/* One line in capitals about what happened between two moments, as in "CPU 12 % DISK 1.5 MB/S". */
void activity_line(const struct activity *from, const struct activity *to, bool paused, char *line,
                   size_t size);

#endif
