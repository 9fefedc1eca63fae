/* Guest-physical memory: RAM in one memfd, ROM, MMIO ranges; dirty, code and trace marks on RAM
 * pages. */
/* SPDX-License-Identifier: MIT */
#ifndef MMU_PHYSMEM_H
#define MMU_PHYSMEM_H

#include "cpu/base.h"
#include "mmu/code_page.h"

struct physmem;

/* offset is from the start of the range; size is 1, 2 or 4 (8-byte accesses come as two). */
struct mmio_ops {
    u32 (*read)(void *dev, u64 offset, unsigned size);              /* NULL: all ones */
    void (*write)(void *dev, u64 offset, u32 value, unsigned size); /* NULL: ignored */
};

/* Marks of a RAM page. A write to a page with PAGE_CODE or PAGE_TRACED calls physmem's write hook
 * first; the CPU may spare itself that where the page's struct code_page has no code. */
enum page_mark {
    PAGE_CODE = 1,        /* holds decoded code */
    PAGE_TRACED = 2,      /* a page table that a cached address space depends on */
    PAGE_TRANSLATED = 16, /* holds code that was translated */
    PAGE_ANY_CODE = PAGE_CODE | PAGE_TRANSLATED,
    /* not written since the display last looked: the first write clears the mark */
    PAGE_CLEAN_VGA = 4,
    PAGE_CLEAN_SAVE = 8 /* not written since the last snapshot or migration round */
};

enum phys_kind { PHYS_NONE, PHYS_RAM, PHYS_ROM, PHYS_MMIO };

/* The RAM: `low` bytes at 0 and `high` bytes at 4 GiB, multiples of 4 KiB; low <= 3.5 GiB. NULL
 * with *err set if the host refuses. */
struct physmem *physmem_new(u64 low, u64 high, struct log *log, struct error *err);
void physmem_free(struct physmem *pm);
u64 physmem_low(const struct physmem *pm);  /* bytes of RAM at 0 */
u64 physmem_high(const struct physmem *pm); /* bytes of RAM at 4 GiB */
/* The memfd: low RAM at offset 0, high RAM behind it, then extra RAM. */
int physmem_fd(const struct physmem *pm);

/* Adds other RAM (a frame buffer): memfd-backed, `size` a multiple of 4 KiB, not mapped until
 * physmem_map_ram. Returns its host address and, in *ram_offset, its place in the memfd. */
u8 *physmem_add_ram(struct physmem *pm, u64 size, const char *name, u64 *ram_offset,
                    struct error *err);

/* Ranges. Base and size are multiples of 4 KiB except for MMIO, where sub-page ranges are allowed.
 * Overlap with another range that was added (not with main RAM, which ranges cover) is an error. */
bool physmem_map_ram(struct physmem *pm, u64 base, u64 size, u64 ram_offset, const char *name,
                     struct error *err);
/* data stays the caller's and must outlive the range. */
bool physmem_map_rom(struct physmem *pm, u64 base, const u8 *data, u64 size, const char *name,
                     struct error *err);
bool physmem_map_mmio(struct physmem *pm, u64 base, u64 size, const struct mmio_ops *ops, void *dev,
                      const char *name, struct error *err);
/* removes ranges that lie wholly inside */
void physmem_unmap(struct physmem *pm, u64 base, u64 size);

/* Shadowing of a ROM region below 1 MiB by the RAM under it (i440FX PAM registers, SMRAM): where
 * reads and writes of [base, base + size) go. read_ram false: to the range that covers it (ROM,
 * VGA). */
void physmem_shadow(struct physmem *pm, u64 base, u64 size, bool read_ram, bool write_ram);

/* The A20 gate: when masked, bit 20 of every address that the CPU puts out is 0. */
void physmem_set_a20(struct physmem *pm, bool enabled);
bool physmem_a20(const struct physmem *pm);
/* The address that reaches the bus when the CPU puts out pa. */
u64 physmem_cpu_address(const struct physmem *pm, u64 pa);

/* What a change of the map leaves stale, beside TLBs. */
struct physmem_change {
    bool all;       /* code and all else; if not, a range outside of main RAM came or went: */
    u64 ram_offset; /* its RAM, which holds no code: place in the memfd, */
    u64 size;       /* bytes; 0 if it is a device's */
};
/* Called after any change of the map (ranges, shadow, A20). */
void physmem_on_remap(struct physmem *pm,
                      void (*fn)(void *opaque, const struct physmem_change *change), void *opaque);
/* Called before a write to [ram_offset, +size) of a page that has PAGE_CODE or PAGE_TRACED. */
void physmem_on_marked_write(struct physmem *pm,
                             void (*fn)(void *opaque, u64 ram_offset, unsigned size, u8 marks),
                             void *opaque);
