/* main: the program's entry: options, the machine, and where it is shown. */
/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config.h"
#include "frontend/display.h"
#include "frontend/files.h"
#include "frontend/img.h"
#include "frontend/machine.h"
#include "frontend/options.h"
#include "frontend/record.h"
#include "frontend/registry.h"

/* A window if there is a display to open it on, else this terminal. */
static void choose_display(struct options *o)
{
    if (o->display != DISPLAY_AUTO)
        return;
    bool window = HAVE_SDL && (getenv("DISPLAY") || getenv("WAYLAND_DISPLAY"));
    o->display = window ? DISPLAY_SDL : DISPLAY_NONE;
    o->nographic = !window;
}

/* Nothing was asked for: the demonstration kernel. */
static bool choose_demo(struct options *o, struct error *err)
{
    if (o->kernel || o->bios || drive_option_wanted(o) || (o->boot && strchr(o->boot, 'n')))
        return true;
    o->kernel = data_file_path("demo.elf", err);
    if (o->kernel && !o->name)
        o->name = xstrdup("demo");
    return o->kernel != NULL;
}

/* A window says by itself how its mouse is left, when there is one. */
static void say_how_to_leave(const struct options *o)
{
    if (o->nographic && !o->serial_count && o->display != DISPLAY_SDL)
        fputs("prescient: the serial console is this terminal: Ctrl-A x quits, Ctrl-A h lists the "
              "keys\r\n",
              stderr);
}

static int run(const struct options *o, struct error *err)
{
    bool opened = true;
    struct machine *m = machine_new(o, err);
    if (!m)
        return -1;
    int entry = registry_enter(o);
    say_how_to_leave(o);
    int status = o->display == DISPLAY_SDL ? display_run(m, o, &opened, err) : machine_run(m);
    machine_free(m);
    registry_leave(entry);
    return opened ? status : -1;
}

int main(int argc, char **argv)
{
    struct options options;
    struct error err = {{0}};
    int status = 0;
    if (argc > 1 && !strcmp(argv[1], "img"))
        return img_main(argc - 1, argv + 1);
    if (argc > 1 && !strcmp(argv[1], "list"))
        return registry_list(argc - 1, argv + 1);
    if (argc > 1 && !strcmp(argv[1], "trace"))
        return record_main(argc - 1, argv + 1);
    bool good = options_parse(argc, argv, &options, &err);
    if (good && options.help)
        options_print_help();
    else if (good && options.version)
        puts("prescient " PRESCIENT_VERSION);
    else if (good) {
        choose_display(&options);
        status = choose_demo(&options, &err) ? run(&options, &err) : -1;
    }
    if (!good || status < 0) {
        fprintf(stderr, "prescient: %s\n", err.text);
        status = 1;
    }
    options_free(&options);
    return status;
}
