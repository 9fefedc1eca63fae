/* Saved states: fields are found by their names, so that older and later versions read them;
 * damaged ones are refused. */
/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include "cpu/state.h"
#include "tests/unit/rig.h"

static struct error err;

/* What two versions of a chip have. */
struct chip {
    u8 small;     /* only the first */
    u32 middle;   /* both */
    u64 large;    /* both, in another order */
    bool flag;    /* only the second */
    u8 bytes[12]; /* only the second */
};

static void visit_first(struct chip *c, struct state *s, unsigned *version)
{
    *version = state_begin(s, "chip", 1);
    state_u8(s, "small", &c->small);
    state_u32(s, "middle", &c->middle);
    state_u64(s, "large", &c->large);
    state_end(s);
}

static void visit_second(struct chip *c, struct state *s, unsigned *version)
{
    *version = state_begin(s, "chip", 2);
    state_u64(s, "large", &c->large);
    state_bool(s, "flag", &c->flag);
    state_data(s, "bytes", c->bytes, sizeof c->bytes);
    state_u32(s, "middle", &c->middle);
    state_end(s);
}

/* What was saved, to be loaded. */
static struct state *reread(struct state *saved)
{
    size_t size;
    const u8 *bytes = state_bytes(saved, &size);
    struct state *s = state_parse(bytes, size, &err);
    ck_assert_msg(s != NULL, "%s", err.text);
    state_free(saved);
    return s;
}

/* An older state: what it lacks is as after a reset. */
START_TEST(by_a_later_version)
{
    struct chip old = {.small = 1, .middle = 2, .large = 3}, now = {.flag = true, .bytes = "reset"};
    struct state *s = state_new();
    unsigned version;
    visit_first(&old, s, &version);
    ck_assert_uint_eq(version, 1);
    s = reread(s);
    ck_assert(state_loading(s));
    visit_second(&now, s, &version);
    ck_assert_ptr_null(state_failed(s));
    ck_assert_uint_eq(version, 1);
    ck_assert_uint_eq(now.middle, 2);
    ck_assert_uint_eq(now.large, 3);
    ck_assert(now.flag);
    ck_assert_str_eq((char *)now.bytes, "reset");
    state_free(s);
}
END_TEST

/* A later state: what is not known is passed over. */
START_TEST(by_an_older_version)
{
    struct chip old = {.small = 77}, now = {.middle = 5, .large = 6, .flag = true, .bytes = "new"};
    struct state *s = state_new();
    unsigned version;
    visit_second(&now, s, &version);
    s = reread(s);
    visit_first(&old, s, &version);
    ck_assert_ptr_null(state_failed(s));
    ck_assert_uint_eq(version, 2);
    ck_assert_uint_eq(old.small, 77);
    ck_assert_uint_eq(old.middle, 5);
    ck_assert_uint_eq(old.large, 6);
    state_free(s);
}
END_TEST

/* A chip that the saved machine had not keeps everything; fields of the same name elsewhere are not
 * its own. */
START_TEST(sections)
{
    struct chip other = {.small = 1, .middle = 2, .large = 3},
                inner = {.small = 4, .middle = 5, .large = 6};
    struct state *s = state_new();
    unsigned version;
    state_begin(s, "board", 1);
    visit_first(&other, s, &version);
    state_begin(s, "slot", 3);
    visit_first(&inner, s, &version);
    state_end(s);
    state_end(s);
    s = reread(s);
    struct chip got = {.small = 9};
    visit_first(&got, s, &version);
    ck_assert_uint_eq(version, 0); /* not at the top */
    ck_assert_uint_eq(got.small, 9);
    state_begin(s, "board", 1);
    ck_assert_uint_eq(state_begin(s, "slot", 3), 3);
    visit_first(&got, s, &version);
    ck_assert_uint_eq(got.small, 4);
    state_end(s);
    ck_assert_uint_eq(state_begin(s, "missing", 1), 0);
    got = (struct chip){.small = 9};
    visit_first(&got, s, &version);
    ck_assert_uint_eq(got.small, 9);
    state_end(s);
    visit_first(&got, s, &version);
    ck_assert_uint_eq(got.small, 1);
    ck_assert_uint_eq(got.large, 3);
    state_end(s);
    ck_assert_ptr_null(state_failed(s));
    state_free(s);
}
END_TEST

START_TEST(another_size)
{
    struct chip c = {.middle = 7};
    u64 wide = 1;
    unsigned version;
    struct state *s = state_new();
    visit_first(&c, s, &version);
    s = reread(s);
    state_begin(s, "chip", 1);
    state_u64(s, "middle", &wide);
    state_end(s);
    ck_assert_ptr_nonnull(state_failed(s));
    ck_assert_uint_eq(wide, 1);
    state_free(s);
}
END_TEST

/* Cut short anywhere, or with any byte changed: refused, or read without harm. */
START_TEST(damaged)
{
    struct chip c = {.middle = 7};
    unsigned version;
    size_t size;
    struct state *saved = state_new();
    visit_second(&c, saved, &version);
    const u8 *bytes = state_bytes(saved, &size);
    for (size_t n = 0; n < size; n++) {
        u8 *copy = xmalloc(n + 1); /* so that reading on is seen */
        memcpy(copy, bytes, n);
        struct state *s = n ? state_parse(copy, n, &err) : NULL;
        ck_assert_msg(s == NULL, "cut after %d of %d bytes", (int)n, (int)size);
        free(copy);
        for (unsigned value = 0; value < 256; value++) {
            copy = xmalloc(size);
            memcpy(copy, bytes, size);
            copy[n] = (u8)value;
            s = state_parse(copy, size, &err);
            if (s)
                visit_second(&c, s, &version);
            state_free(s);
            free(copy);
        }
    }
    state_free(saved);
}
END_TEST

int main(void)
{
    static const TTest **const tests[] = {&by_a_later_version, &by_an_older_version, &sections,
                                          &another_size, &damaged};
    return rig_main("state", tests, ARRAY_LEN(tests));
}
