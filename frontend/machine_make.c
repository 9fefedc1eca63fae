/* Building a machine from the command line's options, and taking it apart. */
/* SPDX-License-Identifier: MIT */
#include "frontend/machine_internal.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cpu/breakpoint.h"
#include "cpu/interp.h"
#include "frontend/screenshot.h"
#include "frontend/snapshot.h"
#include "frontend/trace.h"
#include "hw/floppy.h"
#include "translate/engine.h"

enum { TSC_HZ = 1000000000 };
#define HOLE_START (3584ull << 20) /* RAM above 3.5 GiB moves behind 4 GiB */

static void on_reset(void *opaque)
{
    machine_reset(opaque);
}

static void on_power_off(void *opaque)
{
    struct machine *m = opaque;
    m->off = m->options->no_shutdown;
    if (!m->off)
        machine_quit(m, 0);
    cpu_attention(m->cpu, ATTENTION_KICK);
}

static void on_debug_exit(void *opaque, int status)
{
    machine_quit(opaque, status);
}

static void on_place_kernel(void *opaque, u32 block)
{
    struct machine *m = opaque;
    if (boot_image_place(&m->boot, m->mem, block, &m->err))
        return;
    log_line(NULL, "%s", m->err.text);
    machine_quit(m, 1);
}

/* The monitor, and with it the CPU's debugger. */
static struct monitor *ensure_monitor(struct machine *m)
{
    if (!m->monitor) {
        debugger_init(m->cpu);
        m->cpu->debugger->exceptions = m->events.exceptions;
        m->cpu->debugger->stop_at_found = m->events.strict;
        m->cpu->debugger->magic = m->options->magic_break;
        debugger_changed(m->cpu);
        m->monitor = monitor_new(m, m->options);
    }
    return m->monitor;
}

static void on_escape(void *opaque, char key)
{
    struct machine *m = opaque;
    struct error err = {0};
    if (key == 'x')
        machine_quit(m, 0);
    if (key != 'c')
        return;
    if (!monitor_load_symbols(ensure_monitor(m), &err))
        log_line(NULL, "%s", err.text);
    for (unsigned n = 0; n < MAX_SERIALS; n++)
        if (m->chardev[n] && chardev_is_terminal(m->chardev[n]))
            monitor_toggle_console(m->monitor, m->chardev[n]);
}

/* The monitor and gdb, when they are asked for. */
static bool open_debuggers(struct machine *m, struct error *err)
{
    const struct options *o = m->options;
    m->events = o->events;
    bool monitor = o->monitor && strcmp(o->monitor, "none");
    if (!monitor && !o->gdb && !o->magic_break && !o->start_paused && !o->events.exceptions &&
        !o->events.triple && !listeners_wanted(o) && !o->debug && !o->explain && !o->symbols_count)
        return true;
    if (!monitor_load_symbols(ensure_monitor(m), err))
        return false;
    if (o->debug)
        trace_set_symbols(m->trace, monitor_symbols(m->monitor));
    if (monitor) {
        if (!(m->chardev[CHARDEV_MONITOR] = chardev_listen(o->monitor, err)))
            return false;
        monitor_attach(m->monitor, m->chardev[CHARDEV_MONITOR]);
        chardev_on_escape(m->chardev[CHARDEV_MONITOR], on_escape, m);
    }
    if (o->gdb && strcmp(o->gdb, "none")) {
        if (!(m->chardev[CHARDEV_GDB] = chardev_listen(o->gdb, err)))
            return false;
        m->gdb = gdbstub_new(m, m->monitor, m->chardev[CHARDEV_GDB]);
    }
    return listeners_open(&m->listeners, m->monitor, o, err);
}

static bool open_chardevs(struct machine *m, struct pc_config *config, struct error *err)
{
    const struct options *o = m->options;
    for (unsigned n = 0; n <= CHARDEV_CONSOLE; n++) {
        const char *spec = n == CHARDEV_CONSOLE    ? o->virtio_console
                           : n == CHARDEV_DEBUGCON ? o->debugcon
                                                   : o->serial[n];
        if (!spec && n == 0)
            spec = o->nographic ? "stdio" : "null";
        if (!spec || !strcmp(spec, "none"))
            continue;
        m->chardev[n] = chardev_open(spec, err);
        if (!m->chardev[n])
            return false;
        chardev_on_escape(m->chardev[n], on_escape, m);
        if (n < MAX_SERIALS)
            config->serial[n] = m->chardev[n];
        else if (n == CHARDEV_DEBUGCON)
            config->debugcon = m->chardev[n];
        else
            config->virtio_console = m->chardev[n];
    }
    return true;
}

