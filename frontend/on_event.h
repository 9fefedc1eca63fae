/* What -on and the monitor's `on` say: at which events the machine stops. */
/* SPDX-License-Identifier: MIT */
#ifndef FRONTEND_ON_EVENT_H
#define FRONTEND_ON_EVENT_H

#include "cpu/base.h"

enum triple_action { TRIPLE_RESET, TRIPLE_STOP, TRIPLE_EXIT };

struct on_event {
    u64 exceptions;            /* vectors that stop the machine, one bit each */
    enum triple_action triple; /* what a triple fault does */
    bool strict;               /* what the strict mode tells stops the machine */
};

/* triple-fault=stop|reset|exit, exception=N[,N...][,stop], exception=none, strict=stop|tell. False
 * with *err set. */
bool on_event_parse(struct on_event *e, const char *text, struct error *err);

#endif
