/* The map of a block: what was put is found, whatever its lengths. */
/* SPDX-License-Identifier: MIT */
#include <check.h>
#include <stdlib.h>

#include "cpu/base.h"
#include "tests/unit/suite.h"
#include "translate/block.h"
#include "translate/scan.h"
#include "translate/translate.h"

struct map {
    struct translator *t;                /* one block's code and map */
    struct tblock b;                     /* that block */
    u32 near;                            /* offset of its code */
    u8 code[8 * SCAN_MAX_INSNS];         /* where its map is */
    struct tplace place[SCAN_MAX_INSNS]; /* what it says */
    u8 *end;                             /* of it */
};

static void put(struct map *m, unsigned count)
{
    m->t = xcalloc(1, sizeof *m->t);
    m->t->rw = m->code;
    m->t->block = &m->b;
    m->t->code_near = &m->near;
    m->near = 0;
    m->b = (struct tblock){.count = (u8)count & 127};
    m->end = map_put(m->code, m->place, count);
}

static void check(struct map *m)
{
    struct tpoint at = {0};
    struct tspan span[SCAN_MAX_INSNS + 1];
    tblock_spans(m->t, &m->b, span);
    for (unsigned n = 0; n < m->b.count; n++) {
        const struct tplace p = m->place[n], found = tblock_insn(m->t, &m->b, n);
        ck_assert_uint_eq(found.guest, p.guest);
        ck_assert_uint_eq(found.host, p.host);
        ck_assert_int_eq(found.string, p.string);
        ck_assert_uint_eq(span[n].length, p.guest);
        ck_assert_uint_eq(tblock_point(m->t, &m->b, n).guest, at.guest);
        ck_assert_uint_eq(tblock_point(m->t, &m->b, n).host, at.host);
        at.guest += p.guest;
        at.host += p.host;
        if (p.host) {
            ck_assert_int_eq(tblock_insn_at(m->t, &m->b, at.host - 1), (int)n);
            ck_assert_int_eq(tblock_insn_at(m->t, &m->b, at.host - p.host), (int)n);
        }
    }
    ck_assert_int_eq(tblock_insn_at(m->t, &m->b, at.host), -1);
    ck_assert_uint_eq(tblock_guest_bytes(m->t, &m->b), (unsigned)at.guest);
    ck_assert_ptr_eq(tblock_map_end(m->t, &m->b), m->end);
    free(m->t);
}

/* All pairs that are short, and many that are not. */
START_TEST(every_length)
{
    struct map m;
    for (unsigned guest = 1; guest <= 15; guest++) {
        for (unsigned from = 0; from < 128; from += SCAN_MAX_INSNS) {
            for (unsigned n = 0; n < SCAN_MAX_INSNS; n++)
                m.place[n] = (struct tplace){.guest = (u8)guest, .host = (u16)(from + n)};
            put(&m, SCAN_MAX_INSNS);
            check(&m);
        }
    }
}
END_TEST

/* Long ones and string instructions between short ones, in blocks of each length. */
START_TEST(mixed)
{
    static const struct tplace kinds[] = {{2, 2, false}, {1971, 15, false}, {8, 1, false},
                                          {22, 2, true}, {3, 5, false},     {2, 2, true}};
    struct map m;
    for (unsigned count = 1; count <= SCAN_MAX_INSNS; count++) {
        for (unsigned n = 0; n < count; n++)
            m.place[n] = kinds[n * 5 / 2 % ARRAY_LEN(kinds)];
        put(&m, count);
        check(&m);
    }
}
END_TEST

/* The commonest take half a byte each. */
START_TEST(short_ones)
{
    struct map m;
    for (unsigned n = 0; n < SCAN_MAX_INSNS; n++)
        m.place[n] = (struct tplace){.guest = 2, .host = 2};
    put(&m, SCAN_MAX_INSNS);
    ck_assert_int_eq(m.end - m.code, SCAN_MAX_INSNS / 2);
    check(&m);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("map");
    TCase *c = tcase_create("map");
    tcase_add_test(c, every_length);
    tcase_add_test(c, mixed);
    tcase_add_test(c, short_ones);
    suite_add_tcase(s, c);
    return suite_run(s);
}
