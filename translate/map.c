/* The map of a block, from host code to guest instructions: half a byte for most of them. */
/* SPDX-License-Identifier: MIT */
#include "translate/translate.h"

/* Nibbles, the low one of a byte first. Most instructions are one of 15 pairs of lengths, or, by
 * a second nibble behind MORE, of another 15, or by a third one behind two MORE. After three come
 * the length of the guest's instruction, 1 for a string instruction, and four nibbles for the
 * length of the host's. */
enum { MORE = 15, PAIRS = 3 * MORE };
struct pair {
    u8 guest; /* bytes of guest code */
    u8 host;  /* of host code */
};

/* By how often they are seen in a boot of Linux. */
static const struct pair pairs[PAIRS] = {
    {2, 2}, {3, 4},  {1, 4},  {3, 3}, {2, 3},  {3, 5},  {2, 6},  {6, 6}, {5, 31},
    {5, 5}, {2, 11}, {1, 9},  {6, 7}, {3, 8},  {4, 5},  {1, 8},  {5, 2}, {2, 4},
    {7, 8}, {2, 5},  {6, 8},  {4, 4}, {4, 6},  {6, 11}, {7, 12}, {6, 9}, {5, 9},
    {5, 6}, {6, 12}, {1, 12}, {3, 9}, {3, 51}, {1, 2},  {3, 2},  {2, 8}, {10, 11},
    {7, 9}, {3, 6},  {1, 51}, {4, 7}, {2, 7},  {3, 7},  {7, 10}, {4, 3}, {5, 8},
};

struct nibbles {
    const u8 *at;   /* the map */
    unsigned count; /* nibbles that were taken from it */
};

static unsigned take(struct nibbles *m)
{
    unsigned byte = m->at[m->count / 2], shift = m->count % 2 * 4;
    m->count++;
    return byte >> shift & 15;
}

static void put(u8 *at, unsigned *count, unsigned nibble)
{
    u8 *byte = &at[*count / 2];
    *byte = *count % 2 ? (u8)(*byte | nibble << 4) : (u8)nibble;
    ++*count;
}

/* Which pair it is, or PAIRS. */
static unsigned pair_of(struct tplace p)
{
    unsigned n = p.string ? PAIRS : 0;
    while (n < PAIRS && (pairs[n].guest != p.guest || pairs[n].host != p.host))
        n++;
    return n;
}

static void put_long(u8 *at, unsigned *count, struct tplace p)
{
    put(at, count, p.guest);
    put(at, count, p.string);
    for (unsigned shift = 0; shift < 16; shift += 4)
        put(at, count, p.host >> shift & 15);
}

u8 *map_put(u8 *at, const struct tplace *p, unsigned count)
{
    unsigned done = 0;
    for (const struct tplace *end = p + count; p < end; p++) {
        unsigned n = pair_of(*p);
        for (unsigned more = n / MORE; more; more--)
            put(at, &done, MORE);
        if (n < PAIRS)
            put(at, &done, n % MORE);
        else
            put_long(at, &done, *p);
    }
    return at + (done + 1) / 2;
}

static struct tplace take_long(struct nibbles *m)
{
    struct tplace p = {.guest = (u8)take(m), .string = take(m)};
    for (unsigned shift = 0; shift < 16; shift += 4)
        p.host = (u16)(p.host | take(m) << shift);
    return p;
}

static struct tplace map_get(struct nibbles *m)
{
    for (unsigned first = 0; first < PAIRS; first += MORE) {
        unsigned n = take(m);
        if (n < MORE)
            return (struct tplace){.host = pairs[first + n].host, .guest = pairs[first + n].guest};
    }
    return take_long(m);
}

static struct nibbles map_of(const struct translator *t, const struct tblock *b)
{
    return (struct nibbles){tblock_map(t, b), 0};
}

const u8 *tblock_map_end(const struct translator *t, const struct tblock *b)
{
    struct nibbles m = map_of(t, b);
    for (unsigned n = 0; n < b->count; n++)
        map_get(&m);
    return m.at + (m.count + 1) / 2;
}

struct tplace tblock_insn(const struct translator *t, const struct tblock *b, unsigned n)
{
    struct nibbles m = map_of(t, b);
    for (unsigned i = 0; i < n; i++)
        map_get(&m);
    return map_get(&m);
}

struct tpoint tblock_point(const struct translator *t, const struct tblock *b, unsigned n)
{
    struct nibbles m = map_of(t, b);
    u32 host = tblock_more(t, b).start, guest = 0;
    for (unsigned i = 0; i < n; i++) {
        struct tplace p = map_get(&m);
        host += p.host;
        guest += p.guest;
    }
    return (struct tpoint){host, tblock_offset(t, b, guest)};
}

int tblock_insn_at(const struct translator *t, const struct tblock *b, u64 offset)
{
    struct nibbles m = map_of(t, b);
    u64 end = tblock_more(t, b).start;
    if (offset < end)
        return -1;
    for (unsigned n = 0; n < b->count; n++) {
        end += map_get(&m).host;
        if (offset < end)
            return (int)n;
    }
    return -1;
}
