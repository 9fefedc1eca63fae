/* The board's list of chips, and what their states share. */
/* SPDX-License-Identifier: MIT */
#include "hw/device.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void board_add(struct board *b, const struct device_ops *ops, void *dev)
{
    unsigned instance = 0;
    for (unsigned n = 0; n < b->device_count; n++)
        instance += !strcmp(b->device[n].ops->name, ops->name);
    b->device = xrealloc(b->device, (b->device_count + 1) * sizeof *b->device);
    b->device[b->device_count++] = (struct device){ops, dev, instance};
}

void board_reset(struct board *b)
{
    for (unsigned n = 0; n < b->device_count; n++) {
        if (b->device[n].ops->reset)
            b->device[n].ops->reset(b->device[n].dev);
    }
}

void board_state(struct board *b, struct state *s)
{
    for (unsigned n = 0; n < b->device_count; n++) {
        const struct device *d = &b->device[n];
        char name[64];
        if (!d->ops->state)
            continue;
        snprintf(name, sizeof name, "%s.%u", d->ops->name, d->instance);
        state_begin(s, name, 1);
        d->ops->state(d->dev, s);
        state_end(s);
    }
}

void board_destroy(struct board *b)
{
    while (b->device_count > 0) {
        const struct device *d = &b->device[--b->device_count];
        if (d->ops->destroy)
            d->ops->destroy(d->dev);
    }
    free(b->device);
    b->device = NULL;
}

void timer_state(struct timer *t, struct state *s, const char *name)
{
    u64 now = clock_now(t->clock), left = CLOCK_NEVER;
    if (timer_is_set(t))
        left = t->deadline > now ? t->deadline - now : 0;
    state_u64(s, name, &left);
    if (state_loading(s))
        timer_set(t, left < CLOCK_NEVER - now ? now + left : CLOCK_NEVER);
}
