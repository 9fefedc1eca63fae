/* A picture of the guest's screen. */
/* SPDX-License-Identifier: MIT */
#ifndef HW_PICTURE_H
#define HW_PICTURE_H

#include "cpu/base.h"

struct picture {
    u32 *pixels;     /* 0x00RRGGBB, width * height, row by row, no padding */
    unsigned width;  /* pixels */
    unsigned height; /* pixels */
    size_t capacity; /* pixels allocated */
};

/* Sets the size, allocating as needed; the contents become undefined when it changes. */
void picture_resize(struct picture *p, unsigned width, unsigned height);
void picture_free(struct picture *p);

#endif
