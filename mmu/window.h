/* Direct windows: ranges of host addresses in which guest linear address L of one address space, as
 * user or as supervisor code sees it, is host address base + L; RAM is mapped there with the
 * guest's own rights. */
/* SPDX-License-Identifier: MIT */
#ifndef MMU_WINDOW_H
#define MMU_WINDOW_H

#include "mmu/physmem.h"

struct windows;
struct window;

/* What a window may map at a linear page; false: nothing, or nothing directly. */
struct window_page {
    u64 ram_offset; /* place of the page in the memfd */
    bool writable;  /* user code may write it, and nobody wants to hear of it */
};
typedef bool window_peek(void *opaque, u32 lin, struct window_page *page);

/* Bytes on each side of the 4 GiB in which nothing is ever mapped: a displacement of 32 bits ends
 * there. */
enum { WINDOW_GUARD_SHIFT = 31 };

/* The windows of a machine; costs nothing until one is asked for. */
struct windows *windows_new(struct physmem *pm);
void windows_free(struct windows *ws);

/* The window of the address space with this key, made or taken from the space that has not been
 * used for longest. NULL: the host has no room. */
struct window *windows_get(struct windows *ws, u64 key);
/* The same if there is one, else NULL; gives it up. */
struct window *windows_find(struct windows *ws, u64 key);
void windows_release(struct windows *ws, u64 key);
/* A multiple of 4 GiB: the low half of a host address is the linear address. */
u8 *window_base(const struct window *w);
/* Maps the page of lin and what `peek` allows of those beside it: of the `count` that it is in, a
 * power of two. More than WINDOW_RUN in a row are filled by the host as they are used. False if the
 * page of lin is still not mapped with the right that is wanted. */
enum { WINDOW_RUN = 16, WINDOW_RUN_MAX = 1024 };
bool window_fill(struct window *w, u32 lin, bool write, unsigned count, window_peek *peek,
                 void *opaque);
/* Translations that changed: [lin, +size), a page or a power of two of them; everything. */
void window_drop_range(struct window *w, u32 lin, u64 size);
void window_drop(struct window *w);
/* Translations that may have changed: what was mapped there is looked at by window_settle, which
 * comes before code runs in the window again. `peek` tells what may be mapped now; what it is
 * stays, or loses the right to be written. Returns how often the host had to be asked. */
void window_suspect(struct window *w, u32 lin, u64 size);
unsigned window_settle(struct window *w, window_peek *peek, void *opaque);
/* Another epoch begins: tells pages that come and go from those that stay. */
void window_age(struct window *w);
/* The same in all windows. */
void windows_drop(struct windows *ws);
/* Does one of them map something of this RAM? */
bool windows_map(const struct windows *ws, u64 ram_offset, u64 size);
/* The RAM page at ram_offset was marked: nobody may write it directly any more. */
void windows_protect(struct windows *ws, u64 ram_offset);

/* Of the cycles since the last call, so many went into filling a window: is it still worth it? It
 * is not once most calls, and some more than the others, have seen too large a part. room: nothing
 * was taken from a window lately; then its pages are new, and each costs that once. */
enum { WINDOW_FILL_PART = 4, WINDOW_FILLED_MAX = 25 };
bool window_worth(u16 *filled, u64 spent, u64 cycles, bool room);

/* What it cost so far. */
struct window_counts {
    u64 fills, pages;       /* calls of window_fill that mapped something; pages mapped */
    u64 churn;              /* drops of pages that were mapped in this epoch or the one before */
    u64 drops, protections; /* pages unmapped one by one or with their window; made read-only */
    u64 evictions;          /* windows taken from another space, or emptied for lack of budget */
    u64 fill_cycles;        /* of the host's TSC, in window_fill */
    u64 loss_cycles;        /* the same, while the host unmapped pages or made them read-only */
};
struct window_counts windows_counts(const struct windows *ws);

#endif
