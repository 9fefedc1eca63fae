/* The command line: what good options set, and that bad ones are refused with a line that names
 * them. */
/* SPDX-License-Identifier: MIT */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "frontend/option_hint.h"
#include "frontend/options.h"
#include "tests/unit/suite.h"

static struct options o;
static struct error err;

/* Parses up to three words; the strings are freed by the next call or the fixture. */
static bool parse(const char *a, const char *b, const char *c)
{
    const char *argv[] = {"prescient", a, b, c, NULL};
    int argc = c ? 4 : b ? 3 : a ? 2 : 1;
    options_free(&o);
    err.text[0] = 0;
    bool good = options_parse(argc, (char **)argv, &o, &err);
    ck_assert_msg(good == !err.text[0], "%s", err.text);
    ck_assert_ptr_null(strchr(err.text, '\n'));
    return good;
}

static void teardown(void)
{
    options_free(&o);
    memset(&o, 0, sizeof o);
}

START_TEST(memory_sizes)
{
    static const struct {
        const char *text; /* argument of -m */
        u64 bytes;        /* what it means; 0: refused */
    } rows[] = {
        {"1", 1 << 20},
        {"512", 512 << 20},
        {"512M", 512 << 20},
        {"512m", 512 << 20},
        {"2G", 2ull << 30},
        {"2g", 2ull << 30},
        {"64G", 64ull << 30},
        {"size=16", 16 << 20},
        {"1024K", 1 << 20},
        {"1028k", 1028 << 10},
        {"1025k", 0},
        {"1023k", 0},
        {"0", 0},
        {"-1", 0},
        {"", 0},
        {"G", 0},
        {"1.5G", 0},
        {"512MB", 0},
        {"65537M", 0},
        {"0x200", 0},
        {" 1", 0},
        {"17179869184G", 0},
        {"99999999999999999999", 0},
        {"18446744073709551615k", 0},
    };
    for (unsigned n = 0; n < ARRAY_LEN(rows); n++) {
        bool good = parse("-m", rows[n].text, NULL);
        ck_assert_msg(good == !!rows[n].bytes, "-m %s", rows[n].text);
        if (good)
            ck_assert_uint_eq(o.ram_size, rows[n].bytes);
        else
            ck_assert_ptr_nonnull(strstr(err.text, rows[n].text));
    }
}
END_TEST

/* A machine has a CD drive that media can be put into, unless something else is in its place. */
START_TEST(usual_drive)
{
    ck_assert(parse("-m", "16", NULL));
    ck_assert(!drive_option_wanted(&o));
    ck_assert_uint_eq(o.drive_count, 1);
    ck_assert(o.drive[0].bus == DRIVE_IDE && o.drive[0].index == 2 && o.drive[0].cdrom);
    ck_assert(o.drive[0].readonly && !o.drive[0].file);
    ck_assert(parse("disk.img", "-fda", "a.img"));
    ck_assert(drive_option_wanted(&o));
    ck_assert_uint_eq(o.drive_count, 3);
    ck_assert(parse("disk.img", "-hdc", "c.img"));
    ck_assert_uint_eq(o.drive_count, 2);
    ck_assert(parse("disk.img", "-drive", "file=v,if=virtio,index=2"));
    ck_assert_uint_eq(o.drive_count, 3);
    ck_assert(parse("disk.img", "-nodefaults", NULL));
    ck_assert_uint_eq(o.drive_count, 1);
    ck_assert(parse("-nodefaults", NULL, NULL));
    ck_assert(!drive_option_wanted(&o));
    ck_assert_uint_eq(o.drive_count, 0);
}
END_TEST

