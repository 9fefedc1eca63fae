/* The decoder against capstone: every opcode of every map with prefixes and ModRM shapes in three
 * modes, then pseudo-random encodings. DECODE_FUZZ=N sets how many. */
/* SPDX-License-Identifier: MIT */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "tests/unit/decode_compare.h"
#include "tests/unit/suite.h"

enum { FUZZ_COUNT = 2000000, COMPLAINTS = 20 };

/* One test's state. */
struct run {
    struct compare compare; /* both decoders */
    u8 *guard;              /* the end of a page that is followed by nothing */
    u64 random;             /* xorshift64 */
    unsigned long compared; /* encodings compared */
    unsigned long valid;    /* of them, valid for both */
    unsigned differences;   /* of them, neither the same nor excused */
};

static void run_open(struct run *r)
{
    memset(r, 0, sizeof *r);
    compare_open(&r->compare);
    u8 *pages =
        mmap(NULL, 2 * PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    ck_assert_ptr_ne(pages, MAP_FAILED);
    ck_assert_int_eq(mprotect(pages + PAGE_SIZE, PAGE_SIZE, PROT_NONE), 0);
    r->guard = pages + PAGE_SIZE;
    r->random = 88172645463325252ull;
}

static void run_close(struct run *r)
{
    printf("%lu encodings, %lu valid, %u differences\n", r->compared, r->valid, r->differences);
    compare_close(&r->compare);
    munmap(r->guard - PAGE_SIZE, 2 * PAGE_SIZE);
    fflush(stdout);
    ck_assert_uint_eq(r->differences, 0);
}

static u64 random_next(struct run *r)
{
    r->random ^= r->random << 13;
    r->random ^= r->random >> 7;
    r->random ^= r->random << 17;
    return r->random;
}

/* A valid instruction is cut short anywhere: truncated, and nothing beyond its bytes is read. */
static bool truncation_right(const struct run *r, const u8 *bytes, enum code_mode mode)
{
    struct insn whole = r->compare.ours, cut;
    bool right = true;
    for (unsigned avail = 0; avail < whole.len; avail++) {
        memcpy(r->guard - avail, bytes, avail);
        right &= decode(r->guard - avail, avail, mode, &cut) == DECODE_TRUNCATED;
    }
    memcpy(r->guard - whole.len, bytes, whole.len);
    right &= decode(r->guard - whole.len, whole.len, mode, &cut) == DECODE_OK;
    return right && !memcmp(&cut, &whole, sizeof cut);
}

static void complain(struct run *r, const char *what, const u8 *bytes, enum code_mode mode)
{
    char text[512];
    if (r->differences++ >= COMPLAINTS)
        return;
    compare_describe(&r->compare, bytes, mode, text, sizeof text);
    printf("%s: %s\n", what, text);
}

static void compare_one(struct run *r, const u8 *bytes, enum code_mode mode)
{
    enum difference d = compare_bytes(&r->compare, bytes, mode);
    r->compared++;
    if (d != SAME && d != EXCUSED)
        complain(r, compare_kind(d), bytes, mode);
    if (d != SAME || r->compare.status != DECODE_OK)
        return;
    r->valid++;
    if (!truncation_right(r, bytes, mode))
        complain(r, "cut short", bytes, mode);
}

/* Prefixes to try, with their number; those with REX in 64-bit code only. */
static const struct prefixes {
    u8 count, bytes[3]; /* how many, and which */
    bool all_modrm;     /* with every ModRM byte, else with some */
    bool rex;           /* 64-bit code only */
} prefix_sets[] = {
    {0, {0}, true, false},
    {1, {0x66}, true, false},
    {1, {0xf3}, true, false},
    {1, {0xf2}, true, false},
    {1, {0x67}, false, false},
    {1, {0x2e}, false, false},
    {1, {0x36}, false, false},
    {1, {0x65}, false, false},
    {1, {0xf0}, false, false},
    {2, {0x66, 0xf2}, false, false},
    {2, {0xf3, 0x66}, false, false},
    {2, {0x66, 0x67}, false, false},
    {2, {0xf0, 0x66}, false, false},
    {2, {0xf2, 0xf3}, false, false},
    {3, {0x64, 0x66, 0xf3}, false, false},
    {1, {0x40}, false, true},
    {1, {0x41}, false, true},
    {1, {0x42}, false, true},
    {1, {0x44}, false, true},
    {1, {0x48}, true, true},
    {1, {0x4f}, false, true},
    {2, {0x66, 0x48}, false, true},
    {2, {0xf3, 0x4d}, false, true},
    {2, {0xf2, 0x4f}, false, true},
    {2, {0x48, 0x66}, false, true},
    {2, {0x67, 0x45}, false, true},
};

/* Is `modrm` one of the shapes to try where not all are? */
static bool modrm_some(unsigned modrm)
{
    unsigned shape = modrm & 0xc7;
    return shape == 0x00 || shape == 0x05 || shape == 0x06 || shape == 0x44 || shape == 0x82 ||
           shape == 0xc0 || shape == 0xc4 || shape == 0xc7;
}

/* Puts ModRM, SIB, displacement and immediates behind the opcode. */
static void tail_fill(struct run *r, u8 *bytes, unsigned at, unsigned modrm)
{
    u64 random[2] = {random_next(r), random_next(r)};
    bytes[at] = (u8)modrm;
    memcpy(bytes + at + 1, random, INSN_MAX_LEN - at - 1);
}

static void opcode_try(struct run *r, unsigned map, unsigned opcode, const struct prefixes *p,
                       enum code_mode mode)
{
    u8 bytes[INSN_MAX_LEN];
    unsigned at = p->count;
    memcpy(bytes, p->bytes, at);
    if (map)
        bytes[at++] = 0x0f;
    if (map > 1)
        bytes[at++] = map == 2 ? 0x38 : 0x3a;
    bytes[at++] = (u8)opcode;
    for (unsigned modrm = 0; modrm < 256; modrm++) {
        if (!modrm_some(modrm) && !p->all_modrm)
            continue;
        for (unsigned again = 0; again < ((modrm & 0xc7) == 0x04 ? 4 : 1); again++) {
            tail_fill(r, bytes, at, modrm);
            compare_one(r, bytes, mode);
        }
    }
}

/* Bytes of a map that are prefixes or lead to another map. */
static bool opcode_elsewhere(unsigned map, unsigned opcode, enum code_mode mode)
{
    static const u8 list[] = {0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65, 0x66,
                              0x67, 0xf0, 0xf2, 0xf3, 0x0f, 0xc4, 0xc5};
    if (map == 1)
        return opcode == 0x38 || opcode == 0x3a;
    return !map &&
           (memchr(list, (int)opcode, sizeof list) || (mode == MODE_64 && (opcode & 0xf0) == 0x40));
}

START_TEST(every_opcode)
{
    struct run r;
    enum code_mode mode = (enum code_mode)(_i / 4);
    unsigned map = (unsigned)_i % 4;
    run_open(&r);
    for (unsigned opcode = 0; opcode < 256; opcode++)
        for (unsigned n = 0; n < ARRAY_LEN(prefix_sets); n++)
            if (!opcode_elsewhere(map, opcode, mode) && (mode == MODE_64 || !prefix_sets[n].rex))
                opcode_try(&r, map, opcode, &prefix_sets[n], mode);
    run_close(&r);
}
END_TEST

/* Every L, W, pp, two values of vvvv, R, X and B for one opcode. */
static void vex_try(struct run *r, unsigned map, unsigned opcode, enum code_mode mode)
{
    static const u8 shapes[] = {0x00, 0x05, 0x44, 0xc1};
    u8 bytes[INSN_MAX_LEN] = {0xc4, 0, 0, (u8)opcode};
    for (unsigned fields = 0; fields < 32; fields++) {
        unsigned vvvv = fields & 16 ? 0x78 : 0x28;
        bytes[2] = (u8)((fields & 7) | (fields & 8) << 4 | vvvv);
        for (unsigned modrm = 0; modrm < 8 * ARRAY_LEN(shapes); modrm++) {
            unsigned rxb = mode == MODE_64 ? (unsigned)random_next(r) & 0xe0 : 0xe0;
            tail_fill(r, bytes, 4, shapes[modrm / 8] | (modrm & 7) << 3);
            bytes[1] = (u8)(map | rxb);
            compare_one(r, bytes, mode);
        }
    }
}

/* The two-byte form of the same. */
static void vex2_try(struct run *r, unsigned opcode, enum code_mode mode)
{
    u8 bytes[INSN_MAX_LEN] = {0xc5, 0, (u8)opcode};
    for (unsigned fields = 0; fields < 256; fields++) {
        if (mode != MODE_64 && fields < 0xc0)
            continue;
        tail_fill(r, bytes, 3, (unsigned)random_next(r) & 0xff);
        bytes[1] = (u8)fields;
        compare_one(r, bytes, mode);
    }
}

START_TEST(every_vex_opcode)
{
    struct run r;
    enum code_mode mode = (enum code_mode)_i;
    run_open(&r);
    for (unsigned opcode = 0; opcode < 256; opcode++) {
        for (unsigned map = 1; map <= 3; map++)
            vex_try(&r, map, opcode, mode);
        vex2_try(&r, opcode, mode);
    }
    run_close(&r);
}
END_TEST

/* Every ModRM and SIB byte, with every REX, both address sizes. */
START_TEST(every_address)
{
    struct run r;
    enum code_mode mode = (enum code_mode)_i;
    run_open(&r);
    for (unsigned rex = 0; rex < (mode == MODE_64 ? 32 : 2); rex++)
        for (unsigned modrm = 0; modrm < 256; modrm++)
            for (unsigned sib = 0; sib < ((modrm & 7) == 4 ? 256 : 1); sib++) {
                u8 bytes[INSN_MAX_LEN] = {rex & 1 ? 0x67 : 0x90, (u8)(0x40 | rex >> 1), 0x8b};
                unsigned skip = !(rex & 1);
                if (mode != MODE_64)
                    bytes[1] = bytes[0], skip++;
                if (mode != MODE_64 && rex & 1)
                    skip = 1;
                tail_fill(&r, bytes, 3, modrm);
                bytes[4] = (u8)sib;
                memmove(bytes, bytes + skip, INSN_MAX_LEN - skip);
                compare_one(&r, bytes, mode);
            }
    run_close(&r);
}
END_TEST

/* Random bytes, with a start that leads into the maps more often than chance would. */
static void fuzz_bytes(struct run *r, u8 *bytes)
{
    u64 random[2] = {random_next(r), random_next(r)}, how = random_next(r);
    unsigned at = 0;
    memcpy(bytes, random, INSN_MAX_LEN);
    for (; how & 1 && at < 4; how >>= 5, at++)
        bytes[at] =
            (u8) "\x66\x67\xf2\xf3\x64\x2e\xf0\x48\x41\x44\x4d\x66\xf3\xf2\x3e\x65"[how >> 1 & 15];
    switch (how >> 5 & 7) {
    case 0: bytes[at] = 0x0f; break;
    case 1: bytes[at] = 0x0f, bytes[at + 1] = 0x38; break;
    case 2: bytes[at] = 0x0f, bytes[at + 1] = 0x3a; break;
    case 3:
        bytes[at] = 0xc4, bytes[at + 1] = (u8)((bytes[at + 1] & 0xe0) | (1 + (how >> 8 & 1)));
        break;
    case 4: bytes[at] = 0xc5; break;
    default: break;
    }
}

START_TEST(random_encodings)
{
    struct run r;
    const char *count = getenv("DECODE_FUZZ");
    unsigned long n = count ? strtoul(count, NULL, 0) : FUZZ_COUNT;
    run_open(&r);
    for (; n; n--) {
        u8 bytes[INSN_MAX_LEN + 1];
        fuzz_bytes(&r, bytes);
        compare_one(&r, bytes, (enum code_mode)(n % 3));
    }
    run_close(&r);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("decode against capstone");
    TCase *tcase = tcase_create("compare");
    tcase_set_timeout(tcase, 0);
    tcase_add_loop_test(tcase, every_opcode, 0, 12);
    tcase_add_loop_test(tcase, every_vex_opcode, 0, 3);
    tcase_add_loop_test(tcase, every_address, 0, 3);
    tcase_add_test(tcase, random_encodings);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
