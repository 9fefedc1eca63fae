/* Monitor commands about the machine as a whole: reset, power, keys, screen, memory map. */
/* SPDX-License-Identifier: MIT */
#include <inttypes.h>
#include <string.h>

#include "config.h"
#include "frontend/command.h"
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

/* USB HID usage of a key by QEMU's name; 0: there is none. */
static unsigned key_usage(const char *name, size_t len)
{
    static const struct {
        const char *name; /* QEMU's */
        u8 usage;         /* USB HID, page 7 */
    } keys[] = {{"ret", 0x28},          {"kp_enter", 0x58},
                {"esc", 0x29},          {"backspace", 0x2a},
                {"tab", 0x2b},          {"spc", 0x2c},
                {"minus", 0x2d},        {"equal", 0x2e},
                {"bracket_left", 0x2f}, {"bracket_right", 0x30},
                {"backslash", 0x31},    {"semicolon", 0x33},
                {"apostrophe", 0x34},   {"grave_accent", 0x35},
                {"comma", 0x36},        {"dot", 0x37},
                {"slash", 0x38},        {"caps_lock", 0x39},
                {"f1", 0x3a},           {"f2", 0x3b},
                {"f3", 0x3c},           {"f4", 0x3d},
                {"f5", 0x3e},           {"f6", 0x3f},
                {"f7", 0x40},           {"f8", 0x41},
                {"f9", 0x42},           {"f10", 0x43},
                {"f11", 0x44},          {"f12", 0x45},
                {"print", 0x46},        {"scroll_lock", 0x47},
                {"pause", 0x48},        {"insert", 0x49},
                {"home", 0x4a},         {"pgup", 0x4b},
                {"delete", 0x4c},       {"end", 0x4d},
                {"pgdn", 0x4e},         {"right", 0x4f},
                {"left", 0x50},         {"down", 0x51},
                {"up", 0x52},           {"num_lock", 0x53},
                {"menu", 0x65},         {"ctrl", 0xe0},
                {"shift", 0xe1},        {"alt", 0xe2},
                {"meta_l", 0xe3},       {"ctrl_r", 0xe4},
                {"shift_r", 0xe5},      {"alt_r", 0xe6},
                {"meta_r", 0xe7}};
    if (len == 1 && name[0] >= 'a' && name[0] <= 'z')
        return 0x04u + (unsigned)(name[0] - 'a');
    if (len == 1 && name[0] >= '1' && name[0] <= '9')
        return 0x1eu + (unsigned)(name[0] - '1');
    if (len == 1 && name[0] == '0')
        return 0x27;
    for (unsigned n = 0; n < ARRAY_LEN(keys); n++)
        if (strlen(keys[n].name) == len && !strncmp(keys[n].name, name, len))
            return keys[n].usage;
    return 0;
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
