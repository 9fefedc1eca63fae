/* Monitor commands about the machine as a whole: reset, power, keys, screen, memory map. */
/* SPDX-License-Identifier: MIT */
#include <inttypes.h>
#include <string.h>

#include "config.h"
#include "frontend/command.h"
#include "frontend/keys.h"
#include "frontend/screenshot.h"
#include "hw/pc.h"

enum { WORD_MAX = 512, KEYS_MAX = 8 };

void command_quit(struct monitor *mon, const char *args, struct text *out)
{
    if (arg_end(args, out))
        machine_quit(mon->m, 0);
}

void command_system_reset(struct monitor *mon, const char *args, struct text *out)
{
    if (arg_end(args, out))
        machine_reset(mon->m);
}

void command_system_powerdown(struct monitor *mon, const char *args, struct text *out)
{
    if (arg_end(args, out))
        pc_power_button(machine_pc(mon->m));
}

void command_sendkey(struct monitor *mon, const char *args, struct text *out)
{
    char word[WORD_MAX];
    unsigned usage[KEYS_MAX], count = 0;
    if (!arg_word(&args, word, sizeof word) || !arg_end(args, out)) {
        text_add(out, "which key? as in a, f1, ctrl-alt-delete\n");
        return;
    }
    for (const char *at = word; *at && count < KEYS_MAX;) {
        size_t len = strcspn(at, "-");
        usage[count] = key_usage(at, len);
        if (!usage[count++]) {
            text_add(out, "there is no key \"%.*s\"\n", (int)len, at);
            return;
        }
        at += len + (at[len] == '-');
    }
    for (unsigned n = 0; n < count; n++)
        pc_key(machine_pc(mon->m), usage[n], true);
    while (count)
        pc_key(machine_pc(mon->m), usage[--count], false);
}

void command_screendump(struct monitor *mon, const char *args, struct text *out)
{
    struct error err = {0};
    char path[WORD_MAX];
    if (!arg_word(&args, path, sizeof path))
        text_add(out, "which file?\n");
    else if (!screenshot_save(pc_vga(machine_pc(mon->m)), path, &err))
        text_add(out, "%s\n", err.text);
}

static void add_range(void *opaque, u64 base, u64 size, enum phys_kind kind, const char *name)
{
    static const char *const kinds[] = {"-", "RAM", "ROM", "MMIO"};
    text_add(opaque, "%09" PRIx64 "-%09" PRIx64 " %-4s %s\n", base, base + size - 1, kinds[kind],
             name);
}

void command_info_mtree(struct monitor *mon, const char *args, struct text *out)
{
    (void)args;
    physmem_walk(mon->cpu->mem, add_range, out);
}

void command_info_version(struct monitor *mon, const char *args, struct text *out)
{
    (void)mon, (void)args;
    text_add(out, "prescient " PRESCIENT_VERSION "\n");
}
