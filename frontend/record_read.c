/* Reading trace files: `prescient trace`, as text or as a tree of calls (frontend/record.h). */
/* SPDX-License-Identifier: MIT */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cpu/explain.h"
#include "frontend/disasm.h"
#include "frontend/record.h"
#include "frontend/symbols.h"
#include "hw/image/deflate.h"

enum { BUFFER = 1 << 16, TEXT_MAX_LEN = 1024, FRAMES_MAX = 256, NAME_SIZE = 160 };
enum { TEXT_COLUMN = 72, INDENT = 2 };

/* A function that was called and has not returned. */
struct frame {
    u64 sp;     /* stack pointer at its first instruction */
    u64 time;   /* when it was called, ns */
    u64 icount; /* instructions completed by then */
};

struct reader {
    struct gzip *file;                        /* where from */
    u8 buffer[BUFFER];                        /* of it */
    size_t at, used;                          /* in buffer */
    bool ended;                               /* nothing more is in the file, or it is damaged */
    bool whole;                               /* its end was there */
    struct symbols *symbols;                  /* names */
    struct disasm *disasm;                    /* code as text */
    bool tree;                                /* calls only, as a tree */
    bool names_only;                          /* first pass: only symbols are taken */
    u64 lin, access;                          /* what differences are relative to */
    u64 icount, time;                         /* instructions completed, virtual time in ns */
    u64 context[4];                           /* code mode and CPL, CR3, CS, its base */
    struct frame frame[FRAMES_MAX];           /* of the tree */
    unsigned depth;                           /* entries of frame */
    bool open;                                /* the tree's last line has no end yet */
    struct record_code code[CODE_TABLE_SIZE]; /* the code table */
};

static int next_byte(struct reader *r)
{
    if (r->at == r->used) {
        r->used = gzip_read(r->file, r->buffer, BUFFER);
        r->at = 0;
    }
    if (r->at == r->used) {
        r->ended = true;
        return 0;
    }
    return r->buffer[r->at++];
}

static u64 get(struct reader *r)
{
    u64 value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
        u64 byte = (u64)next_byte(r);
        value |= (byte & 0x7f) << shift;
        if (byte < 0x80)
            break;
    }
    return value;
}

static u64 zigzag(u64 value)
{
    return value >> 1 ^ (0 - (value & 1));
}

/* A length and as many bytes; what does not fit is passed over. A NUL is added. */
static size_t get_bytes(struct reader *r, char *to, size_t room)
{
    u64 size = get(r);
    size_t kept = 0;
    for (u64 n = 0; n < size && !r->ended; n++) {
        char c = (char)next_byte(r);
        if (kept + 1 < room)
            to[kept++] = c;
    }
    to[kept] = 0;
    return kept;
}

/* Text */

static const char *name_of(const struct reader *r, u64 lin, char buf[NAME_SIZE])
{
    char name[NAME_SIZE - 8];
    buf[0] = 0;
    if (*symbols_name(r->symbols, lin, name, sizeof name))
        snprintf(buf, NAME_SIZE, " <%s>", name);
    return buf;
}

static void print_lead(const struct reader *r, bool number)
{
    if (number)
        printf("%12" PRIu64 " ", r->icount);
    else
        printf("%13s", "");
    putchar(r->context[0] >> 2 == 3 ? 'u' : 'k');
    putchar(' ');
}

static void print_insn(struct reader *r)
{
    const struct record_code *c = record_code_at(r->code, r->lin);
    char name[NAME_SIZE];
    print_lead(r, true);
    int column = printf("%08" PRIx64 "%s ", r->lin, name_of(r, r->lin, name));
    if (c->lin == r->lin && c->len) {
        struct text t = {0};
        disasm_bytes(r->disasm, (u32)(c->lin - r->context[3]), c->mode % 3, c->bytes, c->len, &t);
        printf("%*s%s", column < 48 ? 48 - column : 1, "", t.data);
        text_free(&t);
    }
    putchar('\n');
}