/* A floppy disk's image has whole sectors, and not too many. */
static bool floppy_fits(const struct drive_option *d, const struct image *image, struct error *err)
{
    struct stat st;
    bool raw = !d->format || !strcmp(d->format, "raw");
    if (raw && !stat(d->file, &st) && S_ISREG(st.st_mode) && st.st_size % SECTOR_SIZE)
        return error_set(err, "%s: not a floppy image: its size is no multiple of 512 bytes",
                         d->file);
    return floppy_format_of(image->sectors, d->file, err);
}

static bool open_drives(struct machine *m, struct pc_config *config, struct error *err)
{
    const struct options *o = m->options;
    for (unsigned n = 0; n < o->drive_count; n++) {
        const struct drive_option *d = &o->drive[n];
        unsigned flags =
            (d->readonly ? IMAGE_READ_ONLY : 0) | (d->snapshot || o->snapshot ? IMAGE_SNAPSHOT : 0);
        if (d->file && !(m->image[n] = image_open(d->file, d->format, flags, err)))
            return false;
        struct pc_drive *to = d->bus == DRIVE_FLOPPY   ? config->floppy
                              : d->bus == DRIVE_VIRTIO ? config->virtio_disk
                                                       : config->ide;
        to[d->index] = (struct pc_drive){true, d->cdrom, m->image[n]};
        if (d->bus == DRIVE_FLOPPY && d->file && !floppy_fits(d, m->image[n], err))
            return false;
    }
    return true;
}

/* The guest runs on while its disks work, unless it is to do so at the same instruction each time.
 */
static void start_disk_threads(struct machine *m, const struct pc_config *config)
{
    struct image *const images[] = {
        config->ide[0].image,         config->ide[1].image,         config->ide[2].image,
        config->ide[3].image,         config->virtio_disk[0].image, config->virtio_disk[1].image,
        config->virtio_disk[2].image, config->virtio_disk[3].image,
    };
    for (unsigned n = 0; n < ARRAY_LEN(images); n++) {
        if (images[n] && m->options->clock == CLOCK_HOST)
            image_start_worker(images[n], machine_post_call, m);
    }
}

static bool open_firmware(struct machine *m, struct pc_config *config, struct error *err)
{
    const struct options *o = m->options;
    if (!firmware_read(&m->bios, o->bios ? o->bios : "bios-256k.bin", err) ||
        !firmware_read(&m->vga_bios, "vgabios-stdvga.bin", err))
        return false;
    if (m->bios.size % 65536 || m->bios.size > 16 << 20)
        return error_set(err, "firmware %s: its size is not a multiple of 64 KiB up to 16 MiB",
                         o->bios);
    if (firmware_read(&m->dsdt, "acpi-dsdt.aml", NULL))
        config->dsdt = m->dsdt.data, config->dsdt_size = m->dsdt.size;
    config->bios = m->bios.data, config->bios_size = m->bios.size;
    config->vga_bios = m->vga_bios.data, config->vga_bios_size = m->vga_bios.size;
    if (!o->kernel)
        return true;
    if (!boot_image_open(&m->boot, o->kernel, o->initrd, o->append, err) ||
        !data_file_read(&m->boot_rom, "boot.bin", err))
        return false;
    config->boot_rom = m->boot_rom.data, config->boot_rom_size = m->boot_rom.size;
    return true;
}

static s64 rtc_epoch(const struct options *o)
{
    time_t now = time(NULL);
    struct tm tm;
    if (o->rtc_start >= 0)
        return o->rtc_start;
    if (o->rtc_localtime && localtime_r(&now, &tm))
        return (s64)now + tm.tm_gmtoff;
    return (s64)now;
}

static void on_difference(void *opaque)
{
    machine_quit(opaque, 1);
}

