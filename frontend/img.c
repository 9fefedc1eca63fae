/* The image tool: prescient img create|info|convert|check|commit|resize. */
/* SPDX-License-Identifier: MIT */
#include "frontend/img.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "frontend/progress.h"
#include "hw/image/file.h"
#include "hw/image/image.h"
#include "hw/image/qcow2.h"

/* Exit statuses of img check, as qemu-img's. */
enum { CHECK_CLEAN = 0, CHECK_IMPOSSIBLE = 1, CHECK_DAMAGED = 2, CHECK_LEAKS = 3 };

bool img_parse_size(const char *text, u64 *size)
{
    static const char units[] = "KMGT";
    char *end;
    errno = 0;
    *size = strtoull(text, &end, 10);
    if (*text < '0' || *text > '9' || errno)
        return false;
    unsigned shift = 0;
    if (*end) {
        const char *unit = strchr(units, *end & ~0x20);
        if (!unit || !*unit || end[1])
            return false;
        shift = 10 * (unsigned)(unit - units + 1);
    }
    if (*size > (u64)INT64_MAX >> shift)
        return false;
    *size <<= shift;
    return true;
}

static void print_size(const char *what, u64 bytes)
{
    static const char *const units[] = {"bytes", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    unsigned unit = 0;
    u64 n = bytes, rest = 0;
    for (; n >= 1024 && unit + 1 < ARRAY_LEN(units); unit++) {
        rest = n % 1024;
        n /= 1024;
    }
    printf("%s: %" PRIu64, what, n);
    if (rest * 10 / 1024)
        printf(".%" PRIu64, rest * 10 / 1024);
    printf(" %s", units[unit]);
    if (unit)
        printf(" (%" PRIu64 " bytes)", bytes);
    putchar('\n');
}

/* create */

static struct image *make_raw(int fd, const char *path, u64 size, struct error *err)
{
    if (!ftruncate(fd, (off_t)size))
        return raw_new(fd, size, false, false);
    error_set(err, "%s: %s", path, strerror(errno));
    return NULL;
}

static struct image *make_qcow2(int fd, const char *path, u64 size, const struct img_args *args,
                                struct error *err)
{
    const struct qcow2_create how = {.size = size,
                                     .cluster_bits = args->cluster_bits,
                                     .backing = args->backing,
                                     .backing_format = args->backing_format};
    return qcow2_create(fd, path, &how, err) ? qcow2_new(fd, path, 0, 0, err) : NULL;
}

struct image *img_make(const char *path, const char *format, u64 size, const struct img_args *args,
                       struct error *err)
{
    bool qcow2 = !strcmp(format, "qcow2");
    if (!qcow2 && strcmp(format, "raw")) {
        error_set(err, "image format '%s' is not known (known: raw, qcow2)", format);
        return NULL;
    }
    if (!qcow2 && (args->backing || args->cluster_bits || args->compress)) {
        error_set(err, "-b, -c and -o go with qcow2 images");
        return NULL;
    }
    int fd = file_create(path, args->replace, err);
    if (fd < 0)
        return NULL;
    struct image *img =
        qcow2 ? make_qcow2(fd, path, size, args, err) : make_raw(fd, path, size, err);
    if (!img) {
        close(fd);
        unlink(path);
    }
    return img;
}

/* The path of a backing file as this process sees it: it is relative to the new image. */
static char *backing_path(const char *image, const char *backing)
{
    const char *slash = strrchr(image, '/');
    if (*backing == '/' || !slash)
        return xstrdup(backing);
    return xasprintf("%.*s/%s", (int)(slash - image), image, backing);
}

/* The size and format of the file that the new image is to lie on. */
static bool look_at_backing(struct img_args *args, u64 *size, struct error *err)
{
    char *path = backing_path(args->name[0], args->backing);
    struct image *img = image_open(path, args->backing_format, IMAGE_READ_ONLY, err);
    free(path);
    if (!img)
        return false;
    *size = img->sectors << SECTOR_SHIFT;
    args->backing_format = args->backing_format ? args->backing_format : img->ops->format;
    image_close(img);
    return true;
}

static int img_create(const struct img_args *given, struct error *err)
{
    struct img_args args = *given;
    u64 size = 0;
    if (args.backing && !look_at_backing(&args, &size, err))
        return 1;
    if (args.names == 2 && (!img_parse_size(args.name[1], &size) || !size || size % SECTOR_SIZE)) {
        error_set(err, "%s: not a size; write 512M or 20G", args.name[1]);
        return 1;
    }
    if (args.names != 2 && !args.backing) {
        error_set(err, "img create FILE SIZE: which size?");
        return 1;
    }
    const char *format = args.format ? args.format : args.backing ? "qcow2" : "raw";
    struct image *img = img_make(args.name[0], format, size, &args, err);
    image_close(img);
    return !img;
}

/* info */

static void print_qcow2(const struct image *img)
{
    struct qcow2_info i;
    qcow2_info(img, &i);
    printf("version: %u\ncluster size: %u bytes\nreference counts: %u bits\n", i.version,
           i.cluster_size, i.refcount_bits);
    if (i.backing)
        printf("backing file: %s%s%s%s\n", i.backing, i.backing_format ? " (" : "",
               i.backing_format ? i.backing_format : "", i.backing_format ? ")" : "");
    if (i.snapshots)
        printf("internal snapshots: %u\n", i.snapshots);
    if (i.dirty || i.corrupt)
        printf("state: %s\n", i.corrupt ? "marked as damaged" : "reference counts out of date");
}

static int img_info(const struct img_args *args, struct error *err)
{
    struct stat st;
    struct image *img =
        image_open(args->name[0], args->format, IMAGE_READ_ONLY | IMAGE_NO_BACKING, err);
    if (!img)
        return 1;
    printf("image: %s\nformat: %s\n", args->name[0], img->ops->format);
    print_size("size", img->sectors << SECTOR_SHIFT);
    if (!stat(args->name[0], &st))
        print_size("on disk", (u64)st.st_blocks * 512);
    if (qcow2_is(img))
        print_qcow2(img);
    image_close(img);
    return 0;
}

/* check */

static int print_report(const struct qcow2_report *r)
{
    if (r->damaged || r->leaked)
        printf("first fault: %s\n", r->first);
    if (r->damaged)
        printf("%" PRIu64 " faults: data is at risk\n", r->damaged);
    if (r->leaked)
        printf("%" PRIu64 " lost clusters: space wasted, no harm done\n", r->leaked);
    if (r->repaired)
        printf("%" PRIu64 " repaired\n", r->repaired);
    u64 left = r->damaged + r->leaked - r->repaired;
    if (!left)
        puts("no fault in the image");
    printf("%" PRIu64 " of %" PRIu64 " clusters in use, %" PRIu64 " of them compressed\n", r->used,
           r->total, r->compressed);
    return !left ? CHECK_CLEAN : left <= r->leaked && !r->damaged ? CHECK_LEAKS : CHECK_DAMAGED;
}

static int img_check(const struct img_args *args, struct error *err)
{
    enum qcow2_repair repair = QCOW2_REPAIR_NONE;
    struct qcow2_report report, again;
    struct progress bar;
    if (args->repair)
        repair = !strcmp(args->repair, "all") ? QCOW2_REPAIR_ALL : QCOW2_REPAIR_LEAKS;
    if (repair == QCOW2_REPAIR_LEAKS && strcmp(args->repair, "leaks")) {
        error_set(err, "-r %s: leaks or all", args->repair);
        return CHECK_IMPOSSIBLE;
    }
    unsigned flags = IMAGE_NO_BACKING | (repair ? IMAGE_REPAIR : IMAGE_READ_ONLY);
    struct image *img = image_open(args->name[0], args->format, flags, err);
    if (!img)
        return CHECK_IMPOSSIBLE;
    if (!qcow2_is(img)) {
        error_set(err, "%s: a %s image has nothing that could be checked", args->name[0],
                  img->ops->format);
        image_close(img);
        return CHECK_IMPOSSIBLE;
    }
    progress_start(&bar, "checking");
    int status = qcow2_check(img, repair, &report, progress_set, &bar);
    if (!status && report.repaired) { /* what could not be mended shows up again */
        status = qcow2_check(img, QCOW2_REPAIR_NONE, &again, progress_set, &bar);
        u64 found = report.damaged + report.leaked, left = again.damaged + again.leaked;
        report.repaired = left < found ? found - left : 0;
    }
    progress_end(&bar);
    image_close(img);
    if (!status)
        return print_report(&report);
    error_set(err, "%s: %s", args->name[0], strerror(status));
    return CHECK_IMPOSSIBLE;
}

/* resize */

static bool new_size(const char *text, u64 old, u64 *size)
{
    u64 n;
    if (*text != '+' && *text != '-')
        return img_parse_size(text, size);
    if (!img_parse_size(text + 1, &n) || n > (*text == '+' ? (u64)INT64_MAX - old : old))
        return false;
    *size = *text == '+' ? old + n : old - n;
    return true;
}

static bool resize(struct image *img, const char *path, u64 size, struct error *err)
{
    if (qcow2_is(img))
        return qcow2_resize(img, size, err);
    return !truncate(path, (off_t)size) || error_set(err, "%s: %s", path, strerror(errno));
}

static int img_resize(const struct img_args *args, struct error *err)
{
    u64 size = 0;
    struct image *img = image_open(args->name[0], args->format, 0, err);
    if (!img)
        return 1;
    u64 old = img->sectors << SECTOR_SHIFT;
    bool good = new_size(args->name[1], old, &size) && size && size % SECTOR_SIZE == 0;
    if (!good)
        error_set(err, "%s: not a size; write 20G, +5G or -5G", args->name[1]);
    else if (size < old && !args->shrink)
        good = error_set(err, "%s: this would cut off data at the end; --shrink does it",
                         args->name[0]);
    else
        good = resize(img, args->name[0], size, err);
    image_close(img);
    return !good;
}

/* The command line */

struct command {
    const char *name;                                           /* how it is called */
    const char *usage;                                          /* what it takes */
    unsigned min, max;                                          /* file names and sizes */
    int (*run)(const struct img_args *args, struct error *err); /* returns the exit status */
};

static const struct command commands[] = {
    {"create", "[-y] [-f raw|qcow2] [-b BACKING [-F FORMAT]] [-o cluster_size=SIZE] FILE [SIZE]", 1,
     2, img_create},
    {"info", "[-f FORMAT] FILE", 1, 1, img_info},
    {"convert", "[-y] [-c] [-f FORMAT] [-O raw|qcow2] [-o cluster_size=SIZE] FILE NEW-FILE", 2, 2,
     img_convert},
    {"check", "[-r leaks|all] [-f FORMAT] FILE", 1, 1, img_check},
    {"commit", "FILE", 1, 1, img_commit},
    {"resize", "[-f FORMAT] [--shrink] FILE [+|-]SIZE", 2, 2, img_resize},
};

static bool parse_cluster(const char *text, struct img_args *args, struct error *err)
{
    u64 size;
    if (strncmp(text, "cluster_size=", 13) || !img_parse_size(text + 13, &size) || size < 512 ||
        size > 2 << 20 || size & (size - 1))
        return error_set(err, "-o %s: cluster_size=SIZE, a power of two from 512 to 2M", text);
    args->cluster_bits = (unsigned)__builtin_ctzll(size);
    return true;
}

/* One option with its value. */
static bool parse_option(char option, const char *value, struct img_args *args, struct error *err)
{
    if (!value)
        return error_set(err, "-%c wants an argument", option);
    switch (option) {
    case 'f': args->format = value; return true;
    case 'O': args->to_format = value; return true;
    case 'b': args->backing = value; return true;
    case 'F': args->backing_format = value; return true;
    case 'r': args->repair = value; return true;
    case 'o': return parse_cluster(value, args, err);
    default: return error_set(err, "unknown option -%c; see prescient img", option);
    }
}

static bool parse(int argc, char **argv, struct img_args *args, struct error *err)
{
    for (int n = 2; n < argc; n++) {
        const char *arg = argv[n];
        bool number = arg[0] == '-' && arg[1] >= '0' && arg[1] <= '9'; /* resize -5G */
        if (arg[0] != '-' || !arg[1] || number) {
            if (args->names == ARRAY_LEN(args->name))
                return error_set(err, "%s: too many arguments", arg);
            args->name[args->names++] = arg;
        } else if (!strcmp(arg, "--shrink")) {
            args->shrink = true;
        } else if (arg[2]) {
            return error_set(err, "unknown option %s; see prescient img", arg);
        } else if (arg[1] == 'y') {
            args->replace = true;
        } else if (arg[1] == 'c') {
            args->compress = true;
        } else if (!parse_option(arg[1], n + 1 < argc ? argv[n + 1] : NULL, args, err)) {
            return false;
        } else {
            n++;
        }
    }
    return true;
}

static int usage(FILE *f, int status)
{
    fputs("usage:\n", f);
    for (size_t n = 0; n < ARRAY_LEN(commands); n++)
        fprintf(f, "  prescient img %s %s\n", commands[n].name, commands[n].usage);
    return status;
}

int img_main(int argc, char **argv)
{
    struct img_args args = {0};
    struct error err = {""};
    const struct command *c = NULL;
    if (argc < 2 || !strcmp(argv[1], "-help") || !strcmp(argv[1], "--help"))
        return usage(argc < 2 ? stderr : stdout, argc < 2);
    for (size_t n = 0; n < ARRAY_LEN(commands); n++) {
        if (!strcmp(argv[1], commands[n].name))
            c = &commands[n];
    }
    int status = 1;
    if (!c)
        error_set(&err, "img %s: not a command; see prescient img", argv[1]);
    else if (parse(argc, argv, &args, &err)) {
        if (args.names >= c->min && args.names <= c->max)
            status = c->run(&args, &err);
        else
            error_set(&err, "usage: prescient img %s %s", c->name, c->usage);
    }
    if (err.text[0])
        fprintf(stderr, "prescient: %s\n", err.text);
    return status;
}
