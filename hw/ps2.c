/* What the PS/2 keyboard and mouse share: the queue of bytes to send. */
/* SPDX-License-Identifier: MIT */
#include "hw/ps2.h"

void ps2_queue_clear(struct ps2_queue *q)
{
    q->head = q->count = 0;
}

bool ps2_queue_put(struct ps2_queue *q, const u8 *data, unsigned n)
{
    if (n > PS2_QUEUE - (unsigned)q->count)
        return false;
    while (n--)
        q->byte[(q->head + q->count++) % PS2_QUEUE] = *data++;
    return true;
}

u8 ps2_queue_take(struct ps2_queue *q)
{
    if (!q->count)
        return 0;
    u8 byte = q->byte[q->head];
    q->head = (q->head + 1) % PS2_QUEUE;
    q->count--;
    return byte;
}

void ps2_queue_state(struct ps2_queue *q, struct state *s, const char *name)
{
    state_begin(s, name, 1);
    state_data(s, "byte", q->byte, sizeof q->byte);
    state_u8(s, "head", &q->head);
    state_u8(s, "count", &q->count);
    state_end(s);
    if (q->head >= PS2_QUEUE || q->count > PS2_QUEUE) {
        state_fail(s, "ps2: a queue is out of range");
        ps2_queue_clear(q);
    }
}
