/* Paging (SDM vol. 3, 4.3): 4 KiB pages, the first 16 MiB mapped to themselves, and a region at
 * 256 MiB whose pages are made when they are touched. */
/* SPDX-License-Identifier: MIT */
#include <stddef.h>

#include "roms/demo/demo.h"

enum {
    PTE_P = 1,
    PTE_RW = 2,
    PAGE = 4096,
    ENTRIES = 1024,
    IDENTITY_TABLES = 4,
    DEMAND_START = 0x10000000,
    DEMAND_PAGES = 8,
    CR0_WP = 1 << 16,
};

#define CR0_PG 0x80000000u

static uint32_t directory[ENTRIES] __attribute__((aligned(4096)));
static uint32_t identity[IDENTITY_TABLES][ENTRIES] __attribute__((aligned(4096)));
static uint32_t demand[ENTRIES] __attribute__((aligned(4096)));
static uint8_t pool[DEMAND_PAGES][PAGE] __attribute__((aligned(4096)));

void paging_init(void)
{
    for (uint32_t t = 0; t < IDENTITY_TABLES; t++) {
        for (uint32_t i = 0; i < ENTRIES; i++)
            identity[t][i] = (t * ENTRIES + i) * PAGE | PTE_P | PTE_RW;
        directory[t] = (uint32_t)identity[t] | PTE_P | PTE_RW;
    }
    identity[0][0] = 0; /* so that a null pointer faults */
    directory[DEMAND_START >> 22] = (uint32_t)demand | PTE_P | PTE_RW;
    uint32_t cr0;
    __asm__ volatile("movl %1, %%cr3; movl %%cr0, %0" : "=r"(cr0) : "r"(directory) : "memory");
    __asm__ volatile("movl %0, %%cr0" : : "r"(cr0 | CR0_PG | CR0_WP) : "memory");
}

bool paging_fault(uint32_t address, const struct frame *f)
{
    print("  A %s of %08x in ring %u: %s.\n", f->error & 2 ? "write" : "read", address,
          f->error & 4 ? 3u : 0u, f->error & 1 ? "not allowed" : "no page there");
    uint32_t page = (address - DEMAND_START) / PAGE;
    if (f->error & 1 || page >= DEMAND_PAGES || kernel.pages_given == DEMAND_PAGES)
        return false;
    uint32_t frame = (uint32_t)pool[kernel.pages_given++];
    demand[page] = frame | PTE_P | PTE_RW;
    __asm__ volatile("invlpg (%0)" : : "r"(address) : "memory");
    print("  The handler maps physical page %08x there and lets the CPU try again.\n", frame);
    return true;
}
