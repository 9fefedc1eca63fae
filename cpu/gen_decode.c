/* Build-time generator: reads insn.def and prints cpu/decode_tables.inc. Rows that contradict each
 * other, that nothing can reach or that are misspelt are errors. */
/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cpu/decode_row.h"

/* A row as it is written. */
struct text_row {
    const char *map, *opcode, *prefix, *modrm, *attrs; /* what selects it */
    const char *name, *operands;                       /* mnemonic, operands */
    const char *read, *written, *undefined;            /* flags */
    const char *class, *handler;                       /* how it is translated and run */
};

static const struct text_row text[] = {
#define ROW(map, op, prefix, modrm, attrs, name, operands, r, w, u, class, handler)                \
    {#map, #op, #prefix, modrm, attrs, #name, operands, r, w, u, #class, #handler},
#include "cpu/insn.def"
};

enum { ROWS = ARRAY_LEN(text), OUTCOMES = 8, NODES_MAX = 0x4000 };

static const u8 outcomes[NODE_KINDS] = {2, 4, 2, 2, 2, 8, 8, 3, 3, 3, 2};

/* A row as the selection sees it: for each kind of choice, the set of outcomes that lead to it. */
struct pick {
    u8 map, opcode, count; /* opcodes opcode..opcode + count - 1 of the map */
    bool has_modrm;        /* a ModRM byte follows */
    bool reached;          /* some path ends here */
    u8 allow[NODE_KINDS];  /* bit n: outcome n */
    struct decode_row row; /* operands and flags */
};

/* The generator's state: filled by parsing, then printed. */
struct tables {
    struct pick pick[ROWS];   /* one for each row */
    u16 nodes[NODES_MAX];     /* choices; place 0 is not used */
    unsigned node_count;      /* used entries of nodes[] */
    u16 root[MAP_COUNT][256]; /* where an opcode starts */
    u8 modrm[MAP_COUNT][256]; /* 1: the opcode has a ModRM byte */
};

static _Noreturn void row_error(unsigned row, const char *what)
{
    const struct text_row *t = &text[row];
    fprintf(stderr, "insn.def: row %u (%s %s %s \"%s\" %s %s): %s\n", row, t->map, t->opcode,
            t->prefix, t->modrm, t->name, t->operands, what);
    exit(1);
}

/* The position of a word of `length` characters in list (NULL-terminated), or -1. */
static int word_index(const char *const *list, const char *word, size_t length)
{
    for (int n = 0; list[n]; n++)
        if (strlen(list[n]) == length && !memcmp(list[n], word, length))
            return n;
    return -1;
}

/* Takes the next word of *p, up to one of the separators; 0 at the end. */
static size_t word_next(const char **p, const char *separators, const char **word)
{
    *p += strspn(*p, separators);
    *word = *p;
    *p += strcspn(*p, separators);
    return (size_t)(*p - *word);
}

static void parse_opcode(struct pick *k, unsigned row)
{
    static const char *const maps[] = {"00", "0F", "38", "3A", "V1", "V2", "V3", NULL};
    char *end;
    int map = word_index(maps, text[row].map, strlen(text[row].map));
    k->opcode = (u8)strtoul(text[row].opcode, &end, 16);
    k->map = (u8)map;
    k->count = 1;
    if (!strcmp(end, "+r") || !strcmp(end, " + r")) {
        k->count = 8 - (k->opcode & 7);
        end = "";
    }
    if (map < 0 || *end)
        row_error(row, "bad map or opcode");
}

static void parse_prefix(struct pick *k, unsigned row)
{
    static const char *const names[] = {"np", "66", "F3", "F2", "not3", "any", NULL};
    static const u8 sets[] = {1, 2, 4, 8, 11, 15};
    const char *p = text[row].prefix, *word;
    size_t length;
    k->allow[NODE_PREFIX] = 0;
    while ((length = word_next(&p, "+ ", &word))) {
        int n = word_index(names, word, length);
        if (n < 0)
            row_error(row, "bad prefix");
        k->allow[NODE_PREFIX] |= sets[n];
    }
}

static void parse_modrm(struct pick *k, unsigned row)
{
    const char *s = text[row].modrm;
    k->has_modrm = *s != 0;
    if (!*s || !strcmp(s, "/r"))
        return;
    if (s[0] == '=') {
        unsigned byte = (unsigned)strtoul(s + 1, NULL, 16);
        if (byte < 0xc0)
            row_error(row, "bad ModRM byte");
        k->allow[NODE_MOD] = 2;
        k->allow[NODE_REG] = (u8)BIT(byte >> 3 & 7);
        k->allow[NODE_RM] = (u8)BIT(byte & 7);
        return;
    }
    if (s[0] != '/' || s[1] < '0' || s[1] > '7')
        row_error(row, "bad ModRM column");
    k->allow[NODE_REG] = (u8)BIT(s[1] - '0');
    if (!strcmp(s + 2, ".r"))
        k->allow[NODE_MOD] = 2;
    else if (!strcmp(s + 2, ".m"))
        k->allow[NODE_MOD] = 1;
    else if (s[2])
        row_error(row, "bad ModRM column");
}

/* What an attribute means: it narrows a choice, or sets a flag. */
static const struct attr {
    const char *name; /* as written */
    s8 kind;          /* the choice narrowed, or -1 */
    u8 value;         /* the outcomes allowed, or ROW_* */
} attrs[] = {
    {"i64", NODE_MODE, 1},  {"o64", NODE_MODE, 2}, {"L0", NODE_L, 1},       {"L1", NODE_L, 2},
    {"W0", NODE_W, 1},      {"W1", NODE_W, 2},     {"op16", NODE_OP, 1},    {"op32", NODE_OP, 2},
    {"op64", NODE_OP, 4},   {"ad16", NODE_AD, 1},  {"ad32", NODE_AD, 2},    {"ad64", NODE_AD, 4},
    {"lock", -1, ROW_LOCK}, {"d64", -1, ROW_D64},  {"f64", -1, ROW_F64},    {"vsib", -1, ROW_VSIB},
    {"mod3", -1, ROW_MOD3}, {"end", -1, ROW_END},  {"rexb0", NODE_REXB, 1}, {"rexb1", NODE_REXB, 2},
    {"thru", -1, 0},
};

static void parse_attrs(struct pick *k, unsigned row)
{
    const char *p = text[row].attrs, *word;
    size_t length;
    while ((length = word_next(&p, " ", &word))) {
        unsigned n = 0;
        while (n < ARRAY_LEN(attrs) &&
               (strlen(attrs[n].name) != length || memcmp(attrs[n].name, word, length)))
            n++;
        if (n == ARRAY_LEN(attrs))
            row_error(row, "bad attribute");
        if (attrs[n].kind < 0)
            k->row.flags |= attrs[n].value;
        else
            k->allow[attrs[n].kind] &= attrs[n].value;
    }
    if (k->row.flags & ROW_D64) {
        k->allow[NODE_OP_D64] = k->allow[NODE_OP];
        k->allow[NODE_OP] = 7;
    }
    if (k->map < MAP_V1)
        k->row.flags |= ROW_VVVV;
}

/* The operands that insn.def writes as a whole word. */
static const struct fixed {
    const char *name; /* as written */
    u8 where, size;   /* what it stands for */
} fixed[] = {
    {"ST0", WHERE_ST0, SIZE_T}, {"STi", WHERE_STI, SIZE_T}, {"XMM0", WHERE_XMM0, SIZE_DQ},
    {"AL", WHERE_RAX, SIZE_B},  {"AX", WHERE_RAX, SIZE_W},  {"eAX", WHERE_RAX, SIZE_Z},
    {"rAX", WHERE_RAX, SIZE_V}, {"CL", WHERE_CL, SIZE_B},   {"DX", WHERE_DX, SIZE_W},
    {"1", WHERE_ONE, SIZE_B},   {"ES", WHERE_ES, SIZE_W},   {"CS", WHERE_CS, SIZE_W},
    {"SS", WHERE_SS, SIZE_W},   {"DS", WHERE_DS, SIZE_W},   {"FS", WHERE_FS, SIZE_W},
    {"GS", WHERE_GS, SIZE_W},   {"Ibs", WHERE_IS, SIZE_B},
};

/* The sizes, by name, in the order of enum opnd_size; then synonyms. */
static const char *const size_names[] = {"",  "b", "w", "d", "q",  "t",  "dq", "v",  "z",  "y",
                                         "p", "s", "a", "x", "xh", "xq", "xe", "ss", "sd", NULL};

static void parse_operand(struct pick *k, unsigned row, unsigned n, const char *word, size_t length)
{
    static const char letters[] = "EMRGZBSCDIJAOXYPQNVWUHL";
    static const u8 wheres[] = {WHERE_E, WHERE_M, WHERE_R, WHERE_G, WHERE_Z, WHERE_B,
                                WHERE_S, WHERE_C, WHERE_D, WHERE_I, WHERE_J, WHERE_A,
                                WHERE_O, WHERE_X, WHERE_Y, WHERE_P, WHERE_Q, WHERE_N,
                                WHERE_V, WHERE_W, WHERE_U, WHERE_H, WHERE_L};
    for (unsigned f = 0; f < ARRAY_LEN(fixed); f++)
        if (strlen(fixed[f].name) == length && !memcmp(fixed[f].name, word, length)) {
            k->row.where[n] = fixed[f].where;
            k->row.size[n] = fixed[f].size;
            return;
        }
    const char *letter = strchr(letters, word[0]);
    int size = word_index(size_names, word + 1, length - 1);
    if (!letter || size < 0)
        row_error(row, "bad operand");
    k->row.where[n] = wheres[letter - letters];
    k->row.size[n] = (u8)(size < SIZE_COUNT ? size : size == SIZE_COUNT ? SIZE_D : SIZE_Q);
}

/* What the operand letters imply for ModRM and VEX.vvvv. */
static void apply_operand(struct pick *k, unsigned row, u8 where)
{
    static const u8 with_modrm[] = {WHERE_E, WHERE_M, WHERE_R, WHERE_G,  WHERE_S,
                                    WHERE_C, WHERE_D, WHERE_P, WHERE_Q,  WHERE_N,
                                    WHERE_V, WHERE_W, WHERE_U, WHERE_STI};
    if (memchr(with_modrm, where, sizeof with_modrm) && !k->has_modrm)
        row_error(row, "operand without ModRM");
    if (where == WHERE_M)
        k->allow[NODE_MOD] &= 1;
    bool reg = where == WHERE_R || where == WHERE_N || where == WHERE_U || where == WHERE_STI;
    if (reg && !(k->row.flags & ROW_MOD3))
        k->allow[NODE_MOD] &= 2;
    if (where == WHERE_H || where == WHERE_B)
        k->row.flags |= ROW_VVVV;
    if (where == WHERE_Z && k->count == 1 && k->allow[NODE_REXB] == 3)
        row_error(row, "Z without +r");
}

static void parse_operands(struct pick *k, unsigned row)
{
    const char *p = text[row].operands, *word;
    size_t length;
    unsigned n = 0;
    while ((length = word_next(&p, ",", &word))) {
        if (n == INSN_OPERANDS)
            row_error(row, "too many operands");
        parse_operand(k, row, n, word, length);
        apply_operand(k, row, k->row.where[n]);
        n++;
    }
}

static bool row_has_attr(unsigned row, const char *attr)
{
    const char *p = text[row].attrs, *word;
    size_t length;
    while ((length = word_next(&p, " ", &word)))
        if (strlen(attr) == length && !memcmp(attr, word, length))
            return true;
    return false;
}

static int class_index(unsigned row)
{
    static const char *const names[] = {"COPY",   "MEM",     "STACK",  "STRING",  "FPU", "BRANCH",
                                        "INLINE", "CALLOUT", "INTERP", "INVALID", NULL};
    int class = word_index(names, text[row].class, strlen(text[row].class));
    if (class < 0)
        row_error(row, "bad class");
    return class;
}

/* Blocks end with what may branch, and with what may change the mode, paging or interrupt flag. */
static void apply_class(struct pick *k, unsigned row)
{
    int class = class_index(row);
    bool ends = class == CLASS_BRANCH || class == CLASS_INLINE || class == CLASS_CALLOUT ||
                class == CLASS_INVALID;
    if (row_has_attr(row, ends ? "end" : "thru"))
        row_error(row, "this class says so already");
    if (ends && !row_has_attr(row, "thru"))
        k->row.flags |= ROW_END;
}

static void row_parse(struct pick *k, unsigned row)
{
    for (unsigned kind = 0; kind < NODE_KINDS; kind++)
        k->allow[kind] = (u8)(BIT(outcomes[kind]) - 1);
    parse_opcode(k, row);
    parse_prefix(k, row);
    parse_modrm(k, row);
    k->row.flags |= k->has_modrm ? ROW_MODRM : 0;
    parse_attrs(k, row);
    parse_operands(k, row);
    apply_class(k, row);
}

/* A set of rows that still fit. */
struct rows {
    unsigned count; /* used entries of row[] */
    u16 row[64];    /* row numbers */
};

/* The first kind of choice, from `kind` on, that some row of the set cares about. */
static unsigned kind_next(const struct tables *t, const struct rows *set, unsigned kind)
{
    for (; kind < NODE_KINDS; kind++)
        for (unsigned n = 0; n < set->count; n++)
            if (t->pick[set->row[n]].allow[kind] != (u8)(BIT(outcomes[kind]) - 1))
                return kind;
    return NODE_KINDS;
}

/* Puts a choice in nodes[], or finds the same one there. */
static u16 node_place(struct tables *t, unsigned kind, const u16 *refs)
{
    unsigned count = outcomes[kind];
    for (unsigned at = 1; at < t->node_count; at += 1 + outcomes[t->nodes[at]])
        if (t->nodes[at] == kind && !memcmp(&t->nodes[at + 1], refs, count * sizeof *refs))
            return (u16)at;
    u16 at = (u16)t->node_count;
    if (at + 1 + count > NODES_MAX) {
        fprintf(stderr, "insn.def: too many choices\n");
        exit(1);
    }
    t->nodes[at] = (u16)kind;
    memcpy(&t->nodes[at + 1], refs, count * sizeof *refs);
    t->node_count += 1 + count;
    return at;
}

/* Makes the choices that tell the rows of the set apart, starting with `kind`. */
static u16 tree_build(struct tables *t, const struct rows *set, unsigned kind)
{
    u16 refs[OUTCOMES];
    if (!set->count)
        return 0;
    kind = kind_next(t, set, kind);
    if (kind == NODE_KINDS) {
        if (set->count > 1) {
            fprintf(stderr, "insn.def: row %u fits, too:\n", set->row[1]);
            row_error(set->row[0], "two rows for one encoding");
        }
        t->pick[set->row[0]].reached = true;
        return (u16)(REF_ROW + set->row[0]);
    }
    for (unsigned n = 0; n < outcomes[kind]; n++) {
        struct rows fit = {0};
        for (unsigned m = 0; m < set->count; m++)
            if (t->pick[set->row[m]].allow[kind] & BIT(n))
                fit.row[fit.count++] = set->row[m];
        refs[n] = tree_build(t, &fit, kind + 1);
    }
    return node_place(t, kind, refs);
}

static void opcode_build(struct tables *t, unsigned map, unsigned opcode)
{
    struct rows set = {0};
    for (unsigned row = 0; row < ROWS; row++) {
        const struct pick *k = &t->pick[row];
        if (k->map != map || opcode < k->opcode || opcode >= k->opcode + (unsigned)k->count)
            continue;
        if (set.count == ARRAY_LEN(set.row))
            row_error(row, "too many rows for one opcode");
        if (set.count && k->has_modrm != t->pick[set.row[0]].has_modrm)
            row_error(row, "ModRM, but another row of this opcode has none, or the reverse");
        set.row[set.count++] = (u16)row;
    }
    if (set.count)
        t->modrm[map][opcode] = t->pick[set.row[0]].has_modrm;
    t->root[map][opcode] = tree_build(t, &set, 0);
}

static unsigned flag_bits(unsigned row, const char *letters)
{
    static const char names[] = "oszapcditnrvx";
    static const u32 bits[] = {FLAG_OF, FLAG_SF, FLAG_ZF, FLAG_AF, FLAG_PF, FLAG_CF, FLAG_DF,
                               FLAG_IF, FLAG_TF, FLAG_NT, FLAG_RF, FLAG_VM, FLAG_AC};
    unsigned flags = 0;
    for (; *letters; letters++) {
        const char *name = strchr(names, *letters);
        if (!name)
            row_error(row, "bad flag");
        flags |= bits[name - names];
    }
    return flags;
}

/* The number of a row's mnemonic: rows of the same name share it. */
static unsigned mnemonic_number(unsigned row)
{
    for (unsigned n = 0; n < row; n++)
        if (!strcmp(text[n].name, text[row].name))
            return n;
    return row;
}

static void print_rows(const struct tables *t)
{
    printf("static const struct decode_row decode_rows[] = {\n");
    for (unsigned row = 0; row < ROWS; row++) {
        const struct decode_row *r = &t->pick[row].row;
        printf("    {{%u, %u, %u, %u}, {%u, %u, %u, %u}, %u},\n", r->where[0], r->where[1],
               r->where[2], r->where[3], r->size[0], r->size[1], r->size[2], r->size[3], r->flags);
    }
    printf("};\n\nstatic const struct insn_info insn_infos[] = {\n");
    for (unsigned row = 0; row < ROWS; row++)
        printf("    {\"%s\", %u, %d, %#x, %#x, %#x},\n", text[row].name, mnemonic_number(row),
               class_index(row), flag_bits(row, text[row].read), flag_bits(row, text[row].written),
               flag_bits(row, text[row].undefined));
    printf("};\n\n");
}

static void print_choices(const struct tables *t)
{
    printf("static const u16 decode_nodes[] = {");
    for (unsigned n = 0; n < t->node_count; n++)
        printf("%s%u,", n % 16 ? " " : "\n    ", t->nodes[n]);
    printf("\n};\n\nstatic const u16 decode_root[MAP_COUNT][256] = {\n");
    for (unsigned n = 0; n < MAP_COUNT * 256; n++)
        printf("%s%u,%s", n % 256 ? n % 16 ? " " : "\n     " : "    {", t->root[n / 256][n % 256],
               n % 256 == 255 ? "},\n" : "");
    printf("};\n\nstatic const u8 decode_modrm[MAP_COUNT][256] = {\n");
    for (unsigned n = 0; n < MAP_COUNT * 256; n++)
        printf("%s%u,%s", n % 256 ? n % 32 ? " " : "\n     " : "    {", t->modrm[n / 256][n % 256],
               n % 256 == 255 ? "},\n" : "");
    printf("};\n");
}

int main(void)
{
    struct tables *t = calloc(1, sizeof *t);
    if (!t)
        return 1;
    t->node_count = 1;
    for (unsigned row = 0; row < ROWS; row++)
        row_parse(&t->pick[row], row);
    for (unsigned map = 0; map < MAP_COUNT; map++)
        for (unsigned opcode = 0; opcode < 256; opcode++)
            opcode_build(t, map, opcode);
    for (unsigned row = 0; row < ROWS; row++)
        if (!t->pick[row].reached)
            row_error(row, "nothing leads to this row");
    printf("/* Made by cpu/gen_decode.c from cpu/insn.def. */\n");
    print_rows(t);
    print_choices(t);
    free(t);
    return 0;
}
