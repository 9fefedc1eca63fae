/* The command line: one table of options; values are checked here, files where they are opened. */
/* SPDX-License-Identifier: MIT */
#include "frontend/options.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "frontend/option_hint.h"
#include "frontend/option_value.h"

static bool opt_memory(struct options *o, const char *arg, struct error *err)
{
    char *end;
    if (!strncmp(arg, "size=", 5))
        arg += 5;
    errno = 0;
    unsigned long long n = strtoull(arg, &end, 10);
    unsigned shift = 20;
    if (*end == 'k' || *end == 'K')
        shift = 10, end++;
    else if (*end == 'm' || *end == 'M')
        end++;
    else if (*end == 'g' || *end == 'G')
        shift = 30, end++;
    if (*arg < '0' || *arg > '9' || *end || errno)
        return error_set(err, "-m %s: not a memory size; write 512, 512M or 2G", arg);
    if (n > (64ull << 30) >> shift || n << shift < 1 << 20 || (n << shift) % 4096)
        return error_set(err, "-m %s: between 1M and 64G, in multiples of 4K", arg);
    o->ram_size = (u64)n << shift;
    return true;
}

static bool opt_cpu(struct options *o, const char *arg, struct error *err)
{
    if (strcmp(arg, "prescient32") && strcmp(arg, "qemu32") && strcmp(arg, "help"))
        return error_set(err, "-cpu %s: the only model is prescient32", arg);
    option_set_text(&o->cpu, arg);
    return true;
}

static bool opt_boot(struct options *o, const char *arg, struct error *err)
{
    char *copy = xstrdup(arg), *list = copy, *item;
    bool good = true;
    while (good && (item = option_next_item(&list))) {
        char *value = strchr(item, '=');
        if (!strncmp(item, "menu=", 5))
            good = option_on_off(value + 1, &o->boot_menu, "-boot menu", err);
        else if (value && strncmp(item, "order=", 6) && strncmp(item, "once=", 5))
            good = error_set(err, "-boot %s: order=LETTERS or menu=on", item);
        else {
            const char *order = value ? value + 1 : item;
            if (!*order || order[strspn(order, "acdn")])
                good = error_set(
                    err, "-boot %s: letters of a (floppy), c (disk), d (CD), n (network)", order);
            else
                option_set_text(&o->boot, order);
        }
    }
    free(copy);
    return good;
}

static bool opt_serial(struct options *o, const char *arg, struct error *err)
{
    if (o->serial_count == MAX_SERIALS)
        return error_set(err, "-serial %s: there are only %d serial ports", arg, MAX_SERIALS);
    option_set_text(&o->serial[o->serial_count++], arg);
    return true;
}

static bool opt_gdb_usual(struct options *o, const char *arg, struct error *err)
{
    (void)arg, (void)err;
    option_set_text(&o->gdb, "tcp:127.0.0.1:1234");
    return true;
}

static bool opt_symbols(struct options *o, const char *arg, struct error *err)
{
    if (o->symbols_count == MAX_SYMBOLS)
        return error_set(err, "-symbols %s: only %d files", arg, MAX_SYMBOLS);
    option_set_text(&o->symbols[o->symbols_count++], arg);
    return true;
}

static bool opt_on(struct options *o, const char *arg, struct error *err)
{
    struct error why = {0};
    if (!on_event_parse(&o->events, arg, &why))
        return error_set(err, "-on %s", why.text);
    o->strict |= o->events.strict;
    return true;
}

static bool opt_nographic(struct options *o, const char *arg, struct error *err)
{
    (void)arg, (void)err;
    o->display = DISPLAY_NONE;
    return o->nographic = true;
}

static bool opt_display(struct options *o, const char *arg, struct error *err)
{
    if (!strcmp(arg, "none")) {
        o->display = DISPLAY_NONE;
        return true;
    }
    o->display = DISPLAY_SDL;
    return display_option_parse(&o->window, arg, err);
}

