/* The command line: option names that hands know from QEMU, parsed into one struct. */
/* SPDX-License-Identifier: MIT */
#ifndef FRONTEND_OPTIONS_H
#define FRONTEND_OPTIONS_H

#include "cpu/base.h"
#include "frontend/display_option.h"
#include "frontend/drive_option.h"
#include "frontend/nic.h"
#include "frontend/on_event.h"

enum display_kind { DISPLAY_AUTO, DISPLAY_SDL, DISPLAY_NONE };
/* The default is auto where the host can, else interp. */
enum engine_kind { ENGINE_DEFAULT, ENGINE_INTERP, ENGINE_CHECKED, ENGINE_DIRECT, ENGINE_AUTO };
enum clock_kind { CLOCK_HOST, CLOCK_ICOUNT };
enum { MAX_SERIALS = 2, MAX_SYMBOLS = 8 };

struct options {
    u64 ram_size; /* bytes */
    char *cpu;    /* model name */
    struct drive_option drive[MAX_DRIVES];
    unsigned drive_count;         /* entries in drive */
    bool no_defaults;             /* -nodefaults */
    char *boot;                   /* order of "acdn", or NULL */
    bool boot_menu;               /* -boot menu=on */
    bool snapshot;                /* all drives: writes go to temporary files */
    char *kernel;                 /* bzImage or multiboot ELF */
    char *initrd;                 /* initial RAM disk, or multiboot modules "file args,file args" */
    char *append;                 /* kernel command line */
    char *bios;                   /* firmware file, or NULL */
    char *serial[MAX_SERIALS];    /* chardev specifications, or NULL: default */
    unsigned serial_count;        /* -serial options seen */
    char *debugcon;               /* chardev for ports 0xE9 and 0x402, or NULL */
    char *monitor;                /* chardev for the monitor, or NULL */
    char *gdb;                    /* chardev for gdb, or NULL */
    bool magic_break;             /* -magic-break */
    bool start_paused;            /* -S */
    char *symbols[MAX_SYMBOLS];   /* -symbols FILE[@ADDR] */
    unsigned symbols_count;       /* entries of symbols */
    struct on_event events;       /* -on */
    bool nographic;               /* first serial port on the terminal, no window */
    enum display_kind display;    /* -display */
    struct display_option window; /* how the window looks and what its keys are */
    bool no_vmport;               /* -machine vmport=off */
    bool no_reboot;               /* a reset ends the program */
    bool no_shutdown;             /* a power-off stops the machine but keeps the program */
    char *name;                   /* guest name for the window title */
    bool rtc_localtime;           /* the RTC shows local time */
    s64 rtc_start;                /* seconds since the epoch at start; -1: the host's clock */
    char *screenshot;             /* PNG written at exit, or NULL */
    enum clock_kind clock;        /* -clock */
    unsigned icount_shift;        /* -clock icount: ns an instruction = 1 << shift */
    bool debug_exit;              /* -device isa-debug-exit */
    u16 debug_exit_port;          /* its iobase */
    enum engine_kind engine;      /* -engine */
    bool explain;                 /* tell why each exception happened */
    u64 code_cache;               /* bytes of host code that translations may take */
    u64 stress_windows;           /* seed for losing what windows map at random, 0: never */
    bool verify;                  /* run each translated block beside the interpreter */
    char *debug;                  /* -d: what to log, comma-separated, or NULL */
    char *debug_file;             /* -D: where to; NULL: standard error */
    char *debug_filter;           /* -dfilter: code addresses, or NULL: all */
    char *trace;                  /* -trace: file and what goes into it, or NULL */
    char *profile;                /* -profile: file and period, or NULL */
    bool strict;                  /* -strict */
    u64 limit;                    /* stop after that many instructions; 0: none */
    bool help;                    /* -help */
    bool version;                 /* -version */

    struct nic_option nic[MAX_NICS]; /* -nic */
    unsigned nic_count;              /* entries in nic; 0 and no_nic false: the default */
    bool no_nic;                     /* -nic none */
    char *loadvm;                    /* -loadvm */
    bool virtio_rng;                 /* -device virtio-rng-pci */
    bool virtio_balloon;             /* -device virtio-balloon-pci */
    char *virtio_console;            /* -device virtio-console: its chardev, or NULL */
};

/* Fills *o from the command line; false with a one-line message when it makes no sense. */
bool options_parse(int argc, char **argv, struct options *o, struct error *err);
void options_free(struct options *o);
void options_print_help(void); /* on standard output */

#endif