START_TEST(drives)
{
    ck_assert(parse("-drive", "file=a,,b,if=ide,index=3,media=cdrom", NULL));
    ck_assert_uint_eq(o.drive_count, 2);
    ck_assert_str_eq(o.drive[0].file, "a,b");
    ck_assert_uint_eq(o.drive[0].index, 3);
    ck_assert(o.drive[0].cdrom && o.drive[0].readonly);
    ck_assert(parse("disk.img", "-cdrom", "cd.iso"));
    ck_assert_uint_eq(o.drive_count, 2); /* with the usual place taken */
    ck_assert_uint_eq(o.drive[0].index, 0);
    ck_assert_uint_eq(o.drive[1].index, 2);
    ck_assert(parse("disk.img", "-drive", "file=other,snapshot=on"));
    ck_assert_uint_eq(o.drive[1].index, 1);
    ck_assert(o.drive[1].snapshot && !o.drive[1].readonly);
    static const char *const bad[] = {
        "",
        "file",
        "x=1",
        "file=a,index=4",
        "file=a,index=-1",
        "if=floppy,index=2",
        "file=a,if=x",
        "file=a,snapshot=",
        "format=raw",
        "file=a,media=x",
        "file=a,index=",
        "file=a,index=4294967296",
        "file=a,",
    };
    for (unsigned n = 0; n < ARRAY_LEN(bad); n++)
        ck_assert_msg(!parse("-drive", bad[n], NULL), "%s", bad[n]);
    ck_assert(!parse("a", "b", NULL));
}
END_TEST

START_TEST(dates)
{
    static const struct {
        const char *text; /* argument of -rtc */
        s64 seconds;      /* what it means; -2: refused */
    } rows[] = {
        {"base=utc", -1},
        {"base=1970-01-01", 0},
        {"base=2000-02-29T12:34:56", 951827696},
        {"base=2026-12-31", 1798675200},
        {"base=2100-02-29", -2},
        {"base=2001-02-29", -2},
        {"base=2001-04-31", -2},
        {"base=2001-00-01", -2},
        {"base=2001-01-01T24:00:00", -2},
        {"base=2001-01-01 ", -2},
        {"base=", -2},
        {"utc", -2},
    };
    for (unsigned n = 0; n < ARRAY_LEN(rows); n++) {
        bool good = parse("-rtc", rows[n].text, NULL);
        ck_assert_msg(good == (rows[n].seconds != -2), "%s", rows[n].text);
        if (good)
            ck_assert_int_eq(o.rtc_start, rows[n].seconds);
    }
}
END_TEST

START_TEST(numbers)
{
    ck_assert(parse("-limit", "18446744073709551615", NULL) && o.limit == UINT64_MAX);
    ck_assert(!parse("-limit", "18446744073709551616", NULL));
    ck_assert(!parse("-limit", "0", NULL) && !parse("-limit", "+1", NULL));
    ck_assert(parse("-clock", "icount", NULL) && o.clock == CLOCK_ICOUNT && o.icount_shift == 3);
    ck_assert(parse("-clock", "icount,shift=10", NULL) && o.icount_shift == 10);
    ck_assert(!parse("-clock", "icount,shift=11", NULL) && !parse("-clock", "icount,", NULL));
    ck_assert(parse("-device", "isa-debug-exit,iobase=0xf4,iosize=4", NULL));
    ck_assert(o.debug_exit && o.debug_exit_port == 0xf4);
    ck_assert(parse("-device", "isa-debug-exit", NULL) && o.debug_exit_port == 0x501);
    ck_assert(!parse("-device", "isa-debug-exit,iobase=0x10000", NULL));
    ck_assert(!parse("-device", "isa-debug-exit,iobase=0", NULL));
}
END_TEST

START_TEST(displays)
{
    ck_assert(parse("-display", "sdl", NULL));
    ck_assert_uint_eq(o.window.modifiers, HOTKEY_CTRL | HOTKEY_ALT);
    ck_assert_uint_eq(o.window.grab, 0x0a);
    ck_assert_str_eq(o.window.grab_name, "Ctrl-Alt-G");
    ck_assert(parse("-display", "sdl,grab=shift-ctrl_r-f12,scale=integer,full-screen=on,status=off",
                    NULL));
    ck_assert_uint_eq(o.window.modifiers, HOTKEY_SHIFT | HOTKEY_RIGHT_CTRL);
    ck_assert_uint_eq(o.window.grab, 0x45);
    ck_assert_str_eq(o.window.grab_name, "Shift-Ctrl R-F12");
    ck_assert(o.window.integer && o.window.full_screen && o.window.no_status && !o.no_vmport);
    ck_assert(parse("-machine", "pc,vmport=off", NULL));
    ck_assert(o.no_vmport);
    static const char *const bad[] = {
        "vnc", "sdl,grab=g", "sdl,grab=ctrl-", "sdl,grab=alt-ctrl", "sdl,scale=big", "sdl,status"};
    for (unsigned n = 0; n < ARRAY_LEN(bad); n++)
        ck_assert(!parse("-display", bad[n], NULL));
    ck_assert(!parse("-machine", "q35", NULL));
    ck_assert(!parse("-machine", "pc,vmport=maybe", NULL));
}
END_TEST

