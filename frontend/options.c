/* The command line: one table of options; values are checked here, files where they are opened. */
/* SPDX-License-Identifier: MIT */
#include "frontend/options.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

char *option_next_item(char **list)
{
    char *start = *list, *out = start, *in = start;
    if (!start)
        return NULL;
    for (; *in && (*in != ',' || in[1] == ','); in++) {
        in += *in == ',';
        *out++ = *in;
    }
    *list = *in ? in + 1 : NULL;
    *out = 0;
    return start;
}

static void set_string(char **to, const char *value)
{
    free(*to);
    *to = xstrdup(value);
}

static bool parse_on_off(const char *value, bool *to, const char *what, struct error *err)
{
    *to = !strcmp(value, "on");
    if (!*to && strcmp(value, "off"))
        return error_set(err, "%s is on or off, not \"%s\"", what, value);
    return true;
}

/* A number without sign or blanks, in this base (0: as in C), up to max. */
static bool parse_number(const char *text, int base, u64 max, u64 *to)
{
    char *end;
    errno = 0;
    *to = strtoull(text, &end, base);
    return *text >= '0' && *text <= '9' && !*end && !errno && *to <= max;
}

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
    set_string(&o->cpu, arg);
    return true;
}

static bool drive_add(struct options *o, struct drive_option d, struct error *err)
{
    static const char *const names[] = {"IDE", "floppy", "virtio"};
    unsigned max = d.bus == DRIVE_FLOPPY ? 2 : 4;
    if (d.index >= max) {
        free(d.file);
        free(d.format);
        return error_set(err, "drive index %u: %s drives are 0 to %u", d.index, names[d.bus],
                         max - 1);
    }
    for (unsigned n = 0; n < o->drive_count; n++) {
        struct drive_option *other = &o->drive[n];
        if (other->bus == d.bus && other->index == d.index) {
            error_set(err, "%s: drive %u on that bus is already %s",
                      d.file ? d.file : "empty drive", d.index,
                      other->file ? other->file : "there, empty");
            free(d.file);
            free(d.format);
            return false;
        }
    }
    o->drive[o->drive_count++] = d;
    return true;
}

/* The first free place; -cdrom's own is 2. */
static unsigned free_index(const struct options *o, enum drive_bus bus)
{
    unsigned index = 0;
    for (unsigned n = 0; n < o->drive_count; n++) {
        if (o->drive[n].bus == bus && o->drive[n].index == index)
            index++, n = (unsigned)-1;
    }
    return index;
}

static bool disk_at(struct options *o, const char *arg, unsigned index, struct error *err)
{
    return drive_add(o, (struct drive_option){.file = xstrdup(arg), .index = index}, err);
}

static bool opt_hda(struct options *o, const char *arg, struct error *err)
{
    return disk_at(o, arg, 0, err);
}

static bool opt_hdb(struct options *o, const char *arg, struct error *err)
{
    return disk_at(o, arg, 1, err);
}

static bool opt_hdc(struct options *o, const char *arg, struct error *err)
{
    return disk_at(o, arg, 2, err);
}

static bool opt_hdd(struct options *o, const char *arg, struct error *err)
{
    return disk_at(o, arg, 3, err);
}

static bool opt_cdrom(struct options *o, const char *arg, struct error *err)
{
    return drive_add(
        o, (struct drive_option){.file = xstrdup(arg), .index = 2, .cdrom = true, .readonly = true},
        err);
}

static bool floppy_at(struct options *o, const char *arg, unsigned index, struct error *err)
{
    return drive_add(
        o, (struct drive_option){.file = xstrdup(arg), .bus = DRIVE_FLOPPY, .index = index}, err);
}

static bool opt_fda(struct options *o, const char *arg, struct error *err)
{
    return floppy_at(o, arg, 0, err);
}

static bool opt_fdb(struct options *o, const char *arg, struct error *err)
{
    return floppy_at(o, arg, 1, err);
}

