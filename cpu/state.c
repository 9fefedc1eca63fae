/* Versioned, named-field save and load: a flat byte format of nested sections. */
/* SPDX-License-Identifier: MIT */
#include "cpu/state.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* Record: u8 kind, u8 name length, u16 version (sections) or 0, u32 payload size, name, payload. */
enum { KIND_SECTION = 'S', KIND_FIELD = 'F', HEADER = 8, MAX_DEPTH = 8 };

struct frame {
    size_t start;  /* first byte of the section's payload */
    size_t end;    /* loading: one past its last byte */
    size_t record; /* saving: where the section's header is, to patch its size */
    bool missing;  /* loading: the section is not there; fields keep their values */
};

struct state {
    u8 *data;                      /* the records */
    size_t size;                   /* bytes in use */
    size_t capacity;               /* bytes allocated */
    struct frame frame[MAX_DEPTH]; /* open sections; frame[0] is the whole */
    unsigned depth;                /* index of the innermost */
    bool loading;                  /* fields are read, not written */
    const char *failure;           /* why the load failed, or NULL */
};

struct state *state_new(void)
{
    return xcalloc(1, sizeof(struct state));
}

/* Checks that records fill data[at..end) exactly, recursively. */
static bool records_valid(const u8 *data, size_t at, size_t end, unsigned depth)
{
    if (depth >= MAX_DEPTH)
        return false;
    while (at < end) {
        if (end - at < HEADER)
            return false;
        size_t name = data[at + 1], size = load_le32(data + at + 4);
        u8 kind = data[at];
        if ((kind != KIND_SECTION && kind != KIND_FIELD) || name + size > end - at - HEADER)
            return false;
        at += HEADER + name;
        if (kind == KIND_SECTION && !records_valid(data, at, at + size, depth + 1))
            return false;
        at += size;
    }
    return true;
}

struct state *state_parse(const u8 *data, size_t size, struct error *err)
{
    if (!records_valid(data, 0, size, 0)) {
        error_set(err, "the saved state is damaged");
        return NULL;
    }
    struct state *s = state_new();
    s->data = xmalloc(size ? size : 1);
    memcpy(s->data, data, size);
    s->size = s->capacity = size;
    s->loading = true;
    s->frame[0].end = size;
    return s;
}

const u8 *state_bytes(const struct state *s, size_t *size)
{
    *size = s->size;
    return s->data;
}

void state_free(struct state *s)
{
    if (s)
        free(s->data);
    free(s);
}

bool state_loading(const struct state *s)
{
    return s->loading;
}

static void append(struct state *s, const void *p, size_t n)
{
    if (s->size + n > s->capacity) {
        s->capacity = (s->size + n) * 2;
        s->data = xrealloc(s->data, s->capacity);
    }
    if (n)
        memcpy(s->data + s->size, p, n);
    s->size += n;
}

static void append_header(struct state *s, u8 kind, const char *name, unsigned version, size_t size)
{
    u8 h[HEADER] = {kind, (u8)strlen(name)};
    assert(strlen(name) < 256 && size <= UINT32_MAX && version <= UINT16_MAX);
    store_le16(h + 2, (u16)version);
    store_le32(h + 4, (u32)size);
    append(s, h, sizeof h);
    append(s, name, h[1]);
}

/* Finds a record of the open section by kind and name; returns its offset or SIZE_MAX. */
static size_t find(const struct state *s, u8 kind, const char *name)
{
    const struct frame *f = &s->frame[s->depth];
    size_t want = strlen(name);
    for (size_t at = f->start; !f->missing && at < f->end;
         at += HEADER + s->data[at + 1] + load_le32(s->data + at + 4)) {
        if (s->data[at] == kind && s->data[at + 1] == want &&
            !memcmp(s->data + at + HEADER, name, want))
            return at;
    }
    return SIZE_MAX;
}

unsigned state_begin(struct state *s, const char *name, unsigned version)
{
    struct frame f = {0};
    if (s->loading) {
        size_t at = find(s, KIND_SECTION, name);
        f.missing = at == SIZE_MAX;
        if (!f.missing) {
            f.start = at + HEADER + s->data[at + 1];
            f.end = f.start + load_le32(s->data + at + 4);
            version = load_le16(s->data + at + 2);
        } else {
            version = 0;
        }
    } else {
        f.record = s->size;
        append_header(s, KIND_SECTION, name, version, 0);
        f.start = s->size;
    }
    assert(s->depth + 1 < MAX_DEPTH);
    s->frame[++s->depth] = f;
    return version;
}

void state_end(struct state *s)
{
    assert(s->depth > 0);
    struct frame *f = &s->frame[s->depth--];
    if (!s->loading)
        store_le32(s->data + f->record + 4, (u32)(s->size - f->start));
}

void state_data(struct state *s, const char *name, void *data, size_t size)
{
    if (!s->loading) {
        append_header(s, KIND_FIELD, name, 0, size);
        append(s, data, size);
        return;
    }
    size_t at = find(s, KIND_FIELD, name);
    if (at == SIZE_MAX)
        return;
    if (load_le32(s->data + at + 4) != size)
        state_fail(s, "a field has another size than this version expects");
    else if (size)
        memcpy(data, s->data + at + HEADER + s->data[at + 1], size);
}

void state_bool(struct state *s, const char *name, bool *v)
{
    u8 byte = *v;
    state_data(s, name, &byte, 1);
    *v = byte != 0;
}

void state_u8(struct state *s, const char *name, u8 *v)
{
    state_data(s, name, v, sizeof *v);
}

void state_u16(struct state *s, const char *name, u16 *v)
{
    state_data(s, name, v, sizeof *v);
}

void state_u32(struct state *s, const char *name, u32 *v)
{
    state_data(s, name, v, sizeof *v);
}

void state_u64(struct state *s, const char *name, u64 *v)
{
    state_data(s, name, v, sizeof *v);
}

void state_fail(struct state *s, const char *why)
{
    if (!s->failure)
        s->failure = why;
}

const char *state_failed(const struct state *s)
{
    return s->failure;
}
