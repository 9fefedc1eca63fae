/* Call chains by frame pointers, over interrupts, from kernel to user code. */
/* SPDX-License-Identifier: MIT */
#include "frontend/callchain.h"

#include "cpu/mem.h"

/* A stack is not larger than this, nor a frame. */
enum { STACK_MAX = 1 << 16, SWITCHES_MAX = 2, RING_MASK = 3 };
/* Linux's struct pt_regs, 32-bit: offsets. A frame pointer to it has its top bit cleared
 * (ENCODE_FRAME_POINTER), which no frame of the kernel's has. */
enum { REGS_BP = 20, REGS_IP = 48, REGS_CS = 52, REGS_SP = 60, REGS_SS = 64, REGS_SIZE = 68 };
#define ENCODED BIT(31)
/* What an interrupt in user code pushes onto the empty ring 0 stack: EIP, CS, EFLAGS, ESP, SS. */
enum { PUSHED_CS = 4, PUSHED_SS = 16, PUSHED_SIZE = 20, TSS_ESP0 = 4, TSS_ESP1 = 12 };

struct chain {
    struct cpu *cpu;   /* whose stack */
    struct call *to;   /* the result */
    unsigned room;     /* of to */
    unsigned count;    /* entries of it */
    u32 frame;         /* the next frame; 0: none */
    u32 last;          /* frames are above this one */
    unsigned switches; /* of the stack */
    bool user;         /* it is user code by now */
};

static void add(struct chain *c, u32 at, enum call_kind kind)
{
    if (c->count < c->room)
        c->to[c->count++] = (struct call){at, kind};
}

static bool read_stack(const struct chain *c, u32 at, u8 *bytes, unsigned size)
{
    return mem_peek(c->cpu, (u32)(c->cpu->seg[SEG_SS].base + at), bytes, size) == size;
}

/* Where user code was left; false when the two selectors are none of user code's. */
static bool add_user(struct chain *c, u32 ip, u16 cs, u16 ss)
{
    if (c->user || (cs & RING_MASK) != RING_MASK || (ss & RING_MASK) != RING_MASK)
        return false;
    add(c, ip, CALL_USER);
    c->user = true;
    return true;
}

/* Through registers that Linux has saved. */
static bool follow_regs(struct chain *c, u32 at)
{
    u8 regs[REGS_SIZE];
    if (at <= c->last || at - c->last > STACK_MAX || !read_stack(c, at, regs, sizeof regs))
        return false;
    u32 ip = load_le32(regs + REGS_IP);
    u16 cs = load_le16(regs + REGS_CS);
    c->frame = load_le32(regs + REGS_BP);
    if (add_user(c, ip, cs, load_le16(regs + REGS_SS))) {
        c->last = load_le32(regs + REGS_SP) - 1;
        return true;
    }
    if (!cs || cs & RING_MASK)
        return false;
    add(c, ip, CALL_INTERRUPT);
    c->last = at;
    return true;
}

/* Is there a near call before this address? */
static bool behind_call(const struct chain *c, u32 at)
{
    enum { LONGEST = 7, CALL_REL = 0xe8, GROUP5 = 0xff, GROUP5_CALL = 2 };
    u8 code[LONGEST];
    u64 lin = (u32)(c->cpu->seg[SEG_CS].base + at);
    if (mem_peek(c->cpu, (u32)(lin - LONGEST), code, LONGEST) < LONGEST)
        return false;
    if (code[LONGEST - 5] == CALL_REL)
        return true;
    for (unsigned n = 2; n <= LONGEST; n++)
        if (code[LONGEST - n] == GROUP5 && (code[LONGEST - n + 1] >> 3 & 7) == GROUP5_CALL)
            return true;
    return false;
}

/* Is this the next frame? It is above the one before; a kernel goes from a stack for interrupts to
 * that of what was interrupted, which may be anywhere. */
static bool is_next(struct chain *c, const u8 *words)
{
    if (c->frame > c->last && c->frame - c->last <= STACK_MAX)
        return load_le32(words + 4);
    return !c->user && c->switches++ < SWITCHES_MAX && behind_call(c, load_le32(words + 4));
}

static void follow_frames(struct chain *c)
{
    u8 words[8];
    while (c->frame && c->count < c->room) {
        if (!c->user && !(c->frame & ENCODED) && c->last & ENCODED) {
            if (!follow_regs(c, c->frame | ENCODED))
                return;
            continue;
        }
        if (!read_stack(c, c->frame, words, sizeof words) || !is_next(c, words))
            return;
        add(c, (u32)(c->cpu->seg[SEG_CS].base + load_le32(words + 4)), CALL_RETURN);
        c->last = c->frame;
        c->frame = load_le32(words);
    }
}

/* What the processor pushed at the top of a ring 0 stack, whose address the TSS holds. */
static bool follow_top(struct chain *c, unsigned field)
{
    u8 top[4], pushed[PUSHED_SIZE];
    const struct cpu *cpu = c->cpu;
    if (mem_peek(c->cpu, (u32)(cpu->seg[SEG_TR].base + field), top, 4) < 4)
        return false;
    u32 at = load_le32(top) - PUSHED_SIZE;
    if (at < cpu->regs[RSP] || at - cpu->regs[RSP] > STACK_MAX ||
        !read_stack(c, at, pushed, sizeof pushed))
        return false;
    return add_user(c, load_le32(pushed), load_le16(pushed + PUSHED_CS),
                    load_le16(pushed + PUSHED_SS));
}

/* Before a function has made its frame, its caller is on the stack's top. */
static void add_caller(struct chain *c, bool entered)
{
    enum { PUSH_EBP = 0x55 };
    u8 code = 0, top[4];
    mem_peek(c->cpu, (u32)(c->cpu->seg[SEG_CS].base + c->cpu->rip), &code, 1);
    if ((entered || code == PUSH_EBP) && read_stack(c, (u32)c->cpu->regs[RSP], top, 4) &&
        behind_call(c, load_le32(top)))
        add(c, (u32)(c->cpu->seg[SEG_CS].base + load_le32(top)), CALL_RETURN);
}

unsigned callchain(struct cpu *cpu, bool entered, struct call *to, unsigned room)
{
    struct chain c = {.cpu = cpu, .to = to, .room = room, .user = cpu->cpl == RING_MASK};
    c.frame = (u32)cpu->regs[RBP];
    c.last = (u32)cpu->regs[RSP] - 1;
    add_caller(&c, entered);
    follow_frames(&c);
    if (!c.user && cpu_protected(cpu) && !(cpu->eflags & FLAG_VM) && !follow_top(&c, TSS_ESP0))
        follow_top(&c, TSS_ESP1);
    return c.count;
}
