/* Direct windows: what is mapped where with which right, and that it goes when it must. */
/* SPDX-License-Identifier: MIT */
#include "mmu/window.h"
#include "tests/unit/suite.h"

#include <check.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

enum { MIB = 1 << 20, LIN = 0x8048000, FRAME = 0x300000 };

static struct physmem *pm;
static struct windows *ws;
static struct window *w;
static struct error err;
static int pipe_fd[2];

static void setup(void)
{
    pm = physmem_new(16 * MIB, 0, NULL, &err);
    ws = windows_new(pm);
    w = windows_get(ws, 1);
    ck_assert_ptr_nonnull(w);
    ck_assert_int_eq(pipe(pipe_fd), 0);
}

static void teardown(void)
{
    windows_free(ws);
    physmem_free(pm);
    close(pipe_fd[0]);
    close(pipe_fd[1]);
}

/* Page n behind LIN is page n behind FRAME, but for the holes; odd ones cannot be written. */
struct layout {
    u32 holes;     /* bit per page */
    bool readonly; /* all pages */
    bool reversed; /* RAM pages in descending order */
};

static bool peek(void *opaque, u32 lin, struct window_page *page)
{
    const struct layout *l = opaque;
    u32 n = (lin >> PAGE_SHIFT) - (LIN >> PAGE_SHIFT);
    if (n < 32 && l->holes >> n & 1)
        return false;
    u32 at = l->reversed ? 63 - (n & 63) : n & 63;
    *page = (struct window_page){FRAME + at * PAGE_SIZE, !l->readonly};
    return true;
}

static u8 *host(u32 lin)
{
    return window_base(w) + lin;
}

/* The host kernel refuses to read or write what is not mapped so. */
static bool readable(u32 lin)
{
    char c;
    return write(pipe_fd[1], host(lin), 1) == 1 && read(pipe_fd[0], &c, 1) == 1;
}

static bool writable(u32 lin)
{
    char c = 0;
    ck_assert_int_eq(write(pipe_fd[1], &c, 1), 1);
    bool ok = read(pipe_fd[0], host(lin), 1) == 1;
    if (!ok)
        ck_assert_int_eq(read(pipe_fd[0], &c, 1), 1);
    return ok;
}

START_TEST(fill_maps_the_group)
{
    struct layout l = {.holes = BIT(2)};
    ck_assert_uint_eq((uintptr_t)window_base(w) & UINT32_MAX, 0);
    *physmem_ram(pm, FRAME + PAGE_SIZE + 5) = 0x5a;
    ck_assert(!readable(LIN));
    ck_assert(window_fill(w, LIN + PAGE_SIZE + 5, true, WINDOW_RUN, peek, &l));
    ck_assert_uint_eq(*host(LIN + PAGE_SIZE + 5), 0x5a);
    ck_assert(readable(LIN) && writable(LIN + 3 * PAGE_SIZE));
    ck_assert(!readable(LIN + 2 * PAGE_SIZE));
    ck_assert(readable(LIN + 7 * PAGE_SIZE)); /* the group ends there: 0x8050000 */
    ck_assert(!readable(LIN + 8 * PAGE_SIZE));
    ck_assert(!window_fill(w, LIN + 2 * PAGE_SIZE, false, WINDOW_RUN, peek, &l));
    *host(LIN + 9) = 0x77;
    ck_assert_uint_eq(*physmem_ram(pm, FRAME + 9), 0x77);
}
END_TEST

START_TEST(pages_out_of_order_are_right)
{
    struct layout l = {.reversed = true};
    for (unsigned n = 0; n < 8; n++)
        *physmem_ram(pm, FRAME + (63 - n) * PAGE_SIZE) = (u8)(0x10 + n);
    ck_assert(window_fill(w, LIN, false, WINDOW_RUN, peek, &l));
    for (unsigned n = 0; n < 8; n++)
        ck_assert_uint_eq(*host(LIN + n * PAGE_SIZE), 0x10 + n);
}
END_TEST