/* base=YYYY-MM-DD or YYYY-MM-DDTHH:MM:SS, UTC: days by the civil-calendar formula. */
static bool parse_date(const char *text, s64 *seconds)
{
    int y, mon, d, h = 0, m = 0, s = 0, used = 0;
    if (sscanf(text, "%4d-%2d-%2d%n", &y, &mon, &d, &used) != 3)
        return false;
    if (text[used] && (sscanf(text + used, "T%2d:%2d:%2d%n", &h, &m, &s, &used) != 3))
        return false;
    if (y < 1970 || mon < 1 || mon > 12 || d < 1 || d > 31 || h > 23 || m > 59 || s > 59 || h < 0 ||
        m < 0 || s < 0)
        return false;
    static const u8 days_in[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (y % 4 == 0 && y % 100 != 0) || y % 400 == 0;
    if (d > days_in[mon - 1] + (leap && mon == 2))
        return false;
    s64 yy = mon <= 2 ? y - 1 : y, era = yy / 400, yoe = yy - era * 400;
    s64 doy = (153 * (mon + (mon > 2 ? -3 : 9)) + 2) / 5 + d - 1;
    s64 days = era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719468;
    *seconds = days * 86400 + h * 3600 + m * 60 + s;
    return true;
}

static bool opt_rtc(struct options *o, const char *arg, struct error *err)
{
    char *copy = xstrdup(arg), *list = copy, *item;
    bool good = true;
    while (good && (item = option_next_item(&list))) {
        const char *value = strchr(item, '=') ? strchr(item, '=') + 1 : "";
        if (!strncmp(item, "clock=", 6))
            good = !strcmp(value, "vm") || !strcmp(value, "host");
        else if (strncmp(item, "base=", 5))
            good = false;
        else if (!strcmp(value, "localtime"))
            o->rtc_localtime = true;
        else if (strcmp(value, "utc"))
            good = parse_date(value, &o->rtc_start);
    }
    free(copy);
    return good ||
           error_set(err, "-rtc %s: base=utc, base=localtime or base=YYYY-MM-DDTHH:MM:SS", arg);
}

static bool opt_clock(struct options *o, const char *arg, struct error *err)
{
    if (!strcmp(arg, "host"))
        o->clock = CLOCK_HOST;
    else if (!strncmp(arg, "icount", 6) &&
             (!arg[6] || (arg[6] == ',' && !strncmp(arg + 7, "shift=", 6)))) {
        u64 shift = 3;
        if (arg[6] && !option_number(arg + 13, 10, 10, &shift))
            return error_set(err, "-clock %s: shift is 0 to 10", arg);
        o->clock = CLOCK_ICOUNT;
        o->icount_shift = (unsigned)shift;
    } else
        return error_set(err, "-clock %s: host, icount or icount,shift=N", arg);
    return true;
}

/* One key=value of -device isa-debug-exit. */
static bool debug_exit_key(struct options *o, const char *item)
{
    u64 port = 0, size;
    bool good =
        (!strncmp(item, "iobase=", 7) && option_number(item + 7, 0, 0xffff, &port) && port) ||
        (!strncmp(item, "iosize=", 7) && option_number(item + 7, 0, 4, &size));
    o->debug_exit_port = port ? (u16)port : o->debug_exit_port;
    return good;
}

static bool opt_device(struct options *o, const char *arg, struct error *err)
{
    char *copy = xstrdup(arg), *list = copy, *name = option_next_item(&list), *item;
    bool exit = !strcmp(name, "isa-debug-exit"), console = !strcmp(name, "virtio-console");
    bool rng = !strcmp(name, "virtio-rng-pci"), balloon = !strcmp(name, "virtio-balloon-pci");
    bool good = exit || console || rng || balloon;
    if (console)
        option_set_text(&o->virtio_console, "stdio");
    while (good && (item = option_next_item(&list))) {
        if (console && !strncmp(item, "chardev=", 8))
            option_set_text(&o->virtio_console, item + 8);
        else
            good = exit && debug_exit_key(o, item);
    }
    free(copy);
    o->debug_exit |= good && exit;
    o->virtio_rng |= rng;
    o->virtio_balloon |= balloon;
    return good || error_set(err,
                             "-device %s: known are isa-debug-exit[,iobase=PORT], "
                             "virtio-rng-pci, virtio-balloon-pci, virtio-console[,chardev=CHARDEV]",
                             arg);
}

static bool opt_nic(struct options *o, const char *arg, struct error *err)
{
    if (!strcmp(arg, "none"))
        return o->no_nic = true;
    if (o->nic_count == MAX_NICS)
        return error_set(err, "-nic %s: at most %d network cards", arg, MAX_NICS);
    return nic_parse(&o->nic[o->nic_count++], arg, err);
}

static bool opt_machine(struct options *o, const char *arg, struct error *err)
{
    char *copy = xstrdup(arg), *list = copy, *item = option_next_item(&list);
    bool good = !strcmp(item, "pc") || !strcmp(item, "pc-i440fx") || !strncmp(item, "vmport=", 7);
    if (!good)
        error_set(err, "-machine %s: the only machine is pc", arg);
    for (; good && item; item = option_next_item(&list)) {
        bool on = true;
        if (!strncmp(item, "vmport=", 7))
            good = option_on_off(item + 7, &on, "-machine vmport", err);
        else if (strncmp(item, "pc", 2))
            good = error_set(err, "-machine %s: pc, with vmport=on or off", item);
        o->no_vmport = !on;
    }
    free(copy);
    return good;
}

static bool opt_engine(struct options *o, const char *arg, struct error *err)
{
    static const char *const names[] = {[ENGINE_INTERP] = "interp",
                                        [ENGINE_CHECKED] = "checked",
                                        [ENGINE_DIRECT] = "direct",
                                        [ENGINE_AUTO] = "auto"};
    for (unsigned n = ENGINE_INTERP; n < ARRAY_LEN(names); n++) {
        if (!strcmp(arg, names[n])) {
            o->engine = n;
            return true;
        }
    }
    return error_set(err, "-engine %s: interp, checked, direct or auto", arg);
}

static bool opt_codecache(struct options *o, const char *arg, struct error *err)
{
    u64 mib;
    if (!option_number(arg, 10, 256, &mib) || !mib)
        return error_set(err, "-codecache %s: 1 to 256 MiB", arg);
    o->code_cache = mib << 20;
    return true;
}

static bool opt_stress_windows(struct options *o, const char *arg, struct error *err)
{
    if (!option_number(arg, 10, UINT64_MAX, &o->stress_windows) || !o->stress_windows)
        return error_set(err, "-stress-windows %s: a number other than 0", arg);
    return true;
}

static bool opt_verify(struct options *o, const char *arg, struct error *err)
{
    (void)arg, (void)err;
    if (o->engine == ENGINE_DEFAULT || o->engine == ENGINE_INTERP)
        o->engine = ENGINE_CHECKED;
    return o->verify = true;
}

static bool opt_limit(struct options *o, const char *arg, struct error *err)
{
    if (!option_number(arg, 10, UINT64_MAX, &o->limit) || !o->limit)
        return error_set(err, "-limit %s: a number of instructions", arg);
    return true;
}

/* What an option does with its argument. */
enum option_kind {
    OPTION_CALL,
    OPTION_TEXT,
    OPTION_FLAG,
    OPTION_DISK,
    OPTION_CDROM,
    OPTION_FLOPPY
};

struct option {
    const char *name; /* without the dash */
    const char *arg;  /* how the argument is shown; NULL: none */
    const char *help; /* one line; NULL: not shown */
    /* OPTION_CALL: */
    bool (*set)(struct options *o, const char *arg, struct error *err);
    enum option_kind kind; /* what to do */
    size_t where; /* OPTION_TEXT, OPTION_FLAG: in struct options; else the drive's number */
};

#define CALL(function)      .kind = OPTION_CALL, .set = function
#define TEXT(field)         .kind = OPTION_TEXT, .where = offsetof(struct options, field)
#define FLAG(field)         .kind = OPTION_FLAG, .where = offsetof(struct options, field)
#define DRIVE(type, number) .kind = OPTION_##type, .where = (number)

static const struct option option_table[] = {
    {"m", "SIZE", "guest memory: 512, 512M, 2G (default 512M)", CALL(opt_memory)},
    {"cpu", "MODEL", "CPU model: prescient32 (P6 family with SSE2)", CALL(opt_cpu)},
    {"hda", "FILE", "disk image of the first IDE drive (also: a bare FILE)", DRIVE(DISK, 0)},
    {"hdb", "FILE", "the second", DRIVE(DISK, 1)},
    {"hdc", "FILE", "the third (the place that -cdrom takes)", DRIVE(DISK, 2)},
    {"hdd", "FILE", "the fourth", DRIVE(DISK, 3)},
    {"cdrom", "FILE", "CD image in an ATAPI drive", DRIVE(CDROM, 2)},
    {"fda", "FILE", "floppy image", DRIVE(FLOPPY, 0)},
    {"fdb", "FILE", "floppy image of the second drive", DRIVE(FLOPPY, 1)},
    {"drive",
     "file=FILE[,format=raw|qcow2][,if=ide|floppy|virtio][,media=disk|cdrom][,index=N]"
     "[,snapshot=on][,readonly=on]",
     "any drive", CALL(drive_option_parse)},
    {"nodefaults", NULL, "no empty CD drive and no network card but those asked for",
     FLAG(no_defaults)},
    {"snapshot", NULL, "write to temporary files, never to the images", FLAG(snapshot)},
    {"boot", "[order=]acdn[,menu=on]", "boot order: a floppy, c disk, d CD, n network",
     CALL(opt_boot)},
    {"kernel", "FILE", "boot this Linux bzImage or multiboot ELF", TEXT(kernel)},
    {"initrd", "FILE", "its initial RAM disk, or multiboot modules", TEXT(initrd)},
    {"append", "TEXT", "its command line", TEXT(append)},
    {"bios", "FILE", "firmware (default: Debian's SeaBIOS)", TEXT(bios)},
    {"serial", "stdio|file:PATH|unix:PATH|pty|null|none",
     "where a serial port goes (twice for two)", CALL(opt_serial)},
    {"debugcon", "CHARDEV", "where ports 0xE9 and 0x402 go", TEXT(debugcon)},
    {"monitor", "stdio|unix:PATH|tcp:127.0.0.1:PORT|none",
     "where the monitor listens (with -nographic it is on Ctrl-A c)", TEXT(monitor)},
    {"gdb", "unix:PATH|tcp:127.0.0.1:PORT|none", "where gdb can connect", TEXT(gdb)},
    {"s", NULL, "the same as -gdb tcp:127.0.0.1:1234", CALL(opt_gdb_usual)},
    {"magic-break", NULL, "stop at XCHG BX,BX", FLAG(magic_break)},
    {"S", NULL, "do not start until the monitor or gdb says so", FLAG(start_paused)},
    {"symbols", "FILE[@ADDR]", "names of guest addresses: an ELF file or a System.map",
     CALL(opt_symbols)},
    {"on", "exception=N[,N...]|triple-fault=stop|reset|exit|strict=stop",
     "events that stop the machine", CALL(opt_on)},
    {"nographic", NULL, "no window; serial console in this terminal, Ctrl-A x to quit",
     CALL(opt_nographic)},
    {"display", "none|sdl[,grab=KEYS][,scale=smooth|integer][,full-screen=on][,status=off]",
     "window (grab=ctrl-alt-g: its keys), or none", CALL(opt_display)},
    {"name", "TEXT", "the guest's name, in the window title", TEXT(name)},
    {"rtc", "base=utc|localtime|DATE", "what the real-time clock shows at start", CALL(opt_rtc)},
    {"clock", "host|icount[,shift=N]",
     "virtual time: the host's, or counted in instructions (repeatable)", CALL(opt_clock)},
    {"device", "isa-debug-exit[,iobase=PORT]|virtio-rng-pci|virtio-balloon-pci|virtio-console",
     "a port that ends the program with status (value << 1) | 1, or a virtual device; "
     "virtio-console takes chardev=CHARDEV",
     CALL(opt_device)},
    {"nic", "none|user|unix|socket|tap[,KEY=VALUE]...",
     "network card: model, mac, pcap; user: hostfwd, tftp, bootfile, restrict; unix: local, "
     "remote; tap: ifname",
     CALL(opt_nic)},
    {"machine", "pc[,vmport=off]", "i440FX + PIIX3; with VMware's backdoor port or not",
     CALL(opt_machine)},
    {"M", "pc", NULL, CALL(opt_machine)},
    {"engine", "interp|checked|direct|auto", "how guest code runs", CALL(opt_engine)},
    {"explain", NULL, "tell on standard error why each exception happened", FLAG(explain)},
    {"codecache", "MIB", "memory for translated code (default 32)", CALL(opt_codecache)},
    {"stress-windows", "SEED", "lose what direct windows map at random, which no guest must notice",
     CALL(opt_stress_windows)},
    {"verify", NULL, "run each translated block beside the interpreter, stop where they differ",
     CALL(opt_verify)},
    {"d", "ITEM[,ITEM...]", "log in_asm, op, out_asm, exec, int, mmu, cpu, translate, guest_errors",
     TEXT(debug)},
    {"D", "FILE", "where -d and -verify write (default: standard error)", TEXT(debug_file)},
    {"dfilter", "FIRST..LAST|FIRST+SIZE[,...]", "only code at these addresses in the log",
     TEXT(debug_filter)},
    {"trace", "FILE[,insn][,mem][,int][,io][,mmio][,call][,range=A..B][,cr3=A][,cpl=N]",
     "write what the guest does to a file, for prescient trace", TEXT(trace)},
    {"profile", "FILE[,period=MICROSECONDS]", "sample where the guest's time goes", TEXT(profile)},
    {"strict", NULL, "tell what hardware tolerates or leaves undefined", FLAG(strict)},
    {"limit", "N", "stop after N guest instructions", CALL(opt_limit)},
    {"loadvm", "NAME", "start from a snapshot (NAME.snap here, or a path)", TEXT(loadvm)},
    {"screenshot", "FILE.png", "save the screen at exit, and on SIGUSR1", TEXT(screenshot)},
    {"no-reboot", NULL, "a guest reset ends the program", FLAG(no_reboot)},
    {"no-shutdown", NULL, "a guest power-off stops the machine but keeps the window",
     FLAG(no_shutdown)},
    {"version", NULL, "print the version", FLAG(version)},
    {"help", NULL, "print this", FLAG(help)},
    {"h", NULL, NULL, FLAG(help)},
};

static const struct option *option_find(const char *name)
{
    for (size_t n = 0; n < ARRAY_LEN(option_table); n++) {
        if (!strcmp(option_table[n].name, name))
            return &option_table[n];
    }
    return NULL;
}

/* The error for an option that is not in the table. */
static bool unknown(const char *option, const char *name, struct error *err)
{
    const char *instead = option_elsewhere(name), *nearest = NULL;
    unsigned least = strlen(name) < 4 ? 2 : 3;
    for (size_t n = 0; n < ARRAY_LEN(option_table); n++) {
        unsigned distance = option_distance(option_table[n].name, name);
        if (distance < least && strlen(option_table[n].name) > 1)
            least = distance, nearest = option_table[n].name;
    }
    if (instead)
        return error_set(err, "unknown option %s: %s", option, instead);
    if (nearest)
        return error_set(err, "unknown option %s; did you mean -%s?", option, nearest);
    return error_set(err, "unknown option %s; -help lists them", option);
}

static bool add_drive(struct options *o, const char *file, enum option_kind kind, size_t index,
                      struct error *err)
{
    struct drive_option d = {.file = xstrdup(file),
                             .bus = kind == OPTION_FLOPPY ? DRIVE_FLOPPY : DRIVE_IDE,
                             .index = (unsigned)index,
                             .cdrom = kind == OPTION_CDROM,
                             .readonly = kind == OPTION_CDROM};
    return drive_option_add(o, d, err);
}

static bool apply(struct options *o, const struct option *option, const char *arg,
                  struct error *err)
{
    char *field = (char *)o + option->where;
    if (option->kind == OPTION_CALL)
        return option->set(o, arg, err);
    if (option->kind == OPTION_FLAG)
        return *(bool *)field = true;
    if (option->kind != OPTION_TEXT)
        return add_drive(o, arg, option->kind, option->where, err);
    option_set_text((char **)field, arg);
    return true;
}

/* Options that mean nothing without another. */
static bool together(const struct options *o, struct error *err)
{
    if ((o->initrd || o->append) && !o->kernel)
        return error_set(err, "-initrd and -append go with -kernel");
    if (o->debug_filter && !o->debug)
        return error_set(err, "-dfilter goes with -d");
    return true;
}

bool options_parse(int argc, char **argv, struct options *o, struct error *err)
{
    *o = (struct options){.ram_size = 512ull << 20,
                          .rtc_start = -1,
                          .debug_exit_port = 0x501,
                          .code_cache = 32ull << 20};
    o->window = display_option_default();
    for (int n = 1; n < argc; n++) {
        const char *name = argv[n];
        if (name[0] != '-') {
            if (!add_drive(o, name, OPTION_DISK, 0, err))
                return false;
            continue;
        }
        name += name[1] == '-' ? 2 : 1;
        const struct option *option = option_find(name);
        if (!option)
            return unknown(argv[n], name, err);
        if (option->arg && n + 1 == argc)
            return error_set(err, "%s wants an argument: %s", argv[n], option->arg);
        if (!apply(o, option, option->arg ? argv[++n] : NULL, err))
            return false;
    }
    if (!o->no_defaults)
        drive_option_usual(o);
    return together(o, err);
}

void options_free(struct options *o)
{
    for (unsigned n = 0; n < o->drive_count; n++) {
        free(o->drive[n].file);
        free(o->drive[n].format);
    }
    for (unsigned n = 0; n < o->symbols_count; n++)
        free(o->symbols[n]);
    for (unsigned n = 0; n < o->nic_count; n++)
        nic_option_free(&o->nic[n]);
    for (size_t n = 0; n < ARRAY_LEN(option_table); n++) {
        if (option_table[n].kind == OPTION_TEXT)
            free(*(char **)((char *)o + option_table[n].where));
    }
    char *texts[] = {o->cpu, o->boot, o->serial[0], o->serial[1], o->virtio_console};
    for (size_t n = 0; n < ARRAY_LEN(texts); n++)
        free(texts[n]);
}

void options_print_help(void)
{
    puts("usage: prescient [options] [disk image]\n"
         "Runs an x86 operating system. With no arguments: a small demonstration kernel.\n");
    for (size_t n = 0; n < ARRAY_LEN(option_table); n++) {
        const struct option *option = &option_table[n];
        if (option->help)
            printf("  -%s%s%s\n        %s\n", option->name, option->arg ? " " : "",
                   option->arg ? option->arg : "", option->help);
    }
    puts(
        "\nIn the window, with Ctrl-Alt: G gives the mouse to the guest and takes it back, F full\n"
        "screen, S screenshot, C copies the text screen, V types the clipboard's text, I whole\n"
        "multiples, L status line, 1 to 4 size.\n"
        "In the terminal (-nographic): Ctrl-A x quits, Ctrl-A h lists the keys.");
}
