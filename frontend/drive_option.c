/* The -drive option: where a disk image goes, and how. */
/* SPDX-License-Identifier: MIT */
#include "frontend/drive_option.h"

#include <stdlib.h>
#include <string.h>

#include "frontend/option_value.h"
#include "frontend/options.h"

enum { CD_INDEX = 2 }; /* -cdrom's place */

bool drive_option_add(struct options *o, struct drive_option d, struct error *err)
{
    static const char *const names[] = {"IDE", "floppy", "virtio"};
    unsigned max = d.bus == DRIVE_FLOPPY ? 2 : 4;
    if (d.index >= max) {
        free(d.file);
        free(d.format);
        return error_set(err, "drive index %u: %s drives are 0 to %u", d.index, names[d.bus],
                         max - 1);
    }
    for (unsigned n = 0; n < o->drive_count; n++) {
        struct drive_option *other = &o->drive[n];
        if (other->bus == d.bus && other->index == d.index) {
            error_set(err, "%s: drive %u on that bus is already %s",
                      d.file ? d.file : "empty drive", d.index,
                      other->file ? other->file : "there, empty");
            free(d.file);
            free(d.format);
            return false;
        }
    }
    o->drive[o->drive_count++] = d;
    return true;
}

void drive_option_usual(struct options *o)
{
    struct drive_option d = {.index = CD_INDEX, .cdrom = true, .readonly = true, .usual = true};
    for (unsigned n = 0; n < o->drive_count; n++) {
        if (o->drive[n].bus == d.bus && o->drive[n].index == d.index)
            return;
    }
    o->drive[o->drive_count++] = d;
}

bool drive_option_wanted(const struct options *o)
{
    return o->drive_count && !o->drive[0].usual;
}

/* The first free place. */
static unsigned free_index(const struct options *o, enum drive_bus bus)
{
    unsigned index = 0;
    for (unsigned n = 0; n < o->drive_count; n++) {
        if (o->drive[n].bus == bus && o->drive[n].index == index)
            index++, n = (unsigned)-1;
    }
    return index;
}

/* One key=value of -drive. */
static bool drive_key(struct drive_option *d, bool *has_index, char *item, struct error *err)
{
    char *value = strchr(item, '=');
    if (!value)
        return error_set(err, "-drive: \"%s\" is not of the form key=value", item);
    *value++ = 0;
    if (!strcmp(item, "file"))
        option_set_text(&d->file, value);
    else if (!strcmp(item, "format"))
        option_set_text(&d->format, value);
    else if (!strcmp(item, "if")) {
        d->bus = !strcmp(value, "floppy")   ? DRIVE_FLOPPY
                 : !strcmp(value, "virtio") ? DRIVE_VIRTIO
                                            : DRIVE_IDE;
        if (d->bus == DRIVE_IDE && strcmp(value, "ide"))
            return error_set(err, "-drive if=%s: ide, floppy or virtio", value);
    } else if (!strcmp(item, "media")) {
        d->cdrom = !strcmp(value, "cdrom");
        if (!d->cdrom && strcmp(value, "disk"))
            return error_set(err, "-drive media=%s: disk or cdrom", value);
    } else if (!strcmp(item, "index")) {
        u64 index;
        if (!option_number(value, 10, UINT32_MAX, &index))
            return error_set(err, "-drive index=%s: not a number", value);
        d->index = (unsigned)index;
        *has_index = true;
    } else if (!strcmp(item, "snapshot"))
        return option_on_off(value, &d->snapshot, "-drive snapshot", err);
    else if (!strcmp(item, "readonly") || !strcmp(item, "read-only"))
        return option_on_off(value, &d->readonly, "-drive readonly", err);
    else
        return error_set(
            err, "-drive: unknown key \"%s\" (file, format, if, media, index, snapshot, readonly)",
            item);
    return true;
}

bool drive_option_parse(struct options *o, const char *arg, struct error *err)
{
    struct drive_option d = {0};
    bool has_index = false, good = true;
    char *copy = xstrdup(arg), *list = copy, *item;
    while (good && (item = option_next_item(&list)))
        good = drive_key(&d, &has_index, item, err);
    free(copy);
    if (good && !d.file && !d.cdrom && d.bus != DRIVE_FLOPPY)
        good = error_set(err, "-drive %s: which file? add file=PATH", arg);
    if (good && d.cdrom && d.bus != DRIVE_IDE)
        good = error_set(err, "-drive %s: a %s drive takes no CD", arg,
                         d.bus == DRIVE_FLOPPY ? "floppy" : "virtio");
    if (!good) {
        free(d.file);
        free(d.format);
        return false;
    }
    d.readonly |= d.cdrom;
    if (!has_index)
        d.index = free_index(o, d.bus);
    return drive_option_add(o, d, err);
}