START_TEST(readonly_until_it_may_be_written)
{
    struct layout l = {.readonly = true};
    ck_assert(window_fill(w, LIN, false, WINDOW_RUN, peek, &l));
    ck_assert(readable(LIN) && !writable(LIN));
    ck_assert(!window_fill(w, LIN, true, WINDOW_RUN, peek, &l));
    l.readonly = false;
    ck_assert(window_fill(w, LIN, true, WINDOW_RUN, peek, &l));
    ck_assert(writable(LIN));
    ck_assert(!writable(LIN + PAGE_SIZE)); /* the others are not touched */
}
END_TEST

START_TEST(protect_reaches_every_place)
{
    struct layout l = {0};
    struct window *other = windows_get(ws, 2);
    ck_assert(window_fill(w, LIN, true, WINDOW_RUN, peek, &l));
    ck_assert(
        window_fill(w, LIN + 64 * PAGE_SIZE, true, WINDOW_RUN, peek, &l)); /* the same RAM again */
    ck_assert(window_fill(other, LIN, true, WINDOW_RUN, peek, &l));
    windows_protect(ws, FRAME + 3 * PAGE_SIZE + 17);
    ck_assert(!writable(LIN + 3 * PAGE_SIZE) && !writable(LIN + 67 * PAGE_SIZE));
    ck_assert(readable(LIN + 3 * PAGE_SIZE));
    ck_assert(writable(LIN + 2 * PAGE_SIZE) && writable(LIN + 66 * PAGE_SIZE));
    w = other;
    ck_assert(!writable(LIN + 3 * PAGE_SIZE) && writable(LIN));
}
END_TEST

/* Code that changes: written in turn with being protected, it stays read-only; a page that is only
 * written later does not. */
START_TEST(busy_pages_are_readonly_for_a_while)
{
    struct layout l = {0};
    unsigned filled = 0, missed = 0;
    for (unsigned n = 0; n < 100; n++) {
        if (!window_fill(w, LIN, true, WINDOW_RUN, peek, &l))
            continue;
        filled++;
        windows_protect(ws, FRAME);
    }
    ck_assert_uint_lt(filled, 20);
    while (!window_fill(w, LIN, true, WINDOW_RUN, peek, &l))
        ck_assert_uint_lt(missed++, 10);
    ck_assert(writable(LIN));
}
END_TEST

/* A frame buffer: what only the display looks at is written again at once, however often. */
START_TEST(marked_pages_are_not_busy)
{
    struct layout l = {0};
    for (unsigned n = 0; n < 100; n++) {
        ck_assert(window_fill(w, LIN, true, WINDOW_RUN, peek, &l));
        ck_assert(writable(LIN));
        physmem_mark(pm, FRAME, PAGE_CLEAN_VGA);
        windows_protect(ws, FRAME);
        ck_assert(!writable(LIN));
        physmem_before_write(pm, FRAME, 1);
    }
}
END_TEST

START_TEST(drop_page_and_all)
{
    struct layout l = {0};
    ck_assert(window_fill(w, LIN, true, WINDOW_RUN, peek, &l));
    window_drop_range(w, LIN + PAGE_SIZE, PAGE_SIZE);
    ck_assert(!readable(LIN + PAGE_SIZE) && readable(LIN) && readable(LIN + 2 * PAGE_SIZE));
    ck_assert(window_fill(w, LIN + PAGE_SIZE, true, WINDOW_RUN, peek, &l));
    ck_assert(writable(LIN + PAGE_SIZE));
    window_drop(w);
    for (unsigned n = 0; n < 8; n++)
        ck_assert(!readable(LIN + n * PAGE_SIZE));
    windows_protect(ws, FRAME); /* nothing is left there */
    ck_assert_uint_eq(windows_counts(ws).protections, 0);
}
END_TEST

START_TEST(ranges_go_together)
{
    struct layout l = {0};
    ck_assert(window_fill(w, LIN, true, WINDOW_RUN, peek, &l));
    ck_assert(window_fill(w, LIN + 32 * PAGE_SIZE, true, WINDOW_RUN, peek, &l));
    window_drop_range(w, 0x8400000, 4 * MIB);
    ck_assert(readable(LIN));
    window_drop_range(w, 0x8000000, 4 * MIB);
    ck_assert(!readable(LIN) && !readable(LIN + 32 * PAGE_SIZE));
    ck_assert(window_fill(w, LIN, true, WINDOW_RUN, peek, &l));
    window_drop_range(w, 0, BIT64(32));
    ck_assert(!readable(LIN));
}
END_TEST

