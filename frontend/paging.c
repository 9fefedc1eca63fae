/* Every page that the guest's tables map: 32-bit tables, large pages, PAE (SDM vol. 3, chapter 4).
 */
/* SPDX-License-Identifier: MIT */
#include "frontend/paging.h"

enum { ENTRY_P = 1, ENTRY_W = 2, ENTRY_U = 4, ENTRY_PS = 0x80, ENTRY_G = 0x100 };
#define ENTRY_NX   BIT64(63)
#define ADDRESS_PA 0x000ffffffffff000ull

struct visit {
    struct cpu *cpu;                                        /* whose tables */
    void (*fn)(void *opaque, const struct page_leaf *leaf); /* told of each page */
    void *opaque;                                           /* its argument */
    unsigned entry_size;                                    /* 4, PAE: 8 */
    struct page_leaf leaf;                                  /* rights of the levels above */
};

/* Entry n of a table in RAM; 0 where there is no memory. */
static u64 entry_at(const struct visit *v, u64 table, unsigned n)
{
    u64 pa = table + n * v->entry_size;
    struct phys_page p = physmem_page(v->cpu->mem, pa & PAGE_MASK);
    if (!p.host)
        return 0;
    const u8 *at = p.host + (pa & ~PAGE_MASK);
    return v->entry_size == 8 ? load_le64(at) : load_le32(at);
}

static void narrow(struct page_leaf *leaf, u64 entry)
{
    leaf->user &= (entry & ENTRY_U) != 0;
    leaf->writable &= (entry & ENTRY_W) != 0;
    leaf->exec &= !(entry & ENTRY_NX);
}

static void tell(struct visit *v, struct page_leaf leaf, u64 entry, u64 entry_pa, u64 size)
{
    narrow(&leaf, entry);
    leaf.entry = entry;
    leaf.entry_pa = entry_pa;
    leaf.size = size;
    leaf.pa = entry & ADDRESS_PA & ~(size - 1);
    if (v->entry_size == 4 && size > PAGE_SIZE) /* PSE-36 */
        leaf.pa = (entry & 0xffc00000) | (entry >> 13 & 0xff) << 32;
    leaf.global = (entry & ENTRY_G) && (v->cpu->cr4 & CR4_PGE);
    v->fn(v->opaque, &leaf);
}

static void visit_table(struct visit *v, const struct page_leaf *above, u64 table)
{
    struct page_leaf leaf = *above;
    for (unsigned n = 0; n < PAGE_SIZE / v->entry_size; n++, leaf.lin += PAGE_SIZE) {
        u64 entry = entry_at(v, table, n);
        if (entry & ENTRY_P)
            tell(v, leaf, entry, table + n * v->entry_size, PAGE_SIZE);
    }
}

static void visit_directory(struct visit *v, u64 table, u64 lin)
{
    u64 span = (u64)PAGE_SIZE * (PAGE_SIZE / v->entry_size);
    bool large = v->entry_size == 8 || (v->cpu->cr4 & CR4_PSE);
    for (unsigned n = 0; n < PAGE_SIZE / v->entry_size; n++, lin += span) {
        struct page_leaf leaf = {.lin = lin, .user = true, .writable = true, .exec = true};
        u64 entry = entry_at(v, table, n);
        if (!(entry & ENTRY_P))
            continue;
        if (large && (entry & ENTRY_PS)) {
            tell(v, leaf, entry, table + n * v->entry_size, span);
            continue;
        }
        narrow(&leaf, entry);
        visit_table(v, &leaf, entry & ADDRESS_PA);
    }
}

void paging_each(struct cpu *cpu, void (*fn)(void *opaque, const struct page_leaf *leaf),
                 void *opaque)
{
    struct visit v = {.cpu = cpu, .fn = fn, .opaque = opaque, .entry_size = 4};
    if (!(cpu->cr0 & CR0_PG))
        return;
    if (!(cpu->cr4 & CR4_PAE)) {
        visit_directory(&v, cpu->cr3 & 0xfffff000, 0);
        return;
    }
    v.entry_size = 8;
    for (unsigned n = 0; n < 4; n++)
        if (cpu->walk.pdpte[n] & ENTRY_P)
            visit_directory(&v, cpu->walk.pdpte[n] & ADDRESS_PA, (u64)n << 30);
}
