/* Linux's own symbol table in guest memory: kallsyms, as scripts/kallsyms.c of Linux 5 and 6 lays
 * it out for 32-bit kernels: offsets, relative base, count, names, markers, token table, token
 * index. It is recognised by the tokens of the ten digits, which stand in a row. */
/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "frontend/symbols.h"
#include "mmu/physmem.h"

enum {
    TOKENS = 256,
    DIGIT = '0',
    GROUP = 256,
    NAME_MAX_LEN = 512,
    MARKERS_MAX = 4096,
    ORDER_MAX = 2 << 20
};
/* The longest group of names: as many bytes as 256 long names take. */
enum { GROUP_BYTES_MAX = GROUP * 128 };

/* What was found; addresses are offsets into the guest's RAM. */
struct kallsyms {
    const u8 *ram;     /* host address of the RAM */
    u64 size;          /* its bytes */
    u64 tokens, index; /* token table, token index */
    u64 markers;       /* place in names of each 256th symbol */
    unsigned groups;   /* markers */
    u64 names;         /* length and tokens of each symbol */
    u32 count;         /* symbols */
};

static u32 word(const struct kallsyms *k, u64 at)
{
    return at + 4 <= k->size ? load_le32(k->ram + at) : 0;
}

/* The token table around the digits at `at`: its index follows it, and says where '0' is. */
static bool find_tokens(struct kallsyms *k, u64 at)
{
    u64 end = at;
    for (unsigned n = DIGIT; n < TOKENS; n++) {
        const u8 *nul = end < k->size ? memchr(k->ram + end, 0, k->size - end) : NULL;
        if (!nul || nul - (k->ram + end) > NAME_MAX_LEN)
            return false;
        end = (u64)(nul - k->ram) + 1;
    }
    k->index = (end + 3) & ~3ull;
    if (k->index + 2 * TOKENS > k->size)
        return false;
    const u8 *index = k->ram + k->index;
    u64 back = load_le16(index + 2 * DIGIT);
    k->tokens = at - back;
    if (load_le16(index) || back > at || load_le16(index + 2 * DIGIT + 2) != back + 2)
        return false;
    for (unsigned n = 1; n < TOKENS; n++)
        if (load_le16(index + 2 * n) <= load_le16(index + 2 * n - 2))
            return false;
    return !(k->tokens & 3);
}

/* Bytes of the name at `at`, its length included; 0: none. */
static u64 name_bytes(const struct kallsyms *k, u64 at, u64 *tokens)
{
    if (at + 2 > k->size)
        return 0;
    unsigned len = k->ram[at];
    *tokens = at + 1 + (len >> 7);
    if (len & 0x80)
        len = (len & 0x7f) | (unsigned)k->ram[at + 1] << 7;
    return len && *tokens + len <= k->size ? *tokens - at + len : 0;
}

/* Do the names at k->names agree with all markers? */
static bool names_fit(const struct kallsyms *k)
{
    u64 at = k->names, tokens;
    for (u32 n = 0; n < k->count; n++) {
        if (n % GROUP == 0 && at - k->names != word(k, k->markers + n / GROUP * 4))
            return false;
        u64 bytes = name_bytes(k, at, &tokens);
        if (!bytes || at + bytes > k->markers)
            return false;
        at += bytes;
    }
    return true;
}

/* The names end at the markers, and start behind their count. */
static bool find_names(struct kallsyms *k)
{
    u64 last = word(k, k->markers + 4ull * (k->groups - 1));
    if (last + GROUP_BYTES_MAX > k->markers)
        return false;
    for (u64 at = (k->markers - last - GROUP_BYTES_MAX) & ~3ull; at < k->markers - last; at += 4) {
        k->names = at;
        k->count = word(k, at - 4);
        if ((k->count + GROUP - 1) / GROUP == k->groups && names_fit(k))
            return 4ull * k->count + 8 <= k->names;
    }
    return false;
}

/* How many words at `at` grow as markers do. */
static unsigned growing(const struct kallsyms *k, u64 at)
{
    unsigned n = 1;
    while (n < MARKERS_MAX && at + 4 * n + 4 <= k->tokens) {
        u32 step = word(k, at + 4 * n) - word(k, at + 4 * n - 4);
        if (step < 2 * GROUP || step > GROUP_BYTES_MAX)
            break;
        n++;
    }
    return n;
}

/* The markers start with 0. Between them and the tokens there is nothing, or three bytes a symbol
 * (since 6.2, and in later 6.1: the order of the names). */
static bool markers_at(struct kallsyms *k, u64 at)
{
    unsigned most = word(k, at) ? 0 : growing(k, at);
    for (k->groups = most; k->groups > 2 && k->groups + 2 > most; k->groups--) {
        u64 gap = k->tokens - (at + 4ull * k->groups), count = gap / 3;
        k->markers = at;
        if (!gap || (count + GROUP - 1) / GROUP == k->groups)
            return true;
    }
    return false;
}

static bool find_markers(struct kallsyms *k)
{
    for (u64 back = 4; back < ORDER_MAX && back + 4 <= k->tokens; back += 4)
        if (markers_at(k, k->tokens - back) && find_names(k))
            return true;
    return false;
}

/* A name in full: its tokens one after the other; the first character is the type. */
static size_t expand(const struct kallsyms *k, u64 at, u64 end, char *name)
{
    size_t len = 0;
    for (; at < end; at++) {
        u64 token = k->tokens + load_le16(k->ram + k->index + 2 * k->ram[at]);
        for (; token < k->size && k->ram[token] && len < NAME_MAX_LEN; token++)
            name[len++] = (char)k->ram[token];
    }
    return len;
}

static void add_all(const struct kallsyms *k, struct symbols *s)
{
    char name[NAME_MAX_LEN];
    u32 base = word(k, k->names - 8);
    u64 at = k->names, offsets = k->names - 8 - 4ull * k->count, tokens;
    for (u32 n = 0; n < k->count; n++) {
        u64 bytes = name_bytes(k, at, &tokens);
        size_t len = expand(k, tokens, at + bytes, name);
        if (len > 1)
            symbols_add(s, (u32)(base + word(k, offsets + 4 * n)), 0, name + 1, len - 1);
        at += bytes;
    }
}

bool symbols_add_linux(struct symbols *s, struct physmem *mem)
{
    static const char digits[20] = "0\0"
                                   "1\0"
                                   "2\0"
                                   "3\0"
                                   "4\0"
                                   "5\0"
                                   "6\0"
                                   "7\0"
                                   "8\0"
                                   "9";
    physmem_fetch_all(mem);
    struct kallsyms k = {.ram = physmem_ram(mem, 0), .size = physmem_low(mem)};
    for (u64 at = 0; at < k.size;) {
        const u8 *found = memmem(k.ram + at, k.size - at, digits, sizeof digits);
        if (!found)
            break;
        at = (u64)(found - k.ram);
        if (find_tokens(&k, at) && find_markers(&k)) {
            add_all(&k, s);
            symbols_ready(s);
            return true;
        }
        at++;
    }
    return false;
}