/* What may have changed and has not stays mapped, and nothing is asked of the host. */
START_TEST(settled_pages_stay)
{
    struct layout l = {0};
    ck_assert(window_fill(w, LIN, true, WINDOW_RUN, peek, &l));
    window_suspect(w, 0x8000000, 4 * MIB);
    window_suspect(w, LIN, PAGE_SIZE);
    ck_assert_uint_eq(window_settle(w, peek, &l), 0);
    ck_assert(writable(LIN) && writable(LIN + 7 * PAGE_SIZE));
    ck_assert_uint_eq(windows_counts(ws).drops, 0);
}
END_TEST

/* Pages that are protected, and others that are gone, are told to the host by runs. */
START_TEST(settled_in_runs)
{
    struct layout l = {0}, readonly = {.readonly = true}, gone = {.holes = 0x66};
    ck_assert(window_fill(w, LIN, true, WINDOW_RUN, peek, &l));
    window_suspect(w, LIN + PAGE_SIZE, PAGE_SIZE);
    window_suspect(w, LIN, PAGE_SIZE);
    ck_assert_uint_eq(window_settle(w, peek, &readonly), 1);
    ck_assert(readable(LIN) && readable(LIN + PAGE_SIZE));
    ck_assert(!writable(LIN) && !writable(LIN + PAGE_SIZE) && writable(LIN + 2 * PAGE_SIZE));
    window_suspect(w, LIN, 8 * PAGE_SIZE);
    ck_assert_uint_eq(window_settle(w, peek, &gone), 2);
    for (unsigned n = 0; n < 8; n++)
        ck_assert_int_eq(readable(LIN + n * PAGE_SIZE), !(gone.holes >> n & 1));
    ck_assert_uint_eq(window_settle(w, peek, &gone), 0);
}
END_TEST

/* Another frame at the same place; a gap that is not mapped does not part what goes around it. */
START_TEST(settled_elsewhere)
{
    struct layout l = {.holes = 4}, reversed = {.reversed = true};
    ck_assert(window_fill(w, LIN, true, WINDOW_RUN, peek, &l));
    window_suspect(w, LIN, 8 * PAGE_SIZE);
    ck_assert_uint_eq(window_settle(w, peek, &reversed), 1);
    for (unsigned n = 0; n < 8; n++)
        ck_assert(!readable(LIN + n * PAGE_SIZE));
    ck_assert(window_fill(w, LIN, true, WINDOW_RUN, peek, &reversed));
    ck_assert(writable(LIN));
}
END_TEST

/* A page that becomes code or a page table meanwhile. */
START_TEST(protected_before_it_is_settled)
{
    struct layout l = {0};
    ck_assert(window_fill(w, LIN, true, WINDOW_RUN, peek, &l));
    window_suspect(w, LIN, PAGE_SIZE);
    windows_protect(ws, FRAME);
    window_settle(w, peek, &l);
    ck_assert(!writable(LIN) && writable(LIN + PAGE_SIZE));
}
END_TEST

START_TEST(nothing_to_settle_after_a_drop)
{
    struct layout l = {0};
    ck_assert(window_fill(w, LIN, true, WINDOW_RUN, peek, &l));
    window_suspect(w, LIN, 8 * PAGE_SIZE);
    window_drop(w);
    ck_assert_uint_eq(window_settle(w, peek, &l), 0);
    ck_assert(window_fill(w, LIN, true, WINDOW_RUN, peek, &l));
    window_suspect(w, LIN, PAGE_SIZE);
    window_drop_range(w, LIN, PAGE_SIZE);
    ck_assert_uint_eq(window_settle(w, peek, &l), 0);
    ck_assert(!readable(LIN) && writable(LIN + PAGE_SIZE));
}
END_TEST

START_TEST(released_windows_are_empty)
{
    struct layout l = {0};
    ck_assert(window_fill(w, LIN, true, WINDOW_RUN, peek, &l));
    windows_release(ws, 1);
    ck_assert_ptr_null(windows_find(ws, 1));
    w = windows_get(ws, 7);
    ck_assert(!readable(LIN));
}
END_TEST

