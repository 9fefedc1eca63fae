/* What network cards have in common: address filters and the frame check sequence (IEEE 802.3). */
/* SPDX-License-Identifier: MIT */
#ifndef HW_ETHERNET_H
#define HW_ETHERNET_H

#include "cpu/base.h"

enum { ETHERNET_MIN = 60, ETHERNET_FCS = 4 }; /* bytes of a frame without FCS; of the FCS */

/* The six bits by which 8390-like cards look a group address up in their table of 64. */
unsigned ethernet_hash(const u8 *address);
/* The FCS as the four bytes on the wire, as a little-endian number. */
u32 ethernet_fcs(const u8 *frame, u32 size);

static inline bool ethernet_is_group(const u8 *address)
{
    return address[0] & 1;
}
static inline bool ethernet_is_broadcast(const u8 *a)
{
    return (a[0] & a[1] & a[2] & a[3] & a[4] & a[5]) == 0xff;
}

#endif