/* One key=value of -drive. */
static bool drive_key(struct drive_option *d, bool *has_index, char *item, struct error *err)
{
    char *value = strchr(item, '=');
    if (!value)
        return error_set(err, "-drive: \"%s\" is not of the form key=value", item);
    *value++ = 0;
    if (!strcmp(item, "file"))
        set_string(&d->file, value);
    else if (!strcmp(item, "format"))
        set_string(&d->format, value);
    else if (!strcmp(item, "if")) {
        d->bus = !strcmp(value, "floppy")   ? DRIVE_FLOPPY
                 : !strcmp(value, "virtio") ? DRIVE_VIRTIO
                                            : DRIVE_IDE;
        if (d->bus == DRIVE_IDE && strcmp(value, "ide"))
            return error_set(err, "-drive if=%s: ide, floppy or virtio", value);
    } else if (!strcmp(item, "media")) {
        d->cdrom = !strcmp(value, "cdrom");
        if (!d->cdrom && strcmp(value, "disk"))
            return error_set(err, "-drive media=%s: disk or cdrom", value);
    } else if (!strcmp(item, "index")) {
        u64 index;
        if (!parse_number(value, 10, UINT32_MAX, &index))
            return error_set(err, "-drive index=%s: not a number", value);
        d->index = (unsigned)index;
        *has_index = true;
    } else if (!strcmp(item, "snapshot"))
        return parse_on_off(value, &d->snapshot, "-drive snapshot", err);
    else if (!strcmp(item, "readonly") || !strcmp(item, "read-only"))
        return parse_on_off(value, &d->readonly, "-drive readonly", err);
    else
        return error_set(
            err, "-drive: unknown key \"%s\" (file, format, if, media, index, snapshot, readonly)",
            item);
    return true;
}

static bool opt_drive(struct options *o, const char *arg, struct error *err)
{
    struct drive_option d = {0};
    bool has_index = false, good = true;
    char *copy = xstrdup(arg), *list = copy, *item;
    while (good && (item = option_next_item(&list)))
        good = drive_key(&d, &has_index, item, err);
    free(copy);
    if (good && !d.file && !d.cdrom && d.bus != DRIVE_FLOPPY)
        good = error_set(err, "-drive %s: which file? add file=PATH", arg);
    if (good && d.cdrom && d.bus != DRIVE_IDE)
        good = error_set(err, "-drive %s: a %s drive takes no CD", arg,
                         d.bus == DRIVE_FLOPPY ? "floppy" : "virtio");
    if (!good) {
        free(d.file);
        free(d.format);
        return false;
    }
    d.readonly |= d.cdrom;
    if (!has_index)
        d.index = free_index(o, d.bus);
    return drive_add(o, d, err);
}

static bool opt_boot(struct options *o, const char *arg, struct error *err)
{
    char *copy = xstrdup(arg), *list = copy, *item;
    bool good = true;
    while (good && (item = option_next_item(&list))) {
        char *value = strchr(item, '=');
        if (!strncmp(item, "menu=", 5))
            good = parse_on_off(value + 1, &o->boot_menu, "-boot menu", err);
        else if (value && strncmp(item, "order=", 6) && strncmp(item, "once=", 5))
            good = error_set(err, "-boot %s: order=LETTERS or menu=on", item);
        else {
            const char *order = value ? value + 1 : item;
            if (!*order || order[strspn(order, "acdn")])
                good = error_set(
                    err, "-boot %s: letters of a (floppy), c (disk), d (CD), n (network)", order);
            else
                set_string(&o->boot, order);
        }
    }
    free(copy);
    return good;
}

static bool opt_snapshot(struct options *o, const char *arg, struct error *err)
{
    (void)arg, (void)err;
    return o->snapshot = true;
}

static bool opt_kernel(struct options *o, const char *arg, struct error *err)
{
    (void)err;
    set_string(&o->kernel, arg);
    return true;
}

static bool opt_initrd(struct options *o, const char *arg, struct error *err)
{
    (void)err;
    set_string(&o->initrd, arg);
    return true;
}

static bool opt_append(struct options *o, const char *arg, struct error *err)
{
    (void)err;
    set_string(&o->append, arg);
    return true;
}

static bool opt_bios(struct options *o, const char *arg, struct error *err)
{
    (void)err;
    set_string(&o->bios, arg);
    return true;
}

static bool opt_serial(struct options *o, const char *arg, struct error *err)
{
    if (o->serial_count == MAX_SERIALS)
        return error_set(err, "-serial %s: there are only %d serial ports", arg, MAX_SERIALS);
    set_string(&o->serial[o->serial_count++], arg);
    return true;
}