/* The space that was not used for longest gives its window away, empty. */
START_TEST(windows_are_taken_in_turn)
{
    struct layout l = {0};
    ck_assert(window_fill(w, LIN, true, WINDOW_RUN, peek, &l));
    for (u64 key = 2; key < 60; key++) {
        struct window *fresh = windows_get(ws, key);
        ck_assert_ptr_nonnull(fresh);
        ck_assert_ptr_eq(windows_get(ws, key), fresh);
    }
    ck_assert(!readable(LIN));
    ck_assert_uint_gt(windows_counts(ws).evictions, 0);
}
END_TEST

/* Scattered pages for as long as the host allows: it never refuses, and what was asked for last is
 * there. */
START_TEST(budget_holds)
{
    struct layout l = {.reversed = true};
    for (u32 n = 0; n < 6000; n++) {
        u32 lin = n * 37 % 65536 * 16 * PAGE_SIZE;
        ck_assert(window_fill(w, lin, true, WINDOW_RUN, peek, &l));
        ck_assert(readable(lin));
    }
    ck_assert_uint_gt(windows_counts(ws).evictions, 0);
}
END_TEST

/* One that takes more than a quarter of the time, for longer than it does not. */
START_TEST(worth_what_filling_costs)
{
    u16 filled = 0;
    for (unsigned n = 0; n < 10 * WINDOW_FILLED_MAX; n++)
        ck_assert(
            window_worth(&filled, 300 - n % 2 * 100, 1000, false)); /* every other time too much */
    for (unsigned n = 1; n < WINDOW_FILLED_MAX; n++)
        ck_assert(window_worth(&filled, 251, 1000, false));
    ck_assert(window_worth(&filled, 250, 1000, false));
    ck_assert(window_worth(&filled, 251, 1000, false));
    ck_assert(!window_worth(&filled, 251, 1000, false));
}
END_TEST

/* A program that touches its memory for the first time keeps its window. */
START_TEST(new_pages_are_worth_it)
{
    u16 filled = WINDOW_FILLED_MAX - 1;
    for (unsigned n = 0; n < 10 * WINDOW_FILLED_MAX; n++)
        ck_assert(window_worth(&filled, 900, 1000, true));
    ck_assert_uint_eq(filled, 0);
}
END_TEST

/* Pages that lie in a row in RAM as well, mapped one by one, are one area of the host's. */
START_TEST(rows_cost_no_budget)
{
    struct layout l = {0};
    for (u32 n = 0; n < 40000; n++)
        ck_assert(window_fill(w, LIN + n * PAGE_SIZE, true, 1, peek, &l));
    ck_assert_uint_eq(windows_counts(ws).evictions, 0);
    ck_assert(writable(LIN));
}
END_TEST

int main(void)
{
    Suite *s = suite_create("window");
    TCase *c = tcase_create("window");
    tcase_add_checked_fixture(c, setup, teardown);
    tcase_add_test(c, fill_maps_the_group);
    tcase_add_test(c, pages_out_of_order_are_right);
    tcase_add_test(c, readonly_until_it_may_be_written);
    tcase_add_test(c, protect_reaches_every_place);
    tcase_add_test(c, busy_pages_are_readonly_for_a_while);
    tcase_add_test(c, marked_pages_are_not_busy);
    tcase_add_test(c, drop_page_and_all);
    tcase_add_test(c, ranges_go_together);
    tcase_add_test(c, settled_pages_stay);
    tcase_add_test(c, settled_in_runs);
    tcase_add_test(c, settled_elsewhere);
    tcase_add_test(c, protected_before_it_is_settled);
    tcase_add_test(c, nothing_to_settle_after_a_drop);
    tcase_add_test(c, released_windows_are_empty);
    tcase_add_test(c, windows_are_taken_in_turn);
    tcase_add_test(c, budget_holds);
    tcase_add_test(c, worth_what_filling_costs);
    tcase_add_test(c, new_pages_are_worth_it);
    tcase_add_test(c, rows_cost_no_budget);
    tcase_set_timeout(c, 60);
    suite_add_tcase(s, c);
    return suite_run(s);
}
