/* The symbol table: sorted by address, found by name through a hash. */
/* SPDX-License-Identifier: MIT */
#include "frontend/symbols.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "frontend/elf_file.h"

/* Farther than this from a symbol of unknown size, an address is not called after it. */
enum { REACH = 1 << 20 };

struct symbol {
    u64 address; /* linear */
    u64 size;    /* bytes, or 0: unknown */
    char *name;  /* owned */
    u32 next;    /* next with the same hash, + 1; 0: none */
};

struct symbols {
    struct symbol *all; /* sorted by address once ready */
    size_t count, room; /* entries in use, allocated */
    u32 *hash;          /* first of each hash value, + 1 */
    size_t hash_size;   /* entries of hash, a power of two */
};

struct symbols *symbols_new(void)
{
    return xcalloc(1, sizeof(struct symbols));
}

void symbols_free(struct symbols *s)
{
    if (!s)
        return;
    for (size_t n = 0; n < s->count; n++)
        free(s->all[n].name);
    free(s->all);
    free(s->hash);
    free(s);
}

void symbols_add(struct symbols *s, u64 address, u64 size, const char *name, size_t name_len)
{
    if (!name_len)
        return;
    if (s->count == s->room) {
        s->room = s->room ? 2 * s->room : 1024;
        s->all = xrealloc(s->all, s->room * sizeof *s->all);
    }
    char *copy = xmalloc(name_len + 1);
    memcpy(copy, name, name_len);
    copy[name_len] = 0;
    s->all[s->count++] = (struct symbol){.address = address, .size = size, .name = copy};
}

static size_t hash_of(const char *name)
{
    size_t h = 5381;
    for (; *name; name++)
        h = h * 33 + (u8)*name;
    return h;
}

static int by_address(const void *a, const void *b)
{
    const struct symbol *x = a, *y = b;
    if (x->address != y->address)
        return x->address < y->address ? -1 : 1;
    return strcmp(x->name, y->name);
}

void symbols_ready(struct symbols *s)
{
    if (s->count)
        qsort(s->all, s->count, sizeof *s->all, by_address);
    for (s->hash_size = 64; s->hash_size < s->count; s->hash_size *= 2)
        continue;
    free(s->hash);
    s->hash = xcalloc(s->hash_size, sizeof *s->hash);
    for (size_t n = s->count; n-- > 0;) {
        u32 *head = &s->hash[hash_of(s->all[n].name) & (s->hash_size - 1)];
        s->all[n].next = *head;
        *head = (u32)n + 1;
    }
}

size_t symbols_count(const struct symbols *s)
{
    return s->count;
}

bool symbols_find(const struct symbols *s, const char *name, u64 *address)
{
    if (!s->count)
        return false;
    u32 n = s->hash[hash_of(name) & (s->hash_size - 1)];
    for (; n; n = s->all[n - 1].next) {
        if (!strcmp(s->all[n - 1].name, name)) {
            *address = s->all[n - 1].address;
            return true;
        }
    }
    return false;
}

/* How many symbols are at or below address. */
static size_t rank(const struct symbols *s, u64 address)
{
    size_t low = 0, high = s->count;
    while (low < high) {
        size_t mid = (low + high) / 2;
        if (s->all[mid].address <= address)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

const char *symbols_at(const struct symbols *s, u64 address, u64 *offset)
{
    size_t n = rank(s, address);
    if (!n)
        return NULL;
    u64 start = s->all[n - 1].address;
    const struct symbol *best = NULL;
    /* of several at one address, the first that covers it */
    for (; n && s->all[n - 1].address == start; n--) {
        const struct symbol *y = &s->all[n - 1];
        if (address - start < (y->size ? y->size : REACH))
            best = y;
    }
    if (!best)
        return NULL;
    *offset = address - start;
    return best->name;
}

const char *symbols_name(const struct symbols *s, u64 address, char *buf, size_t size)
{
    u64 offset;
    const char *name = symbols_at(s, address, &offset);
    if (!name)
        buf[0] = 0;
    else if (offset)
        snprintf(buf, size, "%s+0x%" PRIx64, name, offset);
    else
        snprintf(buf, size, "%s", name);
    return buf;
}

void symbols_each(const struct symbols *s, const char *prefix,
                  void (*fn)(void *opaque, const char *name, u64 address), void *opaque)
{
    size_t len = strlen(prefix);
    for (size_t n = 0; n < s->count; n++)
        if (!strncmp(s->all[n].name, prefix, len))
            fn(opaque, s->all[n].name, s->all[n].address);
}

/* System.map: lines "c0100000 T startup_32". False at the first line that is none. */
static bool add_map(struct symbols *s, FILE *f, u64 bias)
{
    char line[1024];
    size_t added = 0;
    while (fgets(line, sizeof line, f)) {
        char *end, *name;
        u64 address = strtoull(line, &end, 16);
        if (end == line || end[0] != ' ' || !end[1] || end[2] != ' ')
            return false;
        name = end + 3;
        symbols_add(s, address + bias, 0, name, strcspn(name, " \t\r\n"));
        added++;
    }
    return added;
}

bool symbols_load(struct symbols *s, const char *path, u64 bias, struct error *err)
{
    FILE *f = fopen(path, "r");
    char magic[4] = "";
    if (!f)
        return error_set(err, "symbols %s: %s", path, strerror(errno));
    bool elf = fread(magic, 1, 4, f) == 4 && !memcmp(magic, "\177ELF", 4), good;
    rewind(f);
    if (elf)
        good = elf_file_symbols(s, path, bias, err);
    else
        good = add_map(s, f, bias) ||
               error_set(err, "symbols %s: neither an ELF file nor a System.map", path);
    fclose(f);
    symbols_ready(s);
    return good;
}
