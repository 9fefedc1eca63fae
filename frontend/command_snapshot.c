/* Monitor commands: snapshots, and the memory balloon. */
/* SPDX-License-Identifier: MIT */
#include "frontend/command.h"
#include "frontend/snapshot.h"
#include "hw/pc.h"
#include "hw/virtio_devices.h"

enum { NAME_MAX_LENGTH = 512, MIB_SHIFT = 20 };

/* False if it was not done. */
static bool run(struct monitor *mon, const char *args, struct text *out,
                bool (*fn)(struct machine *m, const char *name, struct error *err))
{
    char name[NAME_MAX_LENGTH];
    struct error err = {""};
    if (!arg_word(&args, name, sizeof name)) {
        text_add(out, "which snapshot? give a name\n");
        return false;
    }
    if (!arg_end(args, out))
        return false;
    bool good = fn(mon->m, name, &err);
    if (!good)
        text_add(out, "%s\n", err.text);
    return good;
}

void command_savevm(struct monitor *mon, const char *args, struct text *out)
{
    run(mon, args, out, snapshot_save);
}

void command_loadvm(struct monitor *mon, const char *args, struct text *out)
{
    struct debugger *d = mon->cpu->debugger;
    if (run(mon, args, out, snapshot_load) && machine_paused(mon->m))
        d->pause = (struct pause){.reason = PAUSE_USER}; /* what stopped it was elsewhere */
}

void command_balloon(struct monitor *mon, const char *args, struct text *out)
{
    u64 size;
    struct virtio_balloon *b = pc_balloon(machine_pc(mon->m));
    if (!b)
        text_add(out, "the machine has no balloon: start it with -device virtio-balloon-pci\n");
    else if (arg_value(mon, &args, &size, out) && arg_end(args, out))
        virtio_balloon_set(b, size << MIB_SHIFT);
}

void command_info_balloon(struct monitor *mon, const char *args, struct text *out)
{
    struct virtio_balloon *b = pc_balloon(machine_pc(mon->m));
    if (!arg_end(args, out))
        return;
    if (!b)
        text_add(out, "the machine has no balloon: start it with -device virtio-balloon-pci\n");
    else
        text_add(out, "the guest has given back %llu MiB\n",
                 (unsigned long long)(virtio_balloon_given(b) >> MIB_SHIFT));
}
