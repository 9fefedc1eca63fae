/* Exits that are linked to other blocks: what is kept of them, and where they lead while blocks and
 * jump ids come and go. */
/* SPDX-License-Identifier: MIT */
#include <check.h>
#include <stdlib.h>

#include "tests/unit/engine_harness.h"
#include "tests/unit/suite.h"
#include "translate/block.h"
#include "translate/link.h"
#include "translate/translate.h"

enum { CALLS = 40, HUB = 0x60000, NEAR = H_CODE + 0x400, MS = 1000000 };

static struct cpu *cpu;
static struct translator *t;

static void setup(void)
{
    cpu = engine_setup_translated(TRANSLATE_CHECKED, H_CACHE);
    t = cpu->translator;
}

/* mov eax, value; ret */
static void put_function(u32 lin, u32 value)
{
    PUT_AT(lin, 0xb8, (u8)value, (u8)(value >> 8), 0, 0, 0xc3);
}

/* CALLS calls of a function; hlt. */
static void put_calls(u32 function)
{
    for (u32 n = 0; n < CALLS; n++) {
        const u32 at = H_CODE + 5 * n, by = function - (at + 5);
        PUT_AT(at, 0xe8, (u8)by, (u8)(by >> 8), (u8)(by >> 16), (u8)(by >> 24));
    }
    PUT_AT(H_CODE + 5 * CALLS, HLT);
}

/* Until every exit that is taken is linked. */
static void run_often(u32 value)
{
    for (unsigned n = 0; n < 4; n++) {
        run_from(H_CODE);
        ck_assert_uint_eq(cpu->regs[RAX], value);
    }
}

static struct tblock *block_at(u32 lin)
{
    struct tblock *b = NULL;
    for (u32 n = 1; n < t->block_count; n++)
        b = tblock_lin(t, &t->block[n]) == lin && !t->block[n].dropped ? &t->block[n] : b;
    ck_assert_ptr_nonnull(b);
    return b;
}

/* Exits of all blocks that lead to a function: straight on; by a guard. */
struct ways {
    unsigned straight; /* to its block */
    unsigned guarded;  /* to the same place somewhere else */
};
static struct ways ways_to(u32 lin)
{
    const struct tblock *to = block_at(lin);
    struct ways w = {0};
    for (u32 n = 1; n < t->block_count; n++) {
        struct texits all;
        texits_of(t, &t->block[n], &all);
        for (const struct texit *x = all.exit; x < all.exit + all.count; x++) {
            if (!texit_linked(t, x))
                continue;
            ck_assert(!t->block[n].dropped);
            const u32 leads = texit_leads(t, x->place);
            if (leads == tblock_start(t, to))
                w.straight++;
            else if (!tblock_at_pc(t, (u64)(uintptr_t)t->rx + leads))
                w.guarded += guard_leads(t, leads) == tblock_start(t, to);
        }
    }
    return w;
}

/* The jump id of the supervisor has been the same for so long. */
static void let_pass(u64 ns)
{
    t->bare[0].since = clock_now(cpu->clock) - ns;
}

START_TEST(exits_of_one_page)
{
    put_function(NEAR, 1);
    put_calls(NEAR);
    run_often(1);
    ck_assert_uint_eq(ways_to(NEAR).straight, CALLS);
    ck_assert_uint_eq(t->links.count, CALLS); /* with [0], less one that needs no cell */
    ck_assert_uint_eq(t->guard_bytes, 0);
}
END_TEST

START_TEST(one_guard_for_all_exits_to_a_block)
{
    put_function(HUB, 1);
    put_calls(HUB);
    run_often(1);
    const u32 guards = t->guard_bytes;
    ck_assert_uint_eq(ways_to(HUB).guarded, CALLS);
    ck_assert_uint_gt(guards, 0);
    ck_assert_uint_lt(guards, CALLS * 28);
    for (u32 n = 2; n < 100; n++) { /* each time, the function's block is dropped */
        phys_write(cpu->mem, HUB + 1, n, 1);
        run_often(n);
        ck_assert_uint_eq(ways_to(HUB).guarded, CALLS);
    }
    ck_assert_uint_eq(t->guard_bytes, guards);
    ck_assert_uint_eq(t->links.count, CALLS);
}
END_TEST

START_TEST(either_end_is_dropped)
{
    put_function(HUB, 1);
    put_function(NEAR, 2);
    put_calls(HUB);
    run_often(1);
    for (u32 n = 0; n < 20; n++) {
        put_calls(n % 2 ? HUB : NEAR); /* the block of the exits goes */
        run_often(n % 2 ? 1 : 2);
        ck_assert_uint_eq(ways_to(HUB).guarded, n % 2 ? CALLS : 0);
        ck_assert_uint_eq(ways_to(NEAR).straight, n % 2 ? 0 : CALLS);
    }
    ck_assert_uint_eq(t->links.count, CALLS);
    tblock_drop(t, block_at(HUB));
    tblock_drop(t, block_at(H_CODE));
    u32 cells = 0;
    for (u32 n = t->links.free; n; n = t->links.cell[n].rest)
        cells++;
    ck_assert_uint_eq(cells, t->links.count - 1);
}
END_TEST

