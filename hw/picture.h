/* A picture of the guest's screen. */
/* SPDX-License-Identifier: MIT */
#ifndef HW_PICTURE_H
#define HW_PICTURE_H

#include "cpu/base.h"

struct picture {
    u32 *pixels;     /* RRGGBB below any eight bits, width * height, row by row, no padding */
    unsigned width;  /* pixels */
    unsigned height; /* pixels */
    size_t capacity; /* pixels allocated */
    u32 border;      /* colour of what lies around it */
    unsigned first;  /* lines drawn since whoever shows the picture set both to 0: */
    unsigned end;    /* [first, end) */
};

/* Sets the size, allocating as needed; the contents become undefined when it changes. */
void picture_resize(struct picture *p, unsigned width, unsigned height);
/* Lines [first, end) have been drawn. */
void picture_damage(struct picture *p, unsigned first, unsigned end);
void picture_free(struct picture *p);

#endif
