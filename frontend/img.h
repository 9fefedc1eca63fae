/* The image tool: prescient img create|info|convert|check|commit|resize. */
/* SPDX-License-Identifier: MIT */
#ifndef FRONTEND_IMG_H
#define FRONTEND_IMG_H

#include "cpu/base.h"

/* What stands on the tool's command line. */
struct img_args {
    const char *format;         /* -f: of the (first) image; NULL: told by its contents */
    const char *to_format;      /* -O: of the new image; NULL: raw */
    const char *backing;        /* -b */
    const char *backing_format; /* -F */
    unsigned cluster_bits;      /* -o cluster_size=; 0: default */
    bool compress;              /* -c */
    bool replace;               /* -y */
    bool shrink;                /* --shrink */
    const char *repair;         /* -r leaks|all */
    const char *name[2];        /* what is not an option */
    unsigned names;             /* how many */
};

/* Runs the tool; argv[0] is "img". Returns the program's exit status. */
int img_main(int argc, char **argv);

/* A size in bytes: 512, 10M, 20G, 1T. */
bool img_parse_size(const char *text, u64 *size);
/* Makes a new image and opens it for writing. NULL with *err set. */
struct image *img_make(const char *path, const char *format, u64 size, const struct img_args *args,
                       struct error *err);

/* img_copy.c. These return an exit status. */
int img_convert(const struct img_args *args, struct error *err);
int img_commit(const struct img_args *args, struct error *err);

#endif