START_TEST(guards_go_while_the_id_stays)
{
    put_function(HUB, 1);
    put_calls(HUB);
    run_often(1);
    let_pass(5 * MS);
    run_often(1);
    ck_assert_uint_eq(ways_to(HUB).straight, CALLS);
    const u32 guards = t->guard_bytes;
    links_select(t, t->bare[0].space + 1);
    ck_assert_uint_eq(ways_to(HUB).guarded, CALLS);
    run_often(1);
    ck_assert_uint_eq(t->guard_bytes, guards);
    ck_assert_uint_eq(t->links.count, CALLS);
}
END_TEST

START_TEST(after_a_long_time_exits_are_linked_anew)
{
    put_function(HUB, 1);
    put_calls(HUB);
    run_often(1);
    let_pass(5 * MS);
    run_often(1);
    let_pass(500 * MS);
    links_select(t, t->bare[0].space + 1);
    ck_assert_uint_eq(ways_to(HUB).straight + ways_to(HUB).guarded, 0);
    run_often(1);
    ck_assert_uint_eq(ways_to(HUB).straight + ways_to(HUB).guarded, CALLS);
}
END_TEST

START_TEST(no_guard_outlives_its_ids)
{
    put_function(HUB, 1);
    put_calls(HUB);
    run_often(1);
    translate_forget_targets(t);
    ck_assert_uint_eq(ways_to(HUB).guarded, 0);
    run_often(1);
    ck_assert_uint_eq(ways_to(HUB).guarded, CALLS);
}
END_TEST

START_TEST(no_room_for_a_guard)
{
    put_function(HUB, 1);
    put_calls(HUB);
    run_often(1);
    tblock_unlink(t, block_at(HUB));
    t->emit.at = t->emit.end;
    t->guard_free = 0;
    run_from(H_CODE);
    ck_assert_uint_eq(t->stops[STOP_FULL], 1);
    run_often(1);
    ck_assert_uint_ge(ways_to(HUB).guarded, CALLS - 1); /* of a block that starts behind one */
}
END_TEST

/* A block: jz $+18; 40 times mov eax, 1; jz $+2; loop $-3; its exits, near to and far from each
 * other, and where they lead. The second jz takes two bytes, as its exit behind the instructions is
 * near. */
START_TEST(exits_are_found_by_their_places)
{
    const u32 end = H_CODE + 2 + 5 * CALLS;
    const u32 target[] = {H_CODE + 18, end + 4, end - 1, end + 2};
    struct texits all;
    PUT_AT(H_CODE, 0x74, 16);
    for (u32 at = H_CODE + 2; at < end; at += 5)
        PUT_AT(at, 0xb8, 1, 0, 0, 0);
    PUT_AT(end, 0x74, 0, 0xe2, 0xfb, HLT);
    cpu->regs[RCX] = 1;
    run_from(H_CODE);
    const struct tblock *b = block_at(H_CODE);
    texits_of(t, b, &all);
    ck_assert_uint_eq(all.count, ARRAY_LEN(target));
    for (unsigned n = 0; n < all.count; n++) {
        ck_assert_uint_eq(texit_target(t, b, &all.exit[n]), target[n]);
        ck_assert(!n || all.exit[n].place > all.exit[n - 1].place);
        ck_assert_int_eq(all.exit[n].stub != 0, n < 1);
    }
    ck_assert_uint_gt(all.exit[1].place - all.exit[0].place, 127);
}
END_TEST

/* test ecx, ecx; jz $+62; 35 times push eax; hlt: so much more code than the guest's that the exit
 * turns out to be too far away for a JCC of two bytes. At the target: push ebx; hlt. */
START_TEST(an_exit_that_is_too_far)
{
    enum { PUSHES = 35, TARGET = H_CODE + 64 };
    struct texits all;
    PUT_AT(H_CODE, 0x85, 0xc9, 0x74, 60);
    for (u32 n = 0; n < PUSHES; n++)
        PUT_AT(H_CODE + 4 + n, 0x50);
    PUT_AT(H_CODE + 4 + PUSHES, HLT);
    PUT_AT(TARGET, 0x53, HLT);
    cpu->regs[RAX] = 0xa;
    cpu->regs[RBX] = 0xb;
    for (unsigned n = 0; n < 4; n++) {
        const bool jumps = n % 2;
        cpu->regs[RSP] = H_STACK0;
        cpu->regs[RCX] = !jumps;
        run_from(H_CODE);
        ck_assert_uint_eq(cpu->regs[RSP], H_STACK0 - 4 * (jumps ? 1 : PUSHES));
        ck_assert_uint_eq(mem32(H_STACK0 - 4), jumps ? 0xb : 0xa);
    }
    texits_of(t, block_at(H_CODE), &all);
    ck_assert_uint_eq(texit_target(t, block_at(H_CODE), &all.exit[0]), TARGET);
    ck_assert_uint_ne(all.exit[0].stub, 0);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("links");
    TCase *c = tcase_create("links");
    tcase_add_checked_fixture(c, setup, engine_teardown);
    tcase_add_test(c, exits_of_one_page);
    tcase_add_test(c, one_guard_for_all_exits_to_a_block);
    tcase_add_test(c, either_end_is_dropped);
    tcase_add_test(c, guards_go_while_the_id_stays);
    tcase_add_test(c, after_a_long_time_exits_are_linked_anew);
    tcase_add_test(c, no_guard_outlives_its_ids);
    tcase_add_test(c, no_room_for_a_guard);
    tcase_add_test(c, exits_are_found_by_their_places);
    tcase_add_test(c, an_exit_that_is_too_far);
    suite_add_tcase(s, c);
    return suite_run(s);
}
