/* The window in a build without SDL: there is none. */
/* SPDX-License-Identifier: MIT */
#include "frontend/display.h"

int display_run(struct machine *m, const struct options *options, bool *opened, struct error *err)
{
    (void)m, (void)options;
    *opened = error_set(err, "this build has no SDL; use -nographic or -display none");
    return 1;
}
