/* Types text on the guest's keyboard: a key every few milliseconds, whenever the keyboard's buffer
 * is empty. */
/* SPDX-License-Identifier: MIT */
#include "frontend/typist.h"

#include <stdlib.h>
#include <string.h>

#include "cpu/clock.h"
#include "frontend/keys.h"
#include "hw/device.h"
#include "hw/pc.h"

enum { KEY_NS = 10000000, EMPTY = 16 };

struct typist {
    struct machine *m;  /* whose keyboard it is */
    struct timer timer; /* the next key */
    char *text;         /* what is left to type, or NULL */
    size_t at;          /* place of the next character */
    size_t size;        /* characters in text */
    bool down;          /* the character's key is down */
};

/* Presses or releases the next character's key, Shift around it. */
static void next_stroke(struct typist *t)
{
    struct pc *pc = machine_pc(t->m);
    bool shift;
    unsigned usage = key_of_char(t->text[t->at], &shift);
    t->down = !t->down;
    if (shift && t->down)
        pc_key(pc, USAGE_SHIFT, true);
    pc_key(pc, usage, t->down);
    if (shift && !t->down)
        pc_key(pc, USAGE_SHIFT, false);
    t->at += !t->down;
}

static void on_timer(void *opaque, u64 now)
{
    struct typist *t = opaque;
    if (t->at == t->size) {
        typist_stop(t);
        return;
    }
    if (pc_key_room(machine_pc(t->m)) >= EMPTY)
        next_stroke(t);
    timer_set(&t->timer, now + KEY_NS);
}

struct typist *typist_new(struct machine *m)
{
    struct typist *t = xcalloc(1, sizeof *t);
    t->m = m;
    timer_init(&t->timer, machine_board(m)->clock, on_timer, t);
    return t;
}

void typist_free(struct typist *t)
{
    if (t)
        typist_stop(t);
    free(t);
}

unsigned typist_add(struct typist *t, const char *text)
{
    unsigned left_out = 0;
    bool shift;
    t->text = xrealloc(t->text, t->size + strlen(text) + 1);
    for (; *text; text++) {
        if (key_of_char(*text, &shift))
            t->text[t->size++] = *text;
        else if (*text != '\r' && (*text & 0xc0) != 0x80)
            left_out++;
    }
    if (!timer_is_set(&t->timer))
        timer_set(&t->timer, clock_now(t->timer.clock));
    return left_out;
}

void typist_stop(struct typist *t)
{
    if (t->down)
        next_stroke(t);
    timer_cancel(&t->timer);
    free(t->text);
    t->text = NULL;
    t->at = t->size = 0;
}
