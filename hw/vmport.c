/* The VMware backdoor port: version, TSC rate, and the absolute pointer (VMware's open-vm-tools,
 * backdoor_def.h and vmmouse_defs.h; Linux's vmmouse.c). */
/* SPDX-License-Identifier: MIT */
#include "hw/vmport.h"

#include <stdlib.h>
#include <string.h>

#include "hw/lapic.h"

#define MAGIC 0x564d5868u

/* Commands, in CX. */
enum {
    GETVERSION = 10,
    GETMEMSIZE = 20,
    ABSPOINTER_DATA = 39,
    ABSPOINTER_STATUS = 40,
    ABSPOINTER_COMMAND = 41,
    GETHZ = 45,
    ABSPOINTER_RESTRICT = 86
};
enum { VERSION = 6, PRODUCT_WORKSTATION = 4 };

/* Arguments of ABSPOINTER_COMMAND. */
enum {
    POINTER_ENABLE = 0x45414552,
    POINTER_DISABLE = 0xf5,
    POINTER_RELATIVE = 0x4c455252,
    POINTER_ABSOLUTE = 0x53424152
};
#define POINTER_VERSION 0x3442554au
#define STATUS_ERROR    0xffff0000u

/* Buttons in the first word of an event. */
enum { BUTTON_LEFT = 0x20, BUTTON_RIGHT = 0x10, BUTTON_MIDDLE = 0x08 };

enum { QUEUE = 256, EVENT_WORDS = 4 };

struct vmport {
    struct board *board;     /* memory size */
    struct ps2_mouse *mouse; /* announces events */
    u64 tsc_hz;              /* the TSC's rate */
    bool enabled;            /* the driver has asked for events */
    bool absolute;           /* as absolute positions */
    u32 buttons;             /* as the driver knows them */
    u32 count;               /* words in queue */
    u32 queue[QUEUE];        /* what ABSPOINTER_DATA is to return, oldest first */
};

static void set_enabled(struct vmport *p, bool enabled)
{
    p->enabled = enabled;
    p->absolute = false;
    p->count = 0;
    if (enabled)
        p->queue[p->count++] = POINTER_VERSION;
}

static void pointer_command(struct vmport *p, u32 command)
{
    switch (command) {
    case POINTER_ENABLE: set_enabled(p, true); break;
    case POINTER_DISABLE: set_enabled(p, false); break;
    case POINTER_RELATIVE: p->absolute = false; break;
    case POINTER_ABSOLUTE: p->absolute = p->enabled; break;
    default: log_once(p->board->log, command, "vmport: pointer command %#x", command);
    }
}

/* One to four words of the queue, in EAX, EBX, ECX, EDX. */
static void pointer_data(struct vmport *p, struct vmport_regs *r)
{
    u32 words = r->ebx, *const to[] = {&r->eax, &r->ebx, &r->ecx, &r->edx};
    if (!p->enabled || !words || words > EVENT_WORDS || words > p->count) {
        p->enabled = false; /* the driver starts afresh */
        r->eax = STATUS_ERROR;
        return;
    }
    for (u32 n = 0; n < words; n++)
        *to[n] = p->queue[n];
    p->count -= words;
    memmove(p->queue, p->queue + words, p->count * sizeof *p->queue);
}

bool vmport_call(struct vmport *p, struct vmport_regs *r)
{
    u32 command = r->ecx & 0xffff;
    if (r->eax != MAGIC)
        return false;
    switch (command) {
    case GETVERSION: *r = (struct vmport_regs){VERSION, MAGIC, PRODUCT_WORKSTATION, r->edx}; break;
    case GETMEMSIZE:
        r->eax = (u32)((physmem_low(p->board->mem) + physmem_high(p->board->mem)) >> 20);
        break;
    case GETHZ:
        r->eax = (u32)p->tsc_hz;
        r->ebx = (u32)(p->tsc_hz >> 32);
        r->ecx = LAPIC_BUS_HZ;
        break;
    case ABSPOINTER_STATUS: r->eax = p->enabled ? p->count : STATUS_ERROR; break;
    case ABSPOINTER_DATA: pointer_data(p, r); break;
    case ABSPOINTER_COMMAND: pointer_command(p, r->ebx); break;
    case ABSPOINTER_RESTRICT: break;
    default:
        log_once(p->board->log, (u64)VMPORT << 32 | command, "vmport: command %u", command);
        r->eax = UINT32_MAX;
    }
    return true;
}

bool vmport_is_absolute(const struct vmport *p)
{
    return p->enabled && p->absolute;
}

void vmport_pointer(struct vmport *p, u16 x, u16 y, int dz, unsigned buttons)
{
    u32 set = (buttons & PS2_BUTTON_LEFT ? BUTTON_LEFT : 0) |
              (buttons & PS2_BUTTON_RIGHT ? BUTTON_RIGHT : 0) |
              (buttons & PS2_BUTTON_MIDDLE ? BUTTON_MIDDLE : 0);
    u32 *at = &p->queue[p->count];
    if (!vmport_is_absolute(p))
        return;
    /* Movement alone replaces movement that nobody has taken yet; clicks need room of their own. */
    bool merge = p->count >= 2 * EVENT_WORDS && set == p->buttons && !dz &&
                 at[-2 * EVENT_WORDS] == at[-EVENT_WORDS];
    if (merge)
        at -= EVENT_WORDS;
    else if (p->count + EVENT_WORDS > QUEUE)
        return;
    else
        p->count += EVENT_WORDS;
    u32 wheel = merge ? at[3] : (u32)(dz < -128 ? -128 : dz > 127 ? 127 : dz);
    memcpy(at, (u32[EVENT_WORDS]){set, x, y, wheel}, EVENT_WORDS * sizeof *at);
    p->buttons = set;
    ps2_mouse_nudge(p->mouse);
}

static void vmport_reset(void *dev)
{
    struct vmport *p = dev;
    set_enabled(p, false);
    p->buttons = 0;
}

static void vmport_state(void *dev, struct state *s)
{
    struct vmport *p = dev;
    state_bool(s, "enabled", &p->enabled);
    state_bool(s, "absolute", &p->absolute);
    state_u32(s, "buttons", &p->buttons);
    state_u32(s, "count", &p->count);
    for (unsigned n = 0; n < QUEUE; n++) {
        char name[] = {'q', (char)('a' + n / 16), (char)('a' + n % 16), 0};
        state_u32(s, name, &p->queue[n]);
    }
    if (p->count > QUEUE) {
        state_fail(s, "vmport: too many words");
        vmport_reset(p);
    }
}

static void vmport_destroy(void *dev)
{
    free(dev);
}

static const struct device_ops vmport_ops = {"vmport", vmport_reset, vmport_state, vmport_destroy};

struct vmport *vmport_create(struct board *b, struct ps2_mouse *mouse, u64 tsc_hz)
{
    struct vmport *p = xcalloc(1, sizeof *p);
    *p = (struct vmport){.board = b, .mouse = mouse, .tsc_hz = tsc_hz};
    board_add(b, &vmport_ops, p);
    vmport_reset(p);
    return p;
}
