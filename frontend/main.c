/* main: the program's entry. */
/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>

#include "config.h"

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "-version") == 0) {
        puts("prescient " PRESCIENT_VERSION);
        return 0;
    }
    if (argc == 2 && strcmp(argv[1], "-help") == 0) {
        puts("Usage: prescient [-version] [-help]");
        return 0;
    }
    fputs("prescient: nothing to run (see -help)\n", stderr);
    return 1;
}
