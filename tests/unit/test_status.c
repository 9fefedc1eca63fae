/* The window's status line: what it says of disk, network and CPU, and that it can be read. */
/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include "frontend/activity.h"
#include "frontend/status_line.h"
#include "tests/unit/rig.h"

enum { WIDTH = 1000, SECOND = 1000000000, PAPER = 0x202020 };

static const char *line_of(struct activity from, struct activity to, bool paused)
{
    static char line[128];
    activity_line(&from, &to, paused, line, sizeof line);
    return line;
}

START_TEST(rates_and_speed)
{
    struct activity from = {.host_ns = SECOND, .disk = 1000000, .net = 500, .instructions = 7};
    struct activity to = {.host_ns = 3 * (u64)SECOND,
                          .cpu_ns = SECOND,
                          .disk = 1000000,
                          .net = 500,
                          .instructions = 7};
    ck_assert_str_eq(line_of(from, to, false), "DISK 0 KB/S  NET 0 KB/S  CPU 50 %");
    to.disk += 25600000;
    to.net += 1998000;
    ck_assert_str_eq(line_of(from, to, true), "DISK 12.8 MB/S  NET 999 KB/S  CPU 50 %  PAUSED");
    to.net += 2000000000;
    to.instructions += 300000000;
    to.cpu_ns = 5 * (u64)SECOND; /* the clocks are not read at the very same time */
    ck_assert_str_eq(line_of(from, to, false),
                     "DISK 12.8 MB/S  NET 1000 MB/S  CPU 100 %  150 MIPS");
    to.disk = 3; /* another disk */
    ck_assert_ptr_nonnull(strstr(line_of(from, to, false), "DISK 0 KB/S"));
    ck_assert_ptr_nonnull(strstr(line_of(from, from, false), "CPU 0 %"));
}
END_TEST

/* Every character has a form of its own, and the same one everywhere. */
START_TEST(characters)
{
    static const char all[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.%/-: ";
    struct picture p[2] = {{0}};
    for (unsigned a = 0; all[a]; a++) {
        for (unsigned b = 0; all[b]; b++) {
            char first[] = {all[a], 'X', 0}, second[] = {all[b], 'X', 0};
            status_draw(&p[0], WIDTH, first);
            status_draw(&p[1], WIDTH, second);
            ck_assert_uint_eq(p[0].height, STATUS_HEIGHT);
            bool same = !memcmp(p[0].pixels, p[1].pixels, WIDTH * STATUS_HEIGHT * 4);
            ck_assert_int_eq(same, a == b);
        }
    }
    picture_free(&p[0]);
    picture_free(&p[1]);
}
END_TEST

/* What does not fit is left out, not drawn elsewhere. */
START_TEST(narrow)
{
    struct picture p = {0};
    for (unsigned width = 1; width < 200; width++) {
        status_draw(&p, width, "HHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHH");
        ck_assert_uint_eq(p.pixels[0], PAPER);
        ck_assert_uint_eq(p.pixels[width * STATUS_HEIGHT - 1], PAPER);
    }
    picture_free(&p);
}
END_TEST

int main(void)
{
    static const TTest **const tests[] = {&rates_and_speed, &characters, &narrow};
    return rig_main("status", tests, ARRAY_LEN(tests));
}