static void print_access(struct reader *r, u64 bits, u64 lin, u64 value)
{
    char name[NAME_SIZE];
    unsigned size = bits >> 2 < 8 ? (unsigned)(bits >> 2) : 8;
    print_lead(r, false);
    printf("  %s %" PRIu64 " at %08" PRIx64 "%s", bits & ACCESS_BIT_WRITE ? "write" : "read ",
           bits >> 2, lin, name_of(r, lin, name));
    if (bits & ACCESS_BIT_KNOWN)
        printf(": %0*" PRIx64, (int)(2 * size), value);
    putchar('\n');
}

static void print_event(u64 first, u64 error, u64 cr2, const char *why)
{
    unsigned vector = first & 0xff, bits = (unsigned)(first >> 8);
    if (!(bits & EVENT_BIT_FAULT)) {
        printf("%sinterrupt 0x%02x\n", bits & EVENT_BIT_SOFTWARE ? "software " : "", vector);
        return;
    }
    printf("%s", explain_name(vector));
    if (bits & EVENT_BIT_ERROR)
        printf("(0x%04" PRIx64 ")", error);
    if (vector == 14)
        printf(", address %08" PRIx64, cr2);
    printf(": %s\n", why);
}

/* The tree of calls */

static void tree_indent(struct reader *r)
{
    if (r->open)
        puts(" {");
    r->open = false;
    printf("%12" PRIu64 " %c ", r->icount, r->context[0] >> 2 == 3 ? 'u' : 'k');
    printf("%*s", (int)(INDENT * r->depth), "");
}

static void tree_call(struct reader *r, u64 target, u64 sp)
{
    char name[NAME_SIZE];
    tree_indent(r);
    if (!*symbols_name(r->symbols, target, name, sizeof name))
        snprintf(name, sizeof name, "%08" PRIx64, target);
    printf("%s", name);
    r->open = true;
    if (r->depth == FRAMES_MAX)
        memmove(r->frame, r->frame + 1, --r->depth * sizeof *r->frame);
    r->frame[r->depth++] = (struct frame){sp, r->time, r->icount};
}

/* To whichever caller it returns to; to one that is not known, nothing is said. */
static void tree_return(struct reader *r, u64 sp)
{
    unsigned n = r->depth;
    while (n && r->frame[n - 1].sp != sp)
        n--;
    if (!n)
        return;
    const struct frame *f = &r->frame[n - 1];
    bool leaf = r->open && n == r->depth;
    r->depth = n - 1;
    if (!leaf) {
        tree_indent(r);
        putchar('}');
    }
    printf("  %" PRIu64 " instructions, %" PRIu64 " ns\n", r->icount - f->icount,
           r->time - f->time);
    r->open = false;
}

/* Records */

static void read_insn(struct reader *r, u64 first)
{
    r->lin += zigzag(first);
    if (!r->tree && !r->names_only)
        print_insn(r);
    r->icount++;
}

static void read_access(struct reader *r, u64 first)
{
    r->access += zigzag(get(r));
    u64 value = get(r);
    if (!r->tree && !r->names_only)
        print_access(r, first, r->access, value);
}

static void read_event(struct reader *r, u64 first)
{
    char why[TEXT_MAX_LEN];
    r->time += get(r);
    u64 error = get(r), cr2 = get(r);
    get_bytes(r, why, sizeof why);
    if (r->names_only)
        return;
    if (r->tree)
        tree_indent(r);
    else
        print_lead(r, true);
    print_event(first, error, cr2, why);
}

/* Ports and devices alike. */
static void read_bus(struct reader *r, u64 first, const char *what)
{
    u64 value = get(r);
    unsigned size = first >> 1 & 7;
    if (r->tree || r->names_only)
        return;
    print_lead(r, false);
    printf("  %s %s %" PRIx64 ": %0*" PRIx64 "\n", first & 1 ? "write to" : "read from", what,
           first >> 4, (int)(2 * (size ? size : 8)), value);
}

static void read_call(struct reader *r, u64 target)
{
    r->time += get(r);
    u64 sp = get(r);
    if (r->tree && !r->names_only)
        tree_call(r, target, sp);
}

static void read_return(struct reader *r, u64 sp)
{
    r->time += get(r);
    if (r->tree && !r->names_only)
        tree_return(r, sp);
}

static void read_code(struct reader *r)
{
    u64 lin = get(r), mode = get(r);
    char bytes[CODE_BYTES_MAX + 1];
    size_t len = get_bytes(r, bytes, sizeof bytes);
    struct record_code *c = record_code_at(r->code, lin);
    *c = (struct record_code){.lin = lin, .mode = (u8)mode, .len = (u8)len};
    memcpy(c->bytes, bytes, len);
}

