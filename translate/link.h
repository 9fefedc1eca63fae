/* Direct exits of blocks, and the blocks that they lead to. */
/* SPDX-License-Identifier: MIT */
#ifndef TRANSLATE_LINK_H
#define TRANSLATE_LINK_H

#include "translate/scan.h"

struct translator;
struct tblock;

/* A direct exit of a block: a jmp, jcc or call whose rel32 is patched. One that is not linked ends
 * in a call of a common stub, whose return address tells which exit it is: jmps and calls where
 * they are, a jcc by a stub of its own behind the instructions. */
struct texit {
    u32 place; /* offset of its rel32 in the cache */
    u32 stub;  /* that of its stub, 0: it needs none */
    bool next; /* leads behind its instruction, not to the target of the branch */
};
enum { TEXITS_MOST = SCAN_MAX_INSNS + 1 /* of a block */ };

/* One that was taken while it was not linked: what is cold behind it runs some times before. */
struct ttaken {
    u32 pc;         /* its return address, as an offset in the cache; 0: none */
    u32 block;      /* number of its block, */
    u32 lin;        /* that one's linear address then, */
    u32 target;     /* where it leads from there */
    struct texit x; /* itself */
};
enum { TTAKEN = 512 /* entries of their table */ };

/* Those of a block, in the order of its code. */
struct texits {
    struct texit exit[TEXITS_MOST]; /* the exits */
    unsigned count;                 /* of exit */
    u32 end;                        /* offset in the cache of the end of the block's host code */
};

/* Where exits within the page go that lead to a block which crosses it: at its very end, a look-up
 * by the jump table, which holds only as long as the page behind is where it was. */
enum { ENTRY_BYTES = 11 };

/* A cell of the lists of exits that lead to a block: link.c. */
struct tlink {
    u32 link; /* an exit */
    u32 rest; /* of the list; of a free cell: the next one */
};
struct links {
    struct tlink *cell; /* the cells, from 1 on */
    u32 count, room;    /* that were used, of cell */
    u32 free;           /* number of the first free one, or 0 */
};

/* Exits to other pages that need no guards, of supervisor or of user code. */
struct bare {
    u32 space; /* jump id without the mode that code of this privilege ran under last */
    bool on;   /* it has not changed for a while: new links are bare */
    u64 since; /* virtual time when it changed */
};

/* The exit that left with this return address, which block's it is, and where it leads; the exit at
 * a place; all of a block. */
const struct ttaken *texit_taken(struct translator *t, u64 pc);
struct texit texit_of_place(const struct translator *t, u32 place);
void texits_of(const struct translator *t, const struct tblock *b, struct texits *all);
/* The linear address that an exit of block b is for. */
u32 texit_target(const struct translator *t, const struct tblock *b, const struct texit *x);
/* Offset in the cache to which a rel32 leads; sets that of an exit; it leads out again. */
u32 texit_leads(const struct translator *t, u32 place);
void texit_lead(struct translator *t, u32 place, u32 code);
void texit_lead_out(struct translator *t, const struct texit *x);
bool texit_linked(const struct translator *t, const struct texit *x);
/* Where exits of its own page enter a block that crosses the page: offset in the cache. */
u32 tblock_entry(const struct translator *t, const struct tblock *b);

/* guard.c: a guard, by its offset in the cache: one for block `to`, 0: the cache is full; nothing
 * leads to it any more; the high half of the jump id under which it leads to the block; where in
 * the cache it leads; what link.c keeps in it; the one that pc is in, or 0. */
u32 guard_new(struct translator *t, const struct tblock *to);
void guard_end(struct translator *t, u32 guard);
void guard_set_id(struct translator *t, u32 guard, u32 id);
u32 guard_id(const struct translator *t, u32 guard);
u32 guard_leads(const struct translator *t, u32 guard);
u32 *guard_rest(const struct translator *t, u32 guard);
u32 guard_at_pc(const struct translator *t, u64 pc);

/* link.c: links the exit at a place in block from. Is one that leads to the target to another page?
 * Drops all blocks if there is no room: none may run. */
void tblock_link(struct translator *t, struct tblock *from, u32 place, struct tblock *to);
bool texit_far(const struct translator *t, const struct tblock *from, u32 target);
/* Its exits lead out again; nothing leads to it either. */
void tblock_unlink_exits(struct translator *t, struct tblock *b);
void tblock_unlink(struct translator *t, struct tblock *b);
/* The current privilege's code now runs under this jump id without its mode. */
void links_select(struct translator *t, u32 space);
/* Has it done so for long? Then exits need no guards. */
void links_consider(struct translator *t);
/* Jump ids start anew: no exit may trust one any more. */
void links_forget_ids(struct translator *t);
void links_new(struct translator *t);   /* the most blocks are known */
void links_reset(struct translator *t); /* all blocks are gone */
void links_free(struct translator *t);
u64 links_bytes(const struct translator *t); /* of its records */

#endif
