/* The window's thread and the machine's: nothing that was asked for late finds the window gone. */
/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>

#include "config.h"
#include "frontend/display.h"
#include "tests/unit/rig.h"

enum { ROUNDS = 12, END_STATUS = 7 };

/* Ends the run while the window has just asked, or is about to ask, for the next picture. */
static void end_run(struct machine *m, void *opaque)
{
    (void)opaque;
    machine_quit(m, END_STATUS);
}

/* Overwrites the stack that the last call has left. */
static __attribute__((noinline)) void scribble(void)
{
    volatile u8 trash[4096];
    for (unsigned n = 0; n < sizeof trash; n++)
        trash[n] = 0xa5;
}

START_TEST(late_drawings_have_their_window)
{
    char *argv[] = {"prescient", "-display", "sdl",  "-m",   "16",
                    "-serial",   "none",     "-nic", "none", NULL};
    struct options options;
    struct error err;
    ck_assert_msg(options_parse(ARRAY_LEN(argv) - 1, argv, &options, &err), "%s", err.text);
    for (unsigned n = 0; n < ROUNDS; n++) {
        bool opened;
        struct machine *m = machine_new(&options, &err);
        ck_assert_msg(m != NULL, "%s", err.text);
        machine_post(m, end_run, NULL);
        int status = display_run(m, &options, &opened, &err);
        ck_assert_msg(opened, "%s", err.text);
        ck_assert_int_eq(status, END_STATUS);
        scribble();
        machine_free(m);
    }
    options_free(&options);
}
END_TEST

int main(void)
{
    static const TTest **const tests[] = {&late_drawings_have_their_window};
    if (!HAVE_SDL) {
        puts("this build has no window");
        return 77;
    }
    setenv("SDL_VIDEODRIVER", "dummy", 1);
    return rig_main("display", tests, ARRAY_LEN(tests));
}