/* By default, the interpreter has to do where the host cannot run translated code. */
static bool add_translator(struct machine *m, struct error *err)
{
    const struct options *o = m->options;
    static const enum translate_tier tier[] = {[ENGINE_DEFAULT] = TRANSLATE_AUTO,
                                               [ENGINE_CHECKED] = TRANSLATE_CHECKED,
                                               [ENGINE_DIRECT] = TRANSLATE_DIRECT,
                                               [ENGINE_AUTO] = TRANSLATE_AUTO};
    if (o->engine == ENGINE_INTERP)
        return true;
    if (!translate_init(m->cpu, o->code_cache, tier[o->engine], err)) {
        if (o->engine != ENGINE_DEFAULT)
            return false;
        log_line(NULL, "interpreting: %s", err->text);
        return true;
    }
    if (o->limit || o->clock == CLOCK_ICOUNT)
        translate_count(m->cpu);
    if (o->stress_windows)
        translate_stress_windows(m->cpu, o->stress_windows);
    return true;
}

static bool create(struct machine *m, struct error *err)
{
    const struct options *o = m->options;
    u64 low = o->ram_size < HOLE_START ? o->ram_size : HOLE_START;
    struct pc_config config = {.boot_order = o->boot ? o->boot : "cda",
                               .boot_menu = o->boot_menu,
                               .text_port = o->nographic ? 0x3f8 : 0,
                               .no_vmport = o->no_vmport,
                               .rtc_epoch = rtc_epoch(o),
                               .debug_exit_port = o->debug_exit ? o->debug_exit_port : 0,
                               .virtio_rng = o->virtio_rng,
                               .virtio_balloon = o->virtio_balloon,
                               .opaque = m,
                               .reset = on_reset,
                               .power_off = on_power_off,
                               .debug_exit = on_debug_exit,
                               .place_kernel = on_place_kernel};
    if (o->screenshot && !screenshot_possible(o->screenshot, err))
        return false;
    if (!open_firmware(m, &config, err) || !open_drives(m, &config, err))
        return false;
    m->mem = physmem_new(low, o->ram_size - low, &m->log, err);
    if (!m->mem)
        return false;
    m->cpu = cpu_new(m->mem, &m->clock, &m->log);
    m->cpu->tsc_hz = TSC_HZ;
    m->cpu->explain = o->explain;
    interp_init(m->cpu);
    if (!add_translator(m, err))
        return false;
    if (!trace_new(&m->trace, m->cpu, o, on_difference, m, err))
        return false;
    if (!open_chardevs(m, &config, err) ||
        !nics_open(&m->nics, o, &config, machine_post_call, m, err))
        return false;
    m->board = (struct board){
        .clock = &m->clock, .io = ioports_new(&m->log), .mem = m->mem, .log = &m->log, .err = err};
    m->pc = pc_create(&m->board, m->cpu, &config);
    if (!m->pc)
        return false;
    for (unsigned n = 0; n < o->drive_count; n++)
        m->disk[n] = o->drive[n].cdrom ? NULL : m->image[n];
    memset(m->image, 0, sizeof m->image); /* the board owns them now */
    start_disk_threads(m, &config);
    board_reset(&m->board);
    cpu_reset(m->cpu);
    return open_debuggers(m, err) && (!o->loadvm || snapshot_load(m, o->loadvm, err));
}

struct machine *machine_new(const struct options *options, struct error *err)
{
    struct machine *m = xcalloc(1, sizeof *m);
    m->options = options;
    m->paused = true;
    machine_open_thread(m);
    if (create(m, err))
        return m;
    machine_free(m);
    return NULL;
}

void machine_free(struct machine *m)
{
    machine_settle(m);
    listeners_close(&m->listeners);
    gdbstub_free(m->gdb);
    monitor_free(m->monitor);
    board_destroy(&m->board);
    pc_free(m->pc);
    trace_free(m->trace);
    if (m->cpu) {
        translate_free(m->cpu);
        interp_free(m->cpu);
        cpu_free(m->cpu);
    }
    ioports_free(m->board.io);
    if (m->mem)
        physmem_free(m->mem);
    for (unsigned n = 0; n < MAX_DRIVES; n++)
        image_close(m->image[n]);
    for (unsigned n = 0; n < MAX_CHARDEVS; n++)
        chardev_close(m->chardev[n]);
    nics_close(&m->nics);
    machine_settle(m); /* of threads that are gone by now */
    blob_free(&m->bios);
    blob_free(&m->vga_bios);
    blob_free(&m->boot_rom);
    blob_free(&m->dsdt);
    boot_image_free(&m->boot);
    machine_close_thread(m);
    free(m);
}
