/* Translated blocks: their records, and how to find them and what they were made from. */
/* SPDX-License-Identifier: MIT */
#ifndef TRANSLATE_BLOCK_H
#define TRANSLATE_BLOCK_H

#include "translate/translate.h"

enum {
    TBLOCKS_MAX = 1 << 20,
    TBLOCKS_NEAR = 16,          /* records whose code is found from that of the first of them, */
    TCODE_NEAR = (1 << 18) - 1, /* and the farthest that it is behind it */
    THOMES_MAX = 1 << 16,
    TSIZE_MAX = (1 << 13) - 1, /* bytes of a block's host code */
};

/* What blocks of a page have in common. */
struct thome {
    u32 lin_page : 20; /* linear address of the page, by number */
    u32 mode : 10;     /* number of the mode they are for */
    u32 page;          /* RAM page, by number */
};

/* Records of blocks are an array, in the order of the code in the cache. Number 0 is none. */
struct tblock {
    u32 in;             /* exits of others that are linked here: a list of link.c */
    u32 home : 16;      /* number of its struct thome */
    u32 at : 12;        /* offset of its first byte in the page */
    u32 lands : 1;      /* goes on where calls return to */
    u32 more : 1;       /* there is a struct tmore */
    u32 found : 1;      /* targets.c has put it where indirect branches find it */
    u32 dropped : 1;    /* no longer what memory holds; leaves at its next callout */
    u32 next : 20;      /* number of the next in its list: block.c */
    u32 count : 6;      /* instructions; 0: not a block, but the rest of the one before */
    u32 exit_count : 6; /* direct exits; bytes of guest code of what is not a block */
    u32 code : 18;      /* offset of its code from that of the first of TBLOCKS_NEAR */
    u32 crosses : 1;    /* its instruction goes on in the next page, for which the next record is */
    u32 size : 13;      /* length of the host code, stubs and list of exits included */
};

/* What few blocks have: behind the code is a byte of TMORE_*, and what that says; then come the
 * map and, if there are some, the tsofts. */
struct tmore {
    u16 lookup; /* offset of its look-up of a branch target, 0: none */
    u8 start;   /* offset of the first instruction's code: what blocks begin with is before */
    bool soft;  /* there is a list of struct tsoft */
    bool fpu;   /* there are x87, MMX or SSE instructions */
    bool sse;   /* it loads the XMM registers of the host */
    u8 parts;   /* parts of guest code, 0: it is one */
    u8 size;    /* bytes of all this */
};
enum {
    TMORE_LOOKUP = 1, /* two bytes have it */
    TMORE_START = 2,  /* a byte has it */
    TMORE_SOFT = 4,
    TMORE_FPU = 8,
    TMORE_PARTS =
        16, /* times one less than there are: where they are has 3 bytes for each of these */
    TMORE_SSE = 128,
};

/* Guest code of a block that follows each other; a jump leads from one to the next. */
struct tpart {
    s16 offset; /* from the block's first byte */
    u16 size;   /* bytes */
};
enum { TPARTS_MAX = 8 };

static inline u32 tblock_number(const struct translator *t, const struct tblock *b)
{
    return (u32)(b - t->block);
}

/* Offset of its code in the cache; what struct tmore says follows the code. */
static inline u32 tblock_start(const struct translator *t, const struct tblock *b)
{
    return t->code_near[tblock_number(t, b) / TBLOCKS_NEAR] + b->code;
}

/* Host address of its code, executable view, and one past it with its stubs. */
static inline u64 tblock_code(const struct translator *t, const struct tblock *b)
{
    return (u64)(uintptr_t)t->rx + tblock_start(t, b);
}
static inline u64 tblock_code_end(const struct translator *t, const struct tblock *b)
{
    return tblock_code(t, b) + b->size;
}

/* Linear address of its first byte. */
static inline u32 tblock_lin(const struct translator *t, const struct tblock *b)
{
    return (u32)t->home[b->home].lin_page << PAGE_SHIFT | b->at;
}

/* Its RAM page, by number, and the place of its first byte in the memfd. */
static inline u64 tblock_page(const struct translator *t, const struct tblock *b)
{
    return t->home[b->home].page;
}
static inline u64 tblock_place(const struct translator *t, const struct tblock *b)
{
    return tblock_page(t, b) << PAGE_SHIFT | b->at;
}

/* The number of the mode that it is for. */
static inline unsigned tblock_mode(const struct translator *t, const struct tblock *b)
{
    return t->home[b->home].mode;
}

/* part.c */
struct tmore tblock_more(const struct translator *t, const struct tblock *b);

/* Its map: map.c. */
static inline u8 *tblock_map(const struct translator *t, const struct tblock *b)
{
    return t->rw + tblock_start(t, b) + b->size + (b->more ? tblock_more(t, b).size : 0);
}

/* Instruction pointer of its first byte. */
static inline u32 tblock_ip(const struct translator *t, const struct tblock *b)
{
    return tblock_lin(t, b) - t->mode[tblock_mode(t, b)].cs_base;
}

/* Is it code at CPL 3? */
static inline bool tblock_user(const struct translator *t, const struct tblock *b)
{
    return t->mode[tblock_mode(t, b)].bits & MODE_USER;
}

/* How its code is read. */
static inline enum code_mode tblock_code_mode(const struct translator *t, const struct tblock *b)
{
    return mode_code(t->mode[tblock_mode(t, b)].bits);
}