START_TEST(words)
{
    ck_assert(parse("--append", "a b", NULL) == false); /* without -kernel */
    ck_assert(!parse("-engine=auto", NULL, NULL) && !parse("-engine", "fast", NULL));
    ck_assert(parse("-boot", "order=dc,menu=on", NULL) && o.boot_menu);
    ck_assert_str_eq(o.boot, "dc");
    static const char *const missing[] = {"-m", "-kernel", "-serial", "-hda", "-name"};
    for (unsigned n = 0; n < ARRAY_LEN(missing); n++) {
        ck_assert(!parse(missing[n], NULL, NULL));
        ck_assert_ptr_nonnull(strstr(err.text, missing[n]));
    }
    ck_assert(!parse("-", NULL, NULL) && !parse("--", NULL, NULL) && !parse("-x", NULL, NULL));
    ck_assert(parse("", NULL, NULL) && drive_option_wanted(&o)); /* a disk without a name */
}
END_TEST

/* A slip of the hand, an option of QEMU, and what is like nothing: what the error says. */
START_TEST(hints)
{
    static const struct {
        const char *option; /* as it was written */
        const char *says;   /* part of the error */
    } rows[] = {
        {"-hdaa", "did you mean -hda?"},
        {"--dispaly", "did you mean -display?"},
        {"-kernal", "did you mean -kernel?"},
        {"-nograph", "did you mean -nographic?"},
        {"-smp", "-smp: the machine has one CPU"},
        {"-netdev", "-netdev: write -nic"},
        {"-xyzzy", "-xyzzy; -help lists them"},
        {"-nonsense-that-is-longer-than-any-option-there-could-be", "-help lists them"},
        {"-", "option -; -help lists them"},
    };
    for (unsigned n = 0; n < ARRAY_LEN(rows); n++) {
        ck_assert(!parse(rows[n].option, "1", NULL));
        ck_assert_msg(strstr(err.text, rows[n].says), "%s", err.text);
    }
    ck_assert_uint_eq(option_distance("kernel", "kernel"), 0);
    ck_assert_uint_eq(option_distance("kernel", "kernal"), 1);
    ck_assert_uint_eq(option_distance("kernel", "kenrel"), 1);
    ck_assert_uint_eq(option_distance("hda", "hd"), 1);
    ck_assert_uint_eq(option_distance("", "hda"), 3);
    ck_assert_uint_eq(option_distance("snapshot", "screenshot"), 5);
}
END_TEST

/* Options that mean nothing alone, and keys of a network card. */
START_TEST(contexts)
{
    ck_assert(!parse("-dfilter", "1..2", NULL) && strstr(err.text, "-dfilter goes with -d"));
    ck_assert(parse("-nic", "user,restrict=on", NULL) && o.nic[0].net.restricted);
    ck_assert(!parse("-nic", "user,restrict=maybe", NULL) && strstr(err.text, "maybe"));
    ck_assert(!parse("-nic", "user,ifname=x", NULL) && strstr(err.text, "hostfwd, tftp"));
    ck_assert(!parse("-nic", "tap,tftp=x", NULL) && strstr(err.text, "pcap, ifname"));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("options");
    TCase *tc = tcase_create("options");
    tcase_add_checked_fixture(tc, NULL, teardown);
    tcase_add_test(tc, memory_sizes);
    tcase_add_test(tc, usual_drive);
    tcase_add_test(tc, drives);
    tcase_add_test(tc, dates);
    tcase_add_test(tc, numbers);
    tcase_add_test(tc, displays);
    tcase_add_test(tc, words);
    tcase_add_test(tc, hints);
    tcase_add_test(tc, contexts);
    suite_add_tcase(suite, tc);
    return suite_run(suite);
}
