/* A picture of the guest's screen. */
/* SPDX-License-Identifier: MIT */
#include "hw/picture.h"

#include <stdlib.h>

void picture_resize(struct picture *p, unsigned width, unsigned height)
{
    size_t need = (size_t)width * height;
    if (need > p->capacity) {
        p->pixels = xrealloc(p->pixels, need * sizeof *p->pixels);
        p->capacity = need;
    }
    p->width = width;
    p->height = height;
}

void picture_free(struct picture *p)
{
    free(p->pixels);
    *p = (struct picture){0};
}
