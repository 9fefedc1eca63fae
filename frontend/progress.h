/* A progress bar on the terminal for long work. */
/* SPDX-License-Identifier: MIT */
#ifndef FRONTEND_PROGRESS_H
#define FRONTEND_PROGRESS_H

#include "cpu/base.h"

struct progress {
    const char *what; /* stands before the bar */
    bool shown;       /* standard error is a terminal */
    unsigned last;    /* permille that the bar shows */
};

void progress_start(struct progress *p, const char *what);
void progress_set(void *progress, unsigned permille); /* an image_progress_fn */
void progress_end(struct progress *p);                /* wipes it */

#endif
