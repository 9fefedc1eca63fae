/* The map of a block, from host code to guest instructions: half a byte for most of them. */
/* SPDX-License-Identifier: MIT */
#include "translate/block.h"

/* Nibbles, the low one of a byte first. Most instructions are one of 15 pairs of lengths, or, by
 * a second nibble behind MORE, of another 15, or by a third one behind two MORE. After three come
 * the length of the guest's instruction, a kind, and two nibbles for the length of the host's, or
 * four. */
enum { MORE = 15, PAIRS = 3 * MORE };
enum { SHORT, LONG, STRING /* instruction, four nibbles */ };
struct pair {
    u8 guest; /* bytes of guest code */
    u8 host;  /* of host code */
};

static const struct pair pairs[PAIRS] = {
#define PAIR(guest, host) {guest, host},
#include "translate/pair.def"
#undef PAIR
};

enum pair_number {
#define PAIR(guest, host) PAIR_##guest##_##host,
#include "translate/pair.def"
#undef PAIR
};

/* One more than the number of a pair, 0: it is none. */
enum { GUEST_MAX = 16, HOST_MAX = 64 };
static const u8 pair_numbers[GUEST_MAX][HOST_MAX] = {
#define PAIR(guest, host) [guest][host] = PAIR_##guest##_##host + 1,
#include "translate/pair.def"
#undef PAIR
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
    if (p.string || p.host >= HOST_MAX || !pair_numbers[p.guest][p.host])
        return PAIRS;
    return pair_numbers[p.guest][p.host] - 1u;
}

static void put_long(u8 *at, unsigned *count, struct tplace p)
{
    const unsigned kind = p.string ? STRING : p.host < 256 ? SHORT : LONG;
    put(at, count, p.guest);
    put(at, count, kind);
    for (unsigned shift = 0; shift < (kind == SHORT ? 8 : 16); shift += 4)
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
    struct tplace p = {.guest = (u8)take(m)};
    const unsigned kind = take(m);
    p.string = kind == STRING;
    for (unsigned shift = 0; shift < (kind == SHORT ? 8 : 16); shift += 4)
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

unsigned tblock_guest_bytes(const struct translator *t, const struct tblock *b)
{
    struct nibbles m = map_of(t, b);
    unsigned bytes = 0;
    for (unsigned n = 0; n < b->count; n++)
        bytes += map_get(&m).guest;
    return b->count ? bytes : b->exit_count;
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

void tblock_spans(const struct translator *t, const struct tblock *b, struct tspan *span)
{
    struct nibbles m = map_of(t, b);
    struct tpart part = tblock_part(t, b, 0);
    unsigned in = 0; /* the part */
    for (unsigned n = 0, parts = 1; n < b->count; n++) {
        if (in == part.size) {
            part = tblock_part(t, b, parts++);
            in = 0;
        }
        const u8 length = map_get(&m).guest;
        span[n] = (struct tspan){(int)n, part.offset + (s32)in, length};
        in += length;
    }
    span[b->count] = (struct tspan){-1, part.offset + (s32)in, 0};
}

struct tspan tblock_span_at(const struct translator *t, const struct tblock *b, u64 offset)
{
    struct nibbles m = map_of(t, b);
    u64 host = tblock_more(t, b).start;
    unsigned guest = 0;
    for (unsigned n = 0; n < b->count && offset >= host; n++) {
        const struct tplace p = map_get(&m);
        host += p.host;
        if (offset < host)
            return (struct tspan){(int)n, tblock_offset(t, b, guest), p.guest};
        guest += p.guest;
    }
    return (struct tspan){-1, tblock_offset(t, b, guest), 0};
}

struct tspan tblock_jumps_to(const struct translator *t, const struct tblock *b, u64 offset)
{
    enum { JCC_SHORT = 7 /* high half of 70 to 7f */, BYTES = 2 };
    struct nibbles m = map_of(t, b);
    u32 host = tblock_more(t, b).start, guest = 0;
    for (unsigned n = 0; n < b->count; n++) {
        const struct tplace p = map_get(&m);
        const u8 *code = t->rw + tblock_start(t, b) + host;
        if (p.host >= BYTES && code[0] >> 4 == JCC_SHORT && host + BYTES + code[1] == offset)
            return (struct tspan){(int)n, tblock_offset(t, b, guest), p.guest};
        host += p.host;
        guest += p.guest;
    }
    return (struct tspan){-1, tblock_offset(t, b, guest), 0};
}

int tblock_insn_at(const struct translator *t, const struct tblock *b, u64 offset)
{
    return tblock_span_at(t, b, offset).n;
}