/* Who answers at an address: a device, ROM, RAM, or nobody. */
enum phys_kind physmem_kind(const struct physmem *pm, u64 pa);
/* Called after a mark was set on a page that had none, or none but those of code, and when its
 * struct code_page is about to be another one or none: cached write permission for it must go. */
void physmem_on_mark(struct physmem *pm, void (*fn)(void *opaque, u64 ram_offset), void *opaque);

/* What one page is, for the TLB. pa is after A20 (physmem_cpu_address). A page that an MMIO range
 * covers in part is PHYS_MMIO. */
struct phys_page {
    enum phys_kind kind; /* for reads */
    u8 *host;            /* readable host address of the page (RAM, ROM), else NULL */
    u8 *host_write; /* writable host address of the page (RAM), else NULL: MMIO, ROM, unmapped */
    u64 ram_offset; /* RAM that it reads or writes: place in the memfd; else UINT64_MAX */
};
struct phys_page physmem_page(const struct physmem *pm, u64 pa);

/* Marks, by place in the memfd. A page with PAGE_CODE or PAGE_TRANSLATED has a struct code_page:
 * one for all in which every byte is code, until it was written some CODE_PAGE_WRITES times. */
void physmem_mark(struct physmem *pm, u64 ram_offset, u8 marks);
void physmem_unmark(struct physmem *pm, u64 ram_offset, u8 marks);
u8 physmem_marks(const struct physmem *pm, u64 ram_offset);
/* Which bytes of the page are code, or NULL; the same if it is the page's own. Bytes that are code
 * no more may still be in it. */
const struct code_page *physmem_code(const struct physmem *pm, u64 ram_offset);
struct code_page *physmem_own_code(const struct physmem *pm, u64 ram_offset);
/* May some of [ram_offset, +size) be code? Then *gone is these bytes. Those who keep code drop what
 * has some of them, and widen *gone by what they drop. */
bool physmem_code_hit(const struct physmem *pm, u64 ram_offset, unsigned size,
                      struct code_span *gone);
/* Behind that: false if there is no map to be made right, else bytes *gone of the page's own one,
 * which may be new, and then they are all of it, are to be noted again. */
bool physmem_code_gone(struct physmem *pm, u64 ram_offset, unsigned size, struct code_span *gone);
/* Much of it is code no more: the page has no map of its own until it is written again. */
void physmem_code_forget(struct physmem *pm, u64 ram_offset);
/* Of all pages' own maps, now or at most at one time. */
u64 physmem_code_bytes(const struct physmem *pm, bool most);
u8 *physmem_ram(const struct physmem *pm, u64 ram_offset); /* host address */

/* RAM that is brought when it is first looked at, page by page or more at once. Below 1 MiB, and
 * behind main RAM, all must be there from the start. */
struct physmem_source {
    void (*fetch)(void *opaque, u64 ram_offset); /* makes sure that this page is there */
    void (*free)(void *opaque);                  /* it is asked no more */
};
/* From now on; one that there was before is freed. Cached translations are dropped. */
void physmem_set_source(struct physmem *pm, const struct physmem_source *source, void *opaque);
void physmem_end_source(struct physmem *pm); /* all is there; fetch itself may call this */
void physmem_fetch_all(struct physmem *pm);  /* brings what is missing */
/* The inverse: where in the memfd a host address of RAM is. */
u64 physmem_ram_offset(const struct physmem *pm, const u8 *host);

/* What the CPU does once the address is translated, and what devices do by DMA. Any alignment;
 * ranges may be crossed; unmapped reads are all ones, logged once; writes to ROM are ignored. size
 * 1, 2, 4, 8. A20 applies to phys_read and phys_write (the CPU's side) only. Marks and hooks are
 * honoured. */
u64 phys_read(struct physmem *pm, u64 pa, unsigned size);
void phys_write(struct physmem *pm, u64 pa, u64 value, unsigned size);
/* Sets A and D in a page-table entry, which nobody is told of who traces page tables; 4 or 8
 * bytes. */
void physmem_write_entry(struct physmem *pm, u64 pa, u64 value, unsigned size);
/* tap is called before each such write to RAM, for whoever wants to undo it; NULL: no more. */
typedef void physmem_entry_tap(void *opaque, u8 *to, unsigned size);
void physmem_tap_entries(struct physmem *pm, physmem_entry_tap *tap, void *opaque);
void dma_read(struct physmem *pm, u64 pa, void *buf, size_t size);
void dma_write(struct physmem *pm, u64 pa, const void *buf, size_t size);

/* Tells that the CPU is about to write [ram_offset, +size) of RAM directly: hooks run, clean marks
 * go. */
void physmem_before_write(struct physmem *pm, u64 ram_offset, unsigned size);

/* Calls fn for each range in ascending order (info mtree). */
void physmem_walk(const struct physmem *pm,
                  void (*fn)(void *opaque, u64 base, u64 size, enum phys_kind kind,
                             const char *name),
                  void *opaque);

#endif