/* map.c: a guest instruction in the map of its block. */
struct tplace {
    u16 host;    /* bytes of host code */
    u8 guest;    /* of guest code */
    bool string; /* it is a string instruction */
};
/* Writes the map of a block of so many instructions; returns its end. */
u8 *map_put(u8 *at, const struct tplace *p, unsigned count);
/* Bytes of guest code of a block. */
unsigned tblock_guest_bytes(const struct translator *t, const struct tblock *b);
struct tplace tblock_insn(const struct translator *t, const struct tblock *b, unsigned n);
const u8 *tblock_map_end(const struct translator *t, const struct tblock *b);
/* Where instruction n of a block, or its end, is: bytes behind its host and guest code. */
struct tpoint {
    u32 host;  /* bytes behind its code */
    s32 guest; /* bytes behind lin */
};
struct tpoint tblock_point(const struct translator *t, const struct tblock *b, unsigned n);
/* The instruction at an offset in its host code; the same with its guest code, which is none at the
 * block's end for one that is behind. */
struct tspan {
    int n;      /* its number, or -1 */
    s32 guest;  /* bytes of its guest code behind lin */
    u32 length; /* of it */
};
/* Those of all instructions, then the end. */
void tblock_spans(const struct translator *t, const struct tblock *b, struct tspan *span);
struct tspan tblock_span_at(const struct translator *t, const struct tblock *b, u64 offset);
/* The same for that whose host code begins with a JCC of two bytes to the offset. */
struct tspan tblock_jumps_to(const struct translator *t, const struct tblock *b, u64 offset);
int tblock_insn_at(const struct translator *t, const struct tblock *b, u64 offset);

/* part.c: the parts of a block that is about to be, 0 if it is one; how many a block has, and
 * which; how far behind lin the instruction is that so many bytes of others come before; how many
 * come before [ram_offset, +size), or -1 if that is not in a part; from where to where in the page
 * they all are. */
unsigned tparts_of(const struct scan *s, struct tpart *part);
/* May it have code in bytes [from, end) of its page? Tells without a look at each instruction. */
bool tblock_may_touch(const struct translator *t, const struct tblock *b, unsigned from,
                      unsigned end);
/* Writes what there is of `more` and so many parts; returns its end. */
u8 *tmore_put(u8 *at, const struct tmore *more, const struct tpart *part);
unsigned tblock_parts(const struct translator *t, const struct tblock *b);
struct tpart tblock_part(const struct translator *t, const struct tblock *b, unsigned n);
s32 tblock_offset(const struct translator *t, const struct tblock *b, unsigned guest);
int tblock_guest_at(const struct translator *t, const struct tblock *b, u64 ram_offset,
                    unsigned size);
void tblock_extent(const struct translator *t, const struct tblock *b, unsigned *first,
                   unsigned *end);

/* block.c */
/* Is there room for the records of a block whose code is there in the cache? The next record, for a
 * block at lin, which is at ram_offset; it counts when t->block_count does. */
bool tblocks_room(const struct translator *t, u32 code);
struct tblock *tblock_new(struct translator *t, u32 lin, u32 mode, u64 ram_offset, u32 code);
struct tblock *tblock_find(struct translator *t, u32 lin, u32 mode, u64 ram_offset);
/* Is there a block of any mode? */
bool tblock_any(const struct translator *t, u32 lin, u64 ram_offset);
/* Where blocks are looked for by the place of their bytes: makes it, puts one in, takes it out. */
void tblocks_make_lists(struct translator *t);
void tblock_insert(struct translator *t, struct tblock *b);
void tblock_remove(struct translator *t, const struct tblock *b);
/* The page of a home, of which none is where indirect branches or links find it, is at lin now. */
void tblock_set_home(struct translator *t, u16 home, u32 lin);
/* The blocks that may have some of the bytes [ram_offset, +size) of a page, one after the other,
 * then NULL. Those that were taken may be dropped meanwhile. */
struct tblocks {
    u64 page;      /* RAM page, by number */
    unsigned part; /* of it, to look at next */
    unsigned last; /* to look at */
    u32 next;      /* number of the next of a list, or 0 */
};
struct tblocks tblocks_near(const struct translator *t, u64 ram_offset, unsigned size);
/* The same for those that begin near lin, which is at ram_offset. */
struct tblocks tblocks_beside(u32 lin, u64 ram_offset);
struct tblock *tblocks_take(const struct translator *t, struct tblocks *i);
/* Drops those that were made from some of [ram_offset, +size), and widens *gone by them; notes
 * which of these bytes are code in the page's own map. */
void tblock_written(struct translator *t, u64 ram_offset, unsigned size, struct code_span *gone);
void tblock_note(struct translator *t, u64 ram_offset, struct code_span s);
void tblock_drop_all(
    struct translator *t); /* drops everything; blocks may run on to their next callout */
void tblock_reset(struct translator *t); /* drops everything; no block may run */
/* Takes a block out of everything that leads to it. It may be running: its memory stays until the
 * next reset. */
void tblock_drop(struct translator *t, struct tblock *b);
struct tblock *tblock_at_pc(const struct translator *t, u64 pc);

/* Bytes of the records of blocks and links, beside what is in the cache. */
static inline u64 translate_records(const struct translator *t)
{
    return t->block_count * sizeof *t->block + t->home_count * sizeof *t->home +
           (t->block_count / TBLOCKS_NEAR + 1) * sizeof *t->code_near + links_bytes(t);
}

#endif
