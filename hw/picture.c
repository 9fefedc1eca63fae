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

void picture_damage(struct picture *p, unsigned first, unsigned end)
{
    if (p->first >= p->end) {
        p->first = first;
        p->end = end;
    }
    p->first = first < p->first ? first : p->first;
    p->end = end > p->end ? end : p->end;
}

void picture_free(struct picture *p)
{
    free(p->pixels);
    *p = (struct picture){0};
}
