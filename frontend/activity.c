/* What the machine is doing: disk, network, CPU; for a person to see. */
/* SPDX-License-Identifier: MIT */
#include "frontend/activity.h"

#include <stdio.h>
#include <time.h>

#include "cpu/clock.h"
#include "cpu/cpu.h"
#include "hw/pc.h"

static u64 host_clock(clockid_t id)
{
    struct timespec t;
    clock_gettime(id, &t);
    return (u64)t.tv_sec * NS_PER_SEC + (u64)t.tv_nsec;
}

struct activity activity_now(struct machine *m, bool counted)
{
    return (struct activity){.host_ns = host_clock(CLOCK_MONOTONIC),
                             .cpu_ns = host_clock(CLOCK_THREAD_CPUTIME_ID),
                             .disk = pc_disk_bytes(machine_pc(m)),
                             .net = pc_net_bytes(machine_pc(m)),
                             .instructions = counted ? machine_cpu(m)->icount : 0};
}

/* What was counted; a disk that is changed starts again. */
static u64 since(u64 from, u64 to)
{
    return to > from ? to - from : 0;
}

/* Bytes a second in at most eight characters. */
static void rate(char *to, size_t size, u64 bytes, u64 ns)
{
    u64 kb = bytes * 1000000 / ns;
    if (kb < 1000)
        snprintf(to, size, "%u KB/S", (unsigned)kb);
    else if (kb < 100000)
        snprintf(to, size, "%u.%u MB/S", (unsigned)(kb / 1000), (unsigned)(kb / 100 % 10));
    else
        snprintf(to, size, "%u MB/S", (unsigned)(kb / 1000));
}

void activity_line(const struct activity *from, const struct activity *to, bool paused, char *line,
                   size_t size)
{
    char disk[24], net[24], mips[24] = "";
    u64 ns = to->host_ns > from->host_ns ? to->host_ns - from->host_ns : 1;
    u64 percent = since(from->cpu_ns, to->cpu_ns) * 100 / ns;
    u64 count = since(from->instructions, to->instructions);
    rate(disk, sizeof disk, since(from->disk, to->disk), ns);
    rate(net, sizeof net, since(from->net, to->net), ns);
    if (count)
        snprintf(mips, sizeof mips, "  %u MIPS", (unsigned)(count * 1000 / ns));
    snprintf(line, size, "DISK %s  NET %s  CPU %u %%%s%s", disk, net,
             (unsigned)(percent > 100 ? 100 : percent), mips, paused ? "  PAUSED" : "");
}
