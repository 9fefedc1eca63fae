/* The translator: state, blocks, and what its files share. */
/* SPDX-License-Identifier: MIT */
#ifndef TRANSLATE_TRANSLATE_H
#define TRANSLATE_TRANSLATE_H

#include "cpu/cpu.h"
#include "translate/emit.h"
#include "translate/scan.h"

struct tblock;
struct direct;
struct returns;
struct signals;
struct jump_maps;
struct verify;
struct observer;

/* A direct exit of a block: a jmp, jcc or call whose rel32 is patched. One that is not linked ends
 * in a call of a common stub, whose return address tells which exit it is: jmps and calls where
 * they are, a jcc by a stub of its own behind the instructions. */
struct texit {
    u32 place; /* offset of its rel32 in the cache */
    u32 stub;  /* that of its stub, 0: it needs none */
    bool next; /* leads behind its instruction, not to the target of the branch */
};
enum {
    TBLOCKS_MAX = 1 << 20,
    TBLOCKS_NEAR = 16,          /* records whose code is found from that of the first of them, */
    TCODE_NEAR = (1 << 18) - 1, /* and the farthest that it is behind it */
    THOMES_MAX = 1 << 16,
    THOME_HINTS = 1024,               /* a power of two */
    TEXITS_MOST = SCAN_MAX_INSNS + 1, /* of a block */
    TSIZE_MAX = (1 << 13) - 1,        /* bytes of a block's host code */
};

/* Those of a block, in the order of its code. */
struct texits {
    struct texit exit[TEXITS_MOST]; /* the exits */
    unsigned count;                 /* of exit */
    u32 end;                        /* offset in the cache of the end of the block's host code */
};

/* Bytes of a block that its code reads when it runs: writes to them do not drop it. */
struct tsoft {
    u16 at;   /* offset of the first; ascending */
    u16 size; /* how many; 0 ends the list */
} __attribute__((packed));

