/* The VMware backdoor port 5658h: the host's pointer as an absolute one, and the TSC's rate. */
/* SPDX-License-Identifier: MIT */
#ifndef HW_VMPORT_H
#define HW_VMPORT_H

#include "hw/ps2.h"

struct vmport;

enum { VMPORT = 0x5658 };

/* The guest's general registers: a call is IN EAX,DX, and changes several of them. */
struct vmport_regs {
    u32 eax; /* magic number; then the result */
    u32 ebx; /* argument */
    u32 ecx; /* command */
    u32 edx; /* port */
};

/* The mouse sends an empty packet for each event, by which the guest's driver knows that there is
 * one. tsc_hz: what the guest is told of its TSC. */
struct vmport *vmport_create(struct board *b, struct ps2_mouse *mouse, u64 tsc_hz);

/* A dword read of the port; false: not a call, the port is not there. */
bool vmport_call(struct vmport *p, struct vmport_regs *r);

/* Does a driver take absolute positions? */
bool vmport_is_absolute(const struct vmport *p);

/* The pointer is at x, y (0 to FFFFh: left to right, top to bottom) and its wheel turned by dz
 * towards the user; buttons as in ps2_mouse_move. */
void vmport_pointer(struct vmport *p, u16 x, u16 y, int dz, unsigned buttons);

#endif
