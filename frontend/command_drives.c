/* Monitor commands about drives: which there are, and what is in them. */
/* SPDX-License-Identifier: MIT */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "frontend/command.h"
#include "hw/pc.h"

enum { NAME_MAX_LEN = 16, PATH_MAX_LEN = 4096 };

/* QEMU's name: ide1-cd0 is the CD drive on the second channel. */
static void drive_name(const struct drive_option *d, char name[NAME_MAX_LEN])
{
    if (d->bus == DRIVE_IDE)
        snprintf(name, NAME_MAX_LEN, "ide%u-%s%u", d->index / 2 & 1, d->cdrom ? "cd" : "hd",
                 d->index % 2);
    else
        snprintf(name, NAME_MAX_LEN, "%s%u", d->bus == DRIVE_FLOPPY ? "floppy" : "virtio",
                 d->index & 7);
}

/* What is in the drive now; NULL: nothing. */
static const char *medium_of(const struct monitor *mon, unsigned n)
{
    return mon->changed[n] ? mon->medium[n] : mon->options->drive[n].file;
}

void drives_show(struct monitor *mon, struct text *out)
{
    const struct options *o = mon->options;
    if (!o->drive_count)
        text_add(out, "there are no drives\n");
    for (unsigned n = 0; n < o->drive_count; n++) {
        const struct drive_option *d = &o->drive[n];
        const char *file = medium_of(mon, n);
        char name[NAME_MAX_LEN];
        drive_name(d, name);
        text_add(out, "%s: %s%s%s%s\n", name, file ? file : "[not inserted]",
                 d->cdrom || d->bus == DRIVE_FLOPPY ? ", removable" : "",
                 d->readonly ? ", read only" : "",
                 d->snapshot || o->snapshot ? ", writes are forgotten at the end" : "");
    }
}

/* The drive of this name whose medium can be changed, or -1. */
static int drive_find(struct monitor *mon, const char *wanted, struct text *out)
{
    for (unsigned n = 0; n < mon->options->drive_count; n++) {
        const struct drive_option *d = &mon->options->drive[n];
        char name[NAME_MAX_LEN];
        drive_name(d, name);
        if (strcmp(name, wanted))
            continue;
        if (d->cdrom || d->bus == DRIVE_FLOPPY)
            return (int)n;
        text_add(out, "%s: its medium cannot be changed\n", name);
        return -1;
    }
    text_add(out, "there is no drive \"%s\"; info block lists them\n", wanted);
    return -1;
}

static bool insert(struct monitor *mon, unsigned n, const char *path, bool force, struct error *err)
{
    const struct drive_option *d = &mon->options->drive[n];
    struct pc *pc = machine_pc(mon->m);
    unsigned flags = (d->readonly ? IMAGE_READ_ONLY : 0) |
                     (d->snapshot || mon->options->snapshot ? IMAGE_SNAPSHOT : 0);
    struct image *image = path ? image_open(path, NULL, flags, err) : NULL;
    if (path && !image)
        return false;
    bool good = d->cdrom ? pc_change_cd(pc, d->index, image, force, err)
                         : pc_change_floppy(pc, d->index, image, err);
    if (!good) {
        image_close(image);
        return false;
    }
    machine_adopt_image(mon->m, n, image);
    free(mon->medium[n]);
    mon->medium[n] = path ? xstrdup(path) : NULL;
    mon->changed[n] = true;
    return true;
}

void command_change(struct monitor *mon, const char *args, struct text *out)
{
    char name[NAME_MAX_LEN], path[PATH_MAX_LEN];
    struct error err = {0};
    bool force = arg_is(&args, "-f");
    if (!arg_word(&args, name, sizeof name) || !arg_word(&args, path, sizeof path)) {
        text_add(out, "change which drive, to which file?\n");
        return;
    }
    int n = arg_end(args, out) ? drive_find(mon, name, out) : -1;
    if (n >= 0 && !insert(mon, (unsigned)n, path, force, &err))
        text_add(out, "%s\n", err.text);
}

void command_eject(struct monitor *mon, const char *args, struct text *out)
{
    char name[NAME_MAX_LEN];
    struct error err = {0};
    bool force = arg_is(&args, "-f");
    if (!arg_word(&args, name, sizeof name)) {
        text_add(out, "eject which drive? info block lists them\n");
        return;
    }
    int n = arg_end(args, out) ? drive_find(mon, name, out) : -1;
    if (n >= 0 && !insert(mon, (unsigned)n, NULL, force, &err))
        text_add(out, "%s\n", err.text);
}