/* An immediate or a displacement that is being rewritten. */
struct rewritten {
    u64 place; /* its place in the memfd */
    u8 size;   /* bytes */
    u8 times;  /* blocks that were dropped for that, counted to SOFT_AFTER */
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

/* An instruction that was served by a callout. They are kept by what tells them from others: the
 * return address of the call of the stub, or one past a byte of the instruction's code. */
struct tcallout {
    u32 pc;           /* that, as an offset in the code cache; 0: none */
    u32 block;        /* number of its block */
    u32 resume;       /* offset in the code cache where to go on */
    s32 guest;        /* bytes of the instruction behind the block's first */
    u8 flags;         /* CALLOUT_* */
    u8 which;         /* which of the block's instructions */
    s8 ahead;         /* ESP less what its host register holds there, */
    s8 resume_ahead;  /* and where it goes on */
    struct insn insn; /* with exec */
};
enum {
    CALLOUT_SSE = 1,       /* what follows needs the XMM registers in the host */
    CALLOUT_END = 2,       /* the block does not go on behind it */
    CALLOUT_MODE = 4,      /* the instruction may change the mode */
    CALLOUT_INTERPRET = 8, /* the interpreter fetches and decodes it, too */
    CALLOUT_SOFT = 16,     /* the instruction may be another one each time */
    CALLOUTS = 2048,       /* entries of their table, a power of two */
};

/* Inline cache of branch targets, by low 16 bits of the linear address. */
struct tjump {
    u64 tag;  /* -(jump_id + linear address) */
    u64 code; /* host address */
};
enum { JUMP_ENTRIES = 65536 };

enum { TLIST_BITS = 16 /* lists of blocks, as a power of two */ };

/* fill.c: common stubs that fill the TLB. */
enum { FILL_SIZES = 7 };
/* quick.c: sensitive instructions that the same stubs serve: loads of a data segment register, by
 * its number, RDTSC and CPUID. */
enum { QUICK_RDTSC = SEG_GS + 1, QUICK_CPUID, QUICK_COUNT };
/* inline.c: what takes so many bytes that it is called; SCRATCH_TEST gets what PUSHF pushes. */
enum inlined {
    INLINED_CLI,
    INLINED_STI,
    INLINED_PUSHF,
    INLINED_PUSHF_USER,
    INLINED_RDTSC,
    INLINED_COUNT
};
struct fills {
    u64 check[2][FILL_SIZES];   /* look first whether it is a miss, and add the addend */
    u64 code[2][FILL_SIZES];    /* after misses of reads and of writes, by size */
    u64 miss[2][FILL_SIZES];    /* the same that do not look whether it is a write beside code */
    u64 inlined[INLINED_COUNT]; /* forms of instructions that need no C */
    u64 quick[QUICK_COUNT];     /* instructions; the selector is in SCRATCH_ADDR */
    u64 start;                  /* what all of code do */
    u64 away, back;             /* in between, nothing of it is on the stack of return addresses */
    u64 end;                    /* one past the last */
};

/* Why something was not translated or translated code was left; the names are in stop.def. */
enum translate_stop {
#define STOP(name, text) STOP_##name,
#include "translate/stop.def"
#undef STOP
    STOP_COUNT
};

/* Where exits within the page go that lead to a block which crosses it: at its very end, a look-up
 * by the jump table, which holds only as long as the page behind is where it was. */
enum { ENTRY_BYTES = 11 };

/* Of call rel32; of the call through the jump table. */
enum { CALL_BYTES = 5, CALL_MEM_BYTES = 4 };
/* What an indirect branch by a map takes. */
enum { MAPPED_BYTES = 25 };

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

/* Whether a space needed blocks of a page where they were, when rebase.c looked last. */
struct left {
    u64 switches; /* of spaces until then */
    u32 lin_page; /* linear page that they were for, */
    u32 page;     /* RAM page, by number */
    bool used;    /* that is what was seen */
};

struct translator {
    struct cpu *cpu;        /* whose code it is */
    u8 *rw;                 /* code cache, writable view */
    u8 *rx;                 /* the same memory, executable view */
    size_t size;            /* its bytes */
    struct emit emit;       /* where the next block goes */
    size_t stubs_end;       /* offset of the first byte behind the common stubs */
    u64 enter;              /* common stub: load the guest's registers and jump */
    u64 callout;            /* common stub, called: run the interpreter's function */
    u64 trap;               /* the same for the return address in SCRATCH_ADDR, by a jump */
    u64 exit_call;          /* exit_addr, called before a call of CALL_MEM_BYTES for which it is */
    u32 exit_jmp;           /* the same for exits: offset in the cache of cpu->exit_taken, */
    u32 exit_called;        /* and of what keeps the return address that tells which exit it is */
    u64 exit_addr;          /* common stub: leave, going on at SCRATCH_ADDR */
    u8 *to_lookup;          /* the last landing's jmp to lookup, or NULL; */
    unsigned to_lookup_by;  /* how many jmps it takes to get there */
    u64 lookup, lookup_end; /* common stub: go to SCRATCH_ADDR by the jump table, or leave */
    u64 underflow;          /* common stub: a return that was not predicted */
    u64 resume, resume_end; /* common stub: from C to SCRATCH_ADDR, unless attention is wanted */
    u64 back, back_end;     /* the same after a call; it ends with a one-byte return */
    struct fills fill;      /* common stubs: misses of the TLB */
    u64 load_xmm, load_xmm_end; /* common stub: XMM registers into the host */
    u64 leave;                  /* common stub: back to C; the guest's registers are saved */
    bool counting;              /* blocks count their instructions */
    u64 count_end;              /* while translated code runs: icount at which its budget is 0 */
    struct verify *verify;      /* blocks are checked against the interpreter, or NULL */
    struct observer *observer;  /* logs and profiles, a list */
    bool tells_callouts;        /* one of them hears of callouts */
    bool unchained;             /* every block leaves to the dispatcher */
    bool reset_wanted;         /* every block was dropped: start anew before the next translation */
    struct trow *rows;         /* what it asks of instructions, by row */
    unsigned threshold;        /* interpreted runs before a block is translated */
    bool eager;                /* exits are bare at once */
    struct tjump *jump;        /* the jump table, twice as long for the shifts of targets.c */
    struct jump_maps *maps;    /* maps of branch targets, or NULL: the host has no room */
    struct tmode mode[TMODES]; /* by number, a hash table; 0 stands for what is interpreted */
    unsigned mode_count;       /* entries in use */
    unsigned mode_now;         /* number of the mode that was looked at last */
    unsigned mode_before;      /* of the one before: a system call goes back to it */
    struct tblock *block;      /* every block since the last reset, from 1 on */
    u32 block_count, block_max;      /* entries with [0], room */
    u32 *code_near;                  /* by number / TBLOCKS_NEAR: offset in the cache */
    struct thome *home;              /* pages and modes of blocks */
    u32 home_count;                  /* entries in use */
    u16 home_hint[THOME_HINTS];      /* by hash of what is in a struct thome: its number, perhaps */
    struct links links;              /* which exits lead to which block */
    u32 guard_free;                  /* offset in the cache of the first free guard, or 0 */
    u32 guard_bytes;                 /* of the cache, for guards */
    struct tcallout *callouts;       /* those that were run, by hash */
    u32 list[1 << TLIST_BITS];       /* by hash of page and part of it: the first block */
    u64 stops[STOP_COUNT];           /* counters */
    struct rewritten rewritten[256]; /* by hash of the place */
    u8 heat[1024];       /* by low bits of the page's number: how hot rewritten code gets */
    u8 heat_tries;       /* counts blocks of hot pages */
    u64 rewritten_pages; /* by low bits of the page's number: some are read at run time */
    u64 parts_pages;     /* by low bits of the page's number: it may have blocks of several parts */
    struct left left;    /* rebase.c */
    u64 rebased;         /* blocks that were taken along to another linear address */
    struct direct *direct;   /* direct windows */
    u64 direct_refusals;     /* accesses that they could not serve */
    u64 adapted;             /* blocks made anew with checks because of them */
    u64 softened;            /* blocks that read rewritten parts of their code as they run */
    struct signals *signals; /* handlers that were there before */
    struct returns *returns; /* stacks of return addresses */
    struct bare bare[2];     /* links without a guard: supervisor, user */
    u64 *bare_blocks;        /* link.c: to which blocks some lead */
    u64 translated_insns, translated_bytes; /* totals */
    u64 cycles;                             /* of the host's time stamp counter, spent on that */
};

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
/* Where blocks are looked for by the place of their bytes: puts one in, takes it out. */
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
void tblock_written(struct translator *t, u64 ram_offset, unsigned size);
void tblock_drop_all(
    struct translator *t); /* drops everything; blocks may run on to their next callout */
void tblock_reset(struct translator *t); /* drops everything; no block may run */
/* Takes a block out of everything that leads to it. It may be running: its memory stays until the
 * next reset. */
void tblock_drop(struct translator *t, struct tblock *b);
struct tblock *tblock_at_pc(const struct translator *t, u64 pc);

/* exit.c: the exit that left with this return address, and which block's it is; that at a place;
 * all of a block. */
struct texit texit_at(const struct translator *t, u64 pc, struct tblock **from);
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
/* soft.c: [ram_offset, +size), of which block b has some, is about to be written: counts that if it
 * is an immediate or a displacement. */
void soft_written(struct translator *t, const struct tblock *b, u64 ram_offset, unsigned size);
/* Does such a write touch what the block's code was made from? Which bytes of its page these are,
 * for the page's struct code_page. */
bool tblock_hit(const struct translator *t, const struct tblock *b, u64 ram_offset, unsigned size);
void tblock_note_bytes(const struct translator *t, const struct tblock *b);

/* follow.c: a block that is going to be translated; a scan_follow for it; how many bytes from
 * linear address lin on, which is at `place`, may become a block: the rest of the page, up to a
 * breakpoint.
 */
struct start {
    struct translator *t; /* where it goes */
    u32 mode;             /* number of its mode */
    u32 lin;              /* its linear address, */
    u64 place, pa;        /* place in RAM, physical address */
};
bool follow_branch(void *opaque, const struct scan *scan, struct scan_point *at);
unsigned follow_room(const struct translator *t, u32 lin, u64 place);

/* rebase.c: a block of code at `place` for another linear address, which no address space has any
 * more, made one for lin; NULL: there is none. User code of that mode is about to run there. */
struct tblock *tblock_rebase(struct translator *t, u32 lin, u32 mode, u64 place);

/* heat.c: pages whose code is rewritten: blocks there were dropped that had run (1 + runs) times;
 * is a block that has not run yet likely to become hot? */
void heat_note(struct translator *t, u64 ram_offset, u32 runs);
bool heat_expected(struct translator *t, u32 lin, u64 place);

/* crossing.c: instructions that cross their page. */
struct crossing {
    u64 place;              /* of the part behind */
    unsigned behind;        /* its bytes */
    u8 bytes[INSN_MAX_LEN]; /* of both */
};
/* The guest's bytes of a block, perhaps in buf. */
const u8 *tblock_bytes(const struct translator *t, const struct tblock *b, u8 buf[INSN_MAX_LEN]);
/* The scan of a block at lin found an instruction to be interpreted: is it whole, with the next
 * page? Then *s is its scan. Raises what a fetch raises. */
bool crossing_scan(struct translator *t, struct scan *s, u32 lin, unsigned mode, u64 place,
                   struct crossing *c);
/* The record behind that of b, which was translated last. */
void crossing_insert(struct translator *t, struct tblock *b, const struct crossing *c);
/* Does the page behind still lead to what b was made from? Raises what a fetch raises. */
bool crossing_fits(struct translator *t, const struct tblock *b);
void crossing_drop(struct translator *t, struct tblock *b);
/* engine.c: the place of linear address lin in RAM, or UINT64_MAX. Raises what a fetch raises. */
u64 code_place(struct cpu *cpu, u32 lin);

/* generate.c: translates a scanned block, or as much of it as a block may have of code. NULL when
 * the cache is full. */
struct tblock *translate_block(struct translator *t, struct scan *s, u32 lin, u32 mode,
                               u64 ram_offset);

/* stubs.c: emits the common stubs at the start of the cache. */
void stubs_emit(struct translator *t);
/* The jump table's entry for SCRATCH_ADDR into SCRATCH_HOST, SCRATCH_TEST is 0 if it is the right
 * one. Keeps the flags and SCRATCH_ADDR. */
void lookup_emit(struct emit *e);
/* Size of the stub of an exit. */
enum { EXIT_STUB_BYTES = 3 };

/* copy.c: the same instruction on host registers; code is its guest bytes. False if it must be a
 * callout. */
bool copy_insn(struct emit *e, const struct scanned *s, const u8 *code, struct host_mem *m);

/* ahead.c: how an instruction goes with a host register of ESP that waits for the end of a run of
 * pushes and pops; by: how far it moves ESP. */
enum stack_use {
    STACK_AHEAD,  /* it may wait on */
    STACK_TAKEN,  /* it may have waited, and is right behind the instruction */
    STACK_WANTED, /* it must be right before the instruction, and is behind it */
};
enum stack_use stack_use(const struct scanned *s, u32 mode, s32 *by);
/* Is it a MOV from ESP to another register of 32 bits? */
bool stack_copies_esp(const struct insn *i);
/* Is it so far that it must not wait on? */
static inline bool stack_far(s32 ahead)
{
    return ahead > 64 || ahead < -64;
}
/* ESP less what its host register holds before instruction n of block b. */
s32 stack_ahead(const struct translator *t, const struct tblock *b, unsigned n);

/* mode.c: the number of the current mode, 0 for one that must be interpreted. May drop all blocks,
 * even while one runs. */
unsigned translate_mode(struct translator *t);
/* Do segments reach as far as the mode says that translated code runs in? */
bool translate_reach_holds(const struct translator *t);

/* targets.c: the jump table; what of it goes with the current space, privilege and this mode; the
 * code at lin or 0; code to be found there; a block that is to be found no more. */
void targets_new(struct translator *t);
void targets_select(struct translator *t, unsigned mode);
u64 target_find(const struct translator *t, u32 lin);
void target_add(struct translator *t, u32 lin, struct tblock *b);
void targets_drop(struct translator *t, struct tblock *b);
void targets_free(struct translator *t);
/* Indirect branches of code in this mode use a map; where it has nothing they come to the first
 * byte of the cache, and then this puts what was found at lin, 0: nothing. */
bool targets_mapped(const struct translator *t, unsigned mode);
void targets_missed(struct translator *t, u32 lin, u64 code);
/* No indirect branch finds anything until the next targets_select. */
void targets_hide(struct translator *t);
/* engine.c: makes the jump table's entries stale; what hangs on the current mode (the jump table's
 * id, the base of accesses); the code to run at cs:rip or 0. */
void translate_forget_targets(struct translator *t);
void translate_set_mode(struct translator *t, unsigned mode);
u64 translate_peek(struct translator *t, unsigned mode);
/* Translates the block at lin, which is at cs:rip and at `place` in RAM. NULL: it must be
 * interpreted. */
struct tblock *translate_at(struct translator *t, u32 lin, unsigned mode, u64 place);
/* Bytes of the records of blocks and links, beside what is in the cache. */
static inline u64 translate_records(const struct translator *t)
{
    return t->block_count * sizeof *t->block + t->home_count * sizeof *t->home +
           (t->block_count / TBLOCKS_NEAR + 1) * sizeof *t->code_near + links_bytes(t);
}

/* count.c: instruction counting, when asked for. While translated code runs, cpu->icount is
 * count_end - budget; a block takes its instructions from the budget when it starts. */
struct generator;
void count_emit(struct generator *g); /* at the start of a block: takes them, or leaves */
/* On a way out behind instruction n: gives back those that do not run. */
void count_give_back(struct generator *g, unsigned n);
void count_enter(struct translator *t, u64 until);
void count_leave(struct translator *t);
/* Around a callout: icount as instruction `which` of the block sees it; it is complete; icount was
 * moved on by others; the rest of the block goes on. */
void count_suspend(struct translator *t, const struct tblock *b, unsigned which);
void count_done(struct translator *t);
void count_again(struct translator *t);
void count_resume(struct translator *t, const struct tblock *b, unsigned which);
/* direct.c: direct windows. */
struct direct *direct_new(struct translator *t, bool always);
void direct_free(struct direct *d);
/* The machine is about to run guest code again: supervisor code gets a window, user code when it
 * keeps running. */
void direct_consider(struct translator *t);
/* Code of the current mode, which has MODE_WINDOW, is going to run: the base of its window. */
u64 direct_select(struct translator *t);
/* Another machine's code, or nobody's, has run on this thread: GS is not known. */
void direct_deselect(struct translator *t);
/* Is the window that block b runs in still the right one? */
bool direct_holds(const struct translator *t, const struct tblock *b);
/* Hooks of mmu/space.h. */
void direct_switched(struct translator *t, struct space *s);
void direct_space_dropped(struct translator *t, struct space *s);
void direct_page_dropped(struct translator *t, struct space *s, u64 lin, u64 size);
void direct_group_dropped(struct translator *t, unsigned group);
/* A RAM page was marked; the physical map changed. */
void direct_protected(struct translator *t, u64 ram_offset);
void direct_remapped(struct translator *t);
/* A SIGSEGV at a host address: is it an access through the window? Notes it for direct_fill. */
bool direct_fault(struct translator *t, u64 host, bool write);
/* Before the interpreter does the access that direct_fault has noted, of the instruction at this
 * offset in block b, which may raise a fault of the guest: takes the note. */
u64 direct_missed(struct translator *t, struct tblock *b, s32 offset, bool string);
/* After it has done it: maps it. */
void direct_fill(struct translator *t, struct tblock *b, s32 offset, u64 fault);
/* A step of -stress-windows, at random: something is dropped, protected, or checked from now on. */
void direct_stress(struct translator *t);
void direct_stress_by(struct translator *t, u64 seed);
/* What the windows cost so far. */
struct window_counts direct_counts(const struct translator *t);
/* Do accesses of the instruction at this offset in block b use a window? */
bool direct_serves(const struct translator *t, const struct tblock *b, s32 offset);

/* observe.c: tells the observer, whose `translated` is set; fills in *o and its insn, of which
 * there are SCAN_MAX_INSNS + 1. */
struct observed;
struct observed_insn;
void observe_translated(const struct translator *t, const struct tblock *b);
void observe_runs(const struct translator *t, u32 lin);
/* translate_callout for those whose observers hear of it. */
u64 observe_callout(struct cpu *cpu, u64 pc);
void observe_block(const struct translator *t, const struct tblock *b, struct observed_insn *insn,
                   struct observed *o);
/* returns.c: the stack of return addresses that goes with the current jump id. */
bool returns_new(struct translator *t, struct error *err);
void returns_free(struct returns *r);
void returns_select(struct translator *t);
void returns_forget(struct translator *t); /* all code is about to go */
/* Its stack pointer when it is empty. */
u64 returns_base(const struct translator *t);
/* Is the host address in the guard zone of a stack? */
bool returns_overflow(const struct translator *t, u64 host);

/* string.c: what a string instruction uses; in a window: the bytes of its host instruction, and of
 * what follows that in its code. */
struct string_use {
    u8 size;          /* of an element */
    bool source;      /* ESI */
    bool destination; /* EDI */
    bool compares;    /* writes flags */
    bool repeats;     /* ECX counts */
    u8 length;        /* bytes of the host's instruction, */
    u8 head, tail;    /* of what prepares it, of what follows */
};
struct string_use string_use(const struct insn *i, u32 mode /* its bits */);

/* signal.c: host signals in translated code: takes the process's handlers; t's code runs on this
 * thread from now on. */
void signal_install(struct translator *t);
void signal_prepare(struct translator *t);
void signal_interrupted(struct cpu *cpu, void *context);
void signal_leave(struct translator *t); /* t is about to go */

/* inline.c: emits the stubs that inlined forms call. */
void inline_emit(struct translator *t);
/* fill.c: emits the stubs; the one for misses of this size, 0: none; looked: that of writes need
 * not look whether it is one beside code. It is called, and returns with the TLB filled, or goes to
 * the callout with the same return address. Keeps SCRATCH_ADDR and SCRATCH_INDEX. */
void fill_emit(struct translator *t);
u64 fill_code(const struct translator *t, unsigned size, bool write, bool looked);
/* The stub that checks an access of this size first, for code that is not likely to run for long,
 * and leaves its host address in SCRATCH_ADDR. 0: none. */
u64 check_code(const struct translator *t, unsigned size, bool write);
/* Is its return address on top of the stack at this host address? */
bool fill_called_at(const struct translator *t, u64 pc);
/* Called from the stubs, what: size and kind of the access; not 0: the callout is due. */
u64 translate_fill(struct cpu *cpu, u32 lin, u32 what);

/* quick.c: does what QUICK_* says at CPL 0 or for everybody, if it needs no more than that; else
 * false, and the callout does it, perhaps again. Registers that C may change are in cpu->regs. */
bool quick_run(struct translator *t, unsigned what, u32 selector);

/* vmm.c: called from the callout stub, pc as in struct tcallout; returns the host address where to
 * go on. */
u64 translate_callout(struct cpu *cpu, u64 pc);

#endif
