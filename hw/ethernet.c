/* What network cards have in common: address filters and the frame check sequence (IEEE 802.3). */
/* SPDX-License-Identifier: MIT */
#include "hw/ethernet.h"

#include "hw/image/deflate.h"

unsigned ethernet_hash(const u8 *address)
{
    u32 crc = ~crc32_add(0, address, 6);
    unsigned hash = 0;
    for (unsigned n = 0; n < 6; n++) /* its low bits, the first on the left */
        hash = hash << 1 | (crc >> n & 1);
    return hash;
}

u32 ethernet_fcs(const u8 *frame, u32 size)
{
    return crc32_add(0, frame, size);
}