static bool opt_debugcon(struct options *o, const char *arg, struct error *err)
{
    (void)err;
    set_string(&o->debugcon, arg);
    return true;
}

static bool opt_monitor(struct options *o, const char *arg, struct error *err)
{
    (void)err;
    set_string(&o->monitor, arg);
    return true;
}

static bool opt_symbols(struct options *o, const char *arg, struct error *err)
{
    if (o->symbols_count == MAX_SYMBOLS)
        return error_set(err, "-symbols %s: only %d files", arg, MAX_SYMBOLS);
    set_string(&o->symbols[o->symbols_count++], arg);
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

static bool opt_gdb(struct options *o, const char *arg, struct error *err)
{
    (void)err;
    set_string(&o->gdb, arg);
    return true;
}

static bool opt_gdb_usual(struct options *o, const char *arg, struct error *err)
{
    (void)arg;
    return opt_gdb(o, "tcp:127.0.0.1:1234", err);
}

static bool opt_magic_break(struct options *o, const char *arg, struct error *err)
{
    (void)arg, (void)err;
    return o->magic_break = true;
}

static bool opt_start_paused(struct options *o, const char *arg, struct error *err)
{
    (void)arg, (void)err;
    return o->start_paused = true;
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

static bool opt_no_reboot(struct options *o, const char *arg, struct error *err)
{
    (void)arg, (void)err;
    return o->no_reboot = true;
}

static bool opt_no_shutdown(struct options *o, const char *arg, struct error *err)
{
    (void)arg, (void)err;
    return o->no_shutdown = true;
}

static bool opt_name(struct options *o, const char *arg, struct error *err)
{
    (void)err;
    set_string(&o->name, arg);
    return true;
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

static bool opt_screenshot(struct options *o, const char *arg, struct error *err)
{
    (void)err;
    set_string(&o->screenshot, arg);
    return true;
}

static bool opt_clock(struct options *o, const char *arg, struct error *err)
{
    if (!strcmp(arg, "host"))
        o->clock = CLOCK_HOST;
    else if (!strncmp(arg, "icount", 6) &&
             (!arg[6] || (arg[6] == ',' && !strncmp(arg + 7, "shift=", 6)))) {
        u64 shift = 3;
        if (arg[6] && !parse_number(arg + 13, 10, 10, &shift))
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
        (!strncmp(item, "iobase=", 7) && parse_number(item + 7, 0, 0xffff, &port) && port) ||
        (!strncmp(item, "iosize=", 7) && parse_number(item + 7, 0, 4, &size));
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
        set_string(&o->virtio_console, "stdio");
    while (good && (item = option_next_item(&list))) {
        if (console && !strncmp(item, "chardev=", 8))
            set_string(&o->virtio_console, item + 8);
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

static bool opt_loadvm(struct options *o, const char *arg, struct error *err)
{
    (void)err;
    set_string(&o->loadvm, arg);
    return true;
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
            good = parse_on_off(item + 7, &on, "-machine vmport", err);
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

static bool opt_explain(struct options *o, const char *arg, struct error *err)
{
    (void)arg, (void)err;
    return o->explain = true;
}

static bool opt_codecache(struct options *o, const char *arg, struct error *err)
{
    u64 mib;
    if (!parse_number(arg, 10, 256, &mib) || !mib)
        return error_set(err, "-codecache %s: 1 to 256 MiB", arg);
    o->code_cache = mib << 20;
    return true;
}

static bool opt_stress_windows(struct options *o, const char *arg, struct error *err)
{
    if (!parse_number(arg, 10, UINT64_MAX, &o->stress_windows) || !o->stress_windows)
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

static bool opt_debug(struct options *o, const char *arg, struct error *err)
{
    (void)err;
    set_string(&o->debug, arg);
    return true;
}

static bool opt_debug_file(struct options *o, const char *arg, struct error *err)
{
    (void)err;
    set_string(&o->debug_file, arg);
    return true;
}

static bool opt_debug_filter(struct options *o, const char *arg, struct error *err)
{
    (void)err;
    set_string(&o->debug_filter, arg);
    return true;
}

static bool opt_trace(struct options *o, const char *arg, struct error *err)
{
    (void)err;
    set_string(&o->trace, arg);
    return true;
}

static bool opt_profile(struct options *o, const char *arg, struct error *err)
{
    (void)err;
    set_string(&o->profile, arg);
    return true;
}

static bool opt_strict(struct options *o, const char *arg, struct error *err)
{
    (void)arg, (void)err;
    return o->strict = true;
}

static bool opt_limit(struct options *o, const char *arg, struct error *err)
{
    if (!parse_number(arg, 10, UINT64_MAX, &o->limit) || !o->limit)
        return error_set(err, "-limit %s: a number of instructions", arg);
    return true;
}

static bool opt_help(struct options *o, const char *arg, struct error *err)
{
    (void)arg, (void)err;
    return o->help = true;
}

static bool opt_version(struct options *o, const char *arg, struct error *err)
{
    (void)arg, (void)err;
    return o->version = true;
}

struct option {
    const char *name; /* without the dash */
    const char *arg;  /* how the argument is shown; NULL: none */
    const char *help; /* one line; NULL: not shown */
    bool (*set)(struct options *o, const char *arg, struct error *err);
};

static const struct option option_table[] = {
    {"m", "SIZE", "guest memory: 512, 512M, 2G (default 512M)", opt_memory},
    {"cpu", "MODEL", "CPU model: prescient32 (P6 family with SSE2)", opt_cpu},
    {"hda", "FILE", "disk image of the first IDE drive (also: a bare FILE)", opt_hda},
    {"hdb", "FILE", "the second", opt_hdb},
    {"hdc", "FILE", "the third (the place that -cdrom takes)", opt_hdc},
    {"hdd", "FILE", "the fourth", opt_hdd},
    {"cdrom", "FILE", "CD image in an ATAPI drive", opt_cdrom},
    {"fda", "FILE", "floppy image", opt_fda},
    {"fdb", "FILE", "floppy image of the second drive", opt_fdb},
    {"drive",
     "file=FILE[,format=raw|qcow2][,if=ide|floppy|virtio][,media=disk|cdrom][,index=N][,snapshot="
     "on][,"
     "readonly="
     "on]",
     "any drive", opt_drive},
    {"snapshot", NULL, "write to temporary files, never to the images", opt_snapshot},
    {"boot", "[order=]acdn[,menu=on]", "boot order: a floppy, c disk, d CD, n network", opt_boot},
    {"kernel", "FILE", "boot this Linux bzImage or multiboot ELF", opt_kernel},
    {"initrd", "FILE", "its initial RAM disk, or multiboot modules", opt_initrd},
    {"append", "TEXT", "its command line", opt_append},
    {"bios", "FILE", "firmware (default: Debian's SeaBIOS)", opt_bios},
    {"serial", "stdio|file:PATH|unix:PATH|pty|null|none",
     "where a serial port goes (twice for two)", opt_serial},
    {"debugcon", "CHARDEV", "where ports 0xE9 and 0x402 go", opt_debugcon},
    {"monitor", "stdio|unix:PATH|tcp:127.0.0.1:PORT|none",
     "where the monitor listens (with -nographic it is on Ctrl-A c)", opt_monitor},
    {"gdb", "unix:PATH|tcp:127.0.0.1:PORT|none", "where gdb can connect", opt_gdb},
    {"s", NULL, "the same as -gdb tcp:127.0.0.1:1234", opt_gdb_usual},
    {"magic-break", NULL, "stop at XCHG BX,BX", opt_magic_break},
    {"S", NULL, "do not start until the monitor or gdb says so", opt_start_paused},
    {"symbols", "FILE[@ADDR]", "names of guest addresses: an ELF file or a System.map",
     opt_symbols},
    {"on", "exception=N[,N...]|triple-fault=stop|reset|exit|strict=stop",
     "events that stop the machine", opt_on},
    {"nographic", NULL, "no window; serial console in this terminal, Ctrl-A x to quit",
     opt_nographic},
    {"display", "none|sdl[,grab=KEYS][,scale=smooth|integer][,full-screen=on][,status=off]",
     "window (grab=ctrl-alt-g: its keys), or none", opt_display},
    {"name", "TEXT", "the guest's name, in the window title", opt_name},
    {"rtc", "base=utc|localtime|DATE", "what the real-time clock shows at start", opt_rtc},
    {"clock", "host|icount[,shift=N]",
     "virtual time: the host's, or counted in instructions (repeatable)", opt_clock},
    {"device", "isa-debug-exit[,iobase=PORT]|virtio-rng-pci|virtio-balloon-pci|virtio-console",
     "a port that ends the program with status (value << 1) | 1, or a virtual device; "
     "virtio-console takes chardev=CHARDEV",
     opt_device},
    {"nic", "none|user|unix|socket|tap[,KEY=VALUE]...",
     "network card: model, mac, pcap; user: hostfwd, tftp, bootfile, restrict; unix: local, "
     "remote; tap: ifname",
     opt_nic},
    {"machine", "pc[,vmport=off]", "i440FX + PIIX3; with VMware's backdoor port or not",
     opt_machine},
    {"M", "pc", NULL, opt_machine},
    {"engine", "interp|checked|direct|auto", "how guest code runs", opt_engine},
    {"explain", NULL, "tell on standard error why each exception happened", opt_explain},
    {"codecache", "MIB", "memory for translated code (default 32)", opt_codecache},
    {"stress-windows", "SEED", "lose what direct windows map at random, which no guest must notice",
     opt_stress_windows},
    {"verify", NULL, "run each translated block beside the interpreter, stop where they differ",
     opt_verify},
    {"d", "ITEM[,ITEM...]", "log in_asm, op, out_asm, exec, int, mmu, cpu, translate, guest_errors",
     opt_debug},
    {"D", "FILE", "where -d and -verify write (default: standard error)", opt_debug_file},
    {"dfilter", "FIRST..LAST|FIRST+SIZE[,...]", "only code at these addresses in the log",
     opt_debug_filter},
    {"trace", "FILE[,insn][,mem][,int][,io][,mmio][,call][,range=A..B][,cr3=A][,cpl=N]",
     "write what the guest does to a file, for prescient trace", opt_trace},
    {"profile", "FILE[,period=MICROSECONDS]", "sample where the guest's time goes", opt_profile},
    {"strict", NULL, "tell what hardware tolerates or leaves undefined", opt_strict},
    {"limit", "N", "stop after N guest instructions", opt_limit},
    {"loadvm", "NAME", "start from a snapshot (NAME.snap here, or a path)", opt_loadvm},
    {"screenshot", "FILE.png", "save the screen at exit, and on SIGUSR1", opt_screenshot},
    {"no-reboot", NULL, "a guest reset ends the program", opt_no_reboot},
    {"no-shutdown", NULL, "a guest power-off stops the machine but keeps the window",
     opt_no_shutdown},
    {"version", NULL, "print the version", opt_version},
    {"help", NULL, "print this", opt_help},
    {"h", NULL, NULL, opt_help},
};

static const struct option *option_find(const char *name)
{
    for (size_t n = 0; n < ARRAY_LEN(option_table); n++) {
        if (!strcmp(option_table[n].name, name))
            return &option_table[n];
    }
    return NULL;
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
            if (!disk_at(o, name, 0, err))
                return false;
            continue;
        }
        name += name[1] == '-' ? 2 : 1;
        const struct option *option = option_find(name);
        if (!option)
            return error_set(err, "unknown option %s; -help lists them", argv[n]);
        if (option->arg && n + 1 == argc)
            return error_set(err, "%s wants an argument: %s", argv[n], option->arg);
        if (!option->set(o, option->arg ? argv[++n] : NULL, err))
            return false;
    }
    if ((o->initrd || o->append) && !o->kernel)
        return error_set(err, "-initrd and -append go with -kernel");
    return true;
}

void options_free(struct options *o)
{
    for (unsigned n = 0; n < o->drive_count; n++) {
        free(o->drive[n].file);
        free(o->drive[n].format);
    }
    for (unsigned n = 0; n < o->symbols_count; n++)
        free(o->symbols[n]);
    free(o->gdb);
    for (unsigned n = 0; n < o->nic_count; n++)
        nic_option_free(&o->nic[n]);
    char *texts[] = {o->debug,          o->debug_file, o->debug_filter, o->cpu,    o->boot,
                     o->kernel,         o->initrd,     o->append,       o->bios,   o->serial[0],
                     o->serial[1],      o->debugcon,   o->monitor,      o->name,   o->screenshot,
                     o->virtio_console, o->loadvm,     o->trace,        o->profile};
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
