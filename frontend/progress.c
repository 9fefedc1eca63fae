/* A progress bar on the terminal for long work. */
/* SPDX-License-Identifier: MIT */
#include "frontend/progress.h"

#include <stdio.h>
#include <unistd.h>

enum { WIDTH = 40, PERMILLE = 1000 };

void progress_start(struct progress *p, const char *what)
{
    *p = (struct progress){.what = what, .shown = isatty(STDERR_FILENO)};
    p->last = PERMILLE + 1;
    progress_set(p, 0);
}

void progress_set(void *progress, unsigned permille)
{
    struct progress *p = progress;
    if (!p->shown || permille == p->last)
        return;
    p->last = permille;
    int done = (int)(permille * WIDTH / PERMILLE);
    fprintf(stderr, "\r%s [%.*s%*s] %3u.%u %%", p->what, done,
            "########################################", WIDTH - done, "", permille / 10,
            permille % 10);
    fflush(stderr);
}

void progress_end(struct progress *p)
{
    if (p->shown)
        fputs("\r\033[K", stderr);
}