static void read_symbol(struct reader *r)
{
    u64 address = get(r);
    char name[TEXT_MAX_LEN];
    size_t len = get_bytes(r, name, sizeof name);
    if (r->names_only)
        symbols_add(r->symbols, address, 0, name, len);
}

static bool read_other(struct reader *r, u64 first)
{
    switch (first) {
    case OTHER_CODE: read_code(r); return true;
    case OTHER_CONTEXT:
        for (unsigned n = 0; n < ARRAY_LEN(r->context); n++)
            r->context[n] = get(r);
        return true;
    case OTHER_COUNT: r->icount = get(r); return true;
    case OTHER_SYMBOL: read_symbol(r); return true;
    case OTHER_END: r->whole = true; return false;
    default: return false;
    }
}

/* One record; false at the end. */
static bool read_record(struct reader *r)
{
    u64 head = get(r), first = head >> 3;
    if (r->ended)
        return false;
    switch ((enum record)(head & 7)) {
    case RECORD_INSN: read_insn(r, first); break;
    case RECORD_ACCESS: read_access(r, first); break;
    case RECORD_EVENT: read_event(r, first); break;
    case RECORD_PORT: read_bus(r, first, "port"); break;
    case RECORD_DEVICE: read_bus(r, first, "device memory"); break;
    case RECORD_CALL: read_call(r, first); break;
    case RECORD_RETURN: read_return(r, first); break;
    case RECORD_OTHER: return read_other(r, first);
    }
    return !r->ended;
}

static bool read_all(struct reader *r, const char *path, bool names_only, struct error *err)
{
    char magic[sizeof RECORD_MAGIC - 1];
    r->names_only = names_only;
    r->at = r->used = 0;
    r->lin = r->access = r->icount = r->time = r->depth = 0;
    r->ended = r->whole = r->open = false;
    memset(r->context, 0, sizeof r->context);
    memset(r->code, 0, sizeof r->code);
    if (!gzip_rewind(r->file) || gzip_read(r->file, magic, sizeof magic) != sizeof magic ||
        memcmp(magic, RECORD_MAGIC, sizeof magic))
        return error_set(err, "%s: not a trace file", path);
    while (read_record(r))
        ;
    if (!names_only && r->open)
        putchar('\n');
    return r->whole || names_only || error_set(err, "%s: the trace is cut short", path);
}

static bool read_file(struct reader *r, const char *path, struct error *err)
{
    r->file = gzip_open(path, err);
    if (!r->file)
        return false;
    bool good = read_all(r, path, true, err);
    symbols_ready(r->symbols);
    good = good && read_all(r, path, false, err);
    gzip_close(r->file);
    return good;
}

static int usage(FILE *to, int status)
{
    fputs("usage: prescient trace [-tree] [-symbols FILE] FILE\n"
          "Prints what -trace has written: every record, or the calls as a tree.\n",
          to);
    return status;
}

int record_main(int argc, char **argv)
{
    struct error err = {0};
    const char *path = NULL, *symbols = NULL;
    bool tree = false;
    for (int n = 1; n < argc; n++) {
        if (!strcmp(argv[n], "-help") || !strcmp(argv[n], "--help"))
            return usage(stdout, 0);
        if (!strcmp(argv[n], "-tree"))
            tree = true;
        else if (!strcmp(argv[n], "-symbols") && n + 1 < argc)
            symbols = argv[++n];
        else if (argv[n][0] == '-' || path)
            return usage(stderr, 1);
        else
            path = argv[n];
    }
    if (!path)
        return usage(stderr, 1);
    struct reader *r = xcalloc(1, sizeof *r);
    r->symbols = symbols_new();
    r->disasm = disasm_new(NULL, r->symbols);
    r->tree = tree;
    bool good =
        (!symbols || symbols_load(r->symbols, symbols, 0, &err)) && read_file(r, path, &err);
    disasm_free(r->disasm);
    symbols_free(r->symbols);
    free(r);
    if (!good)
        fprintf(stderr, "prescient: %s\n", err.text);
    return !good;
}
