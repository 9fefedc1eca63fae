/* Nonsense for the monitor and for gdb's protocol: no input may crash or hang the program.
 * fuzz_scope [-seed N] [-n N] */
/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cpu/breakpoint.h"
#include "frontend/gdbstub.h"
#include "frontend/monitor.h"

enum { LINE_MAX_LEN = 400, WORDS_MAX = 8 };

static u64 next_random(u64 *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

static const char *const words[] = {"help",
                                    "info",
                                    "stop",
                                    "cont",
                                    "step",
                                    "lb",
                                    "pb",
                                    "watch",
                                    "r",
                                    "w",
                                    "a",
                                    "delete",
                                    "enable",
                                    "disable",
                                    "modebp",
                                    "on",
                                    "off",
                                    "exception=13",
                                    "triple-fault=stop",
                                    "show",
                                    "int",
                                    "x",
                                    "xp",
                                    "/20i",
                                    "/3s",
                                    "/9xb",
                                    "/4294967295xg",
                                    "print",
                                    "p",
                                    "u",
                                    "creg",
                                    "sreg",
                                    "dreg",
                                    "fpu",
                                    "print-stack",
                                    "page",
                                    "mark",
                                    "diff",
                                    "symbol",
                                    "*",
                                    "syntax",
                                    "att",
                                    "intel",
                                    "set",
                                    "eax",
                                    "=",
                                    "cr0",
                                    "cr3",
                                    "cr4",
                                    "ss",
                                    "ds",
                                    "cs",
                                    "eflags",
                                    "dr7",
                                    "setmem",
                                    "b",
                                    "h",
                                    "sendkey",
                                    "ctrl-alt-delete",
                                    "registers",
                                    "gdt",
                                    "idt",
                                    "ldt",
                                    "tss",
                                    "tlb",
                                    "mem",
                                    "tab",
                                    "mtree",
                                    "break",
                                    "0",
                                    "1",
                                    "0x80000000",
                                    "0xffffffffffffffff",
                                    "-1",
                                    "(",
                                    ")",
                                    "[",
                                    "]",
                                    "byte[",
                                    "word[esp]",
                                    "+",
                                    "<<",
                                    "/",
                                    "%",
                                    "&&",
                                    "if",
                                    "once",
                                    "cpl",
                                    "cr3",
                                    "here",
                                    "ignore",
                                    "0xf000:0xfff0",
                                    "esp",
                                    "$eip",
                                    "until",
                                    "next",
                                    "system_reset",
                                    "stepirq",
                                    "wait",
                                    "status",
                                    "symbols",
                                    "mxcsr",
                                    "pci",
                                    "pic",
                                    "irq",
                                    "block",
                                    "translate",
                                    "profile",
                                    "change",
                                    "eject",
                                    "-f",
                                    "ide1-cd0",
                                    "call",
                                    "iret",
                                    "mode",
                                    "trace",
                                    "linux-symbols",
                                    "\t",
                                    "\033[A",
                                    "\033[D",
                                    "xyzzy"};

static const char *const packets[] = {"g",
                                      "?",
                                      "m0,40",
                                      "m80000000,ffffffffffffffff",
                                      "M1000,4:01020304",
                                      "p8",
                                      "p30",
                                      "P0=00000000",
                                      "P8=f0ff0000",
                                      "G0000",
                                      "Z0,fffffff0,1",
                                      "Z2,1000,4",
                                      "Z3,1000,ffffffffff",
                                      "Z4,0,1",
                                      "z0,fffffff0,1",
                                      "Z9,1,1",
                                      "c",
                                      "s",
                                      "vCont;c",
                                      "vCont;r100,200:1",
                                      "vCont;",
                                      "vCont?",
                                      "qSupported:xmlRegisters=i386",
                                      "qXfer:features:read:target.xml:0,ffb",
                                      "qXfer:features:read:target.xml:ffffffffffffffff,ffff",
                                      "qXfer:features:read:x:0,1",
                                      "qRcmd,696e666f",
                                      "qRcmd,7",
                                      "QStartNoAckMode",
                                      "Hg0",
                                      "T1",
                                      "D",
                                      "qfThreadInfo",
                                      "qC",
                                      "X0,0:",
                                      "vMustReplyEmpty",
                                      "Cff",
                                      "P12=3333",
                                      "P29=11000000"};

/* Words, and now and then a character that is anything. */
static void make_line(u64 *state, char *line)
{
    size_t len = 0;
    unsigned count = 1 + (unsigned)(next_random(state) % WORDS_MAX);
    for (unsigned n = 0; n < count; n++)
        len += (size_t)snprintf(line + len, LINE_MAX_LEN - len, "%s%s",
                                words[next_random(state) % ARRAY_LEN(words)],
                                next_random(state) % 4 ? " " : "");
    if (next_random(state) % 4 == 0)
        line[next_random(state) % len] = (char)(1 + next_random(state) % 255);
}

static void send_packet(struct gdbstub *g, u64 *state)
{
    char text[LINE_MAX_LEN], whole[LINE_MAX_LEN + 8];
    u8 sum = 0;
    snprintf(text, sizeof text, "%s", packets[next_random(state) % ARRAY_LEN(packets)]);
    for (unsigned n = 0; n < 2 && next_random(state) % 2; n++)
        text[next_random(state) % strlen(text)] = (char)(33 + next_random(state) % 94);
    for (const char *p = text; *p; p++)
        sum += (u8)*p;
    sum += next_random(state) % 32 == 0;
    int len = snprintf(whole, sizeof whole, "$%s#%02x", text, sum);
    gdbstub_receive(g, (const u8 *)whole, (size_t)len);
    if (next_random(state) % 16 == 0)
        gdbstub_receive(g, (const u8 *)"\003$}*#", next_random(state) % 6);
}

static u64 argument(int argc, char **argv, const char *name, u64 value)
{
    for (int n = 1; n + 1 < argc; n++)
        if (!strcmp(argv[n], name))
            value = strtoull(argv[n + 1], NULL, 0);
    return value;
}

int main(int argc, char **argv)
{
    char *args[] = {"fuzz_scope", "-display", "none",          "-m", "16", "-serial", "null",
                    "-S",         "-bios",    "bios-256k.bin", NULL};
    struct options options;
    struct error err = {0};
    u64 count = argument(argc, argv, "-n", UINT64_MAX),
        state = argument(argc, argv, "-seed", 1) | 1;
    if (!options_parse(ARRAY_LEN(args) - 1, args, &options, &err))
        die("%s", err.text);
    struct machine *m = machine_new(&options, &err);
    struct chardev *nowhere = chardev_open("null", &err);
    if (!m || !nowhere)
        die("%s", err.text);
    struct gdbstub *g = gdbstub_new(m, machine_monitor(m), nowhere);
    for (u64 n = 0; n < count; n++) {
        char line[LINE_MAX_LEN];
        struct text out = {0};
        make_line(&state, line);
        monitor_execute(machine_monitor(m), line, next_random(&state) % 2, &out);
        text_free(&out);
        send_packet(g, &state);
        if (!machine_paused(m))
            machine_stop(m, &(struct pause){.reason = PAUSE_USER});
        if (next_random(&state) % 64 == 0)
            monitor_execute(machine_monitor(m), "delete", true, &out);
        text_free(&out);
    }
    gdbstub_free(g);
    chardev_close(nowhere);
    machine_free(m);
    options_free(&options);
    return 0;
}
