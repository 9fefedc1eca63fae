/* Expressions of the monitor: a recursive-descent evaluator. */
/* SPDX-License-Identifier: MIT */
#include "frontend/expression.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cpu/mem.h"
#include "frontend/registers.h"

enum { NAME_MAX_LEN = 256, DEPTH_MAX = 64, LEVELS = 10 };

struct parser {
    struct cpu *cpu;               /* whose registers and memory */
    const struct symbols *symbols; /* names */
    const char *at;                /* what is left */
    unsigned depth;                /* of nested brackets and signs */
    struct error *err;             /* filled by the first failure */
};

/* Binary operators, longer ones first among those that begin alike; level 0 binds least. */
struct binary {
    char text[3];                 /* as written */
    u8 level;                     /* precedence */
    u64 (*compute)(u64 a, u64 b); /* b is not 0 for divisions */
};

#define COMPUTE(name, expr)                                                                        \
    static u64 name(u64 a, u64 b)                                                                  \
    {                                                                                              \
        return expr;                                                                               \
    }
COMPUTE(op_or_else, a || b)
COMPUTE(op_and_then, a &&b)
COMPUTE(op_or, a | b)
COMPUTE(op_xor, a ^ b)
COMPUTE(op_and, a &b)
COMPUTE(op_equal, a == b)
COMPUTE(op_unequal, a != b)
COMPUTE(op_le, a <= b)
COMPUTE(op_ge, a >= b)
COMPUTE(op_shl, b < 64 ? a << b : 0)
COMPUTE(op_shr, b < 64 ? a >> b : 0)
COMPUTE(op_lt, a < b)
COMPUTE(op_gt, a > b)
COMPUTE(op_add, a + b)
COMPUTE(op_sub, a - b)
COMPUTE(op_mul, a *b)
COMPUTE(op_div, a / b)
COMPUTE(op_mod, a % b)
#undef COMPUTE

static const struct binary operators[] = {
    {"||", 0, op_or_else}, {"&&", 1, op_and_then}, {"==", 5, op_equal}, {"!=", 5, op_unequal},
    {"<=", 6, op_le},      {">=", 6, op_ge},       {"<<", 7, op_shl},   {">>", 7, op_shr},
    {"|", 2, op_or},       {"^", 3, op_xor},       {"&", 4, op_and},    {"<", 6, op_lt},
    {">", 6, op_gt},       {"+", 8, op_add},       {"-", 8, op_sub},    {"*", 9, op_mul},
    {"/", 9, op_div},      {"%", 9, op_mod},
};

static bool parse_level(struct parser *p, unsigned level, u64 *value);

static void skip_space(struct parser *p)
{
    while (*p->at == ' ' || *p->at == '\t')
        p->at++;
}

static bool parse_all(struct parser *p, u64 *value)
{
    bool good;
    if (++p->depth > DEPTH_MAX)
        return error_set(p->err, "too deeply nested");
    good = parse_level(p, 0, value);
    p->depth--;
    return good;
}

/* Behind an opening bracket: an expression and the closing one. */
static bool parse_bracketed(struct parser *p, char close, u64 *value)
{
    if (!parse_all(p, value))
        return false;
    skip_space(p);
    if (*p->at != close)
        return error_set(p->err, "'%c' is missing at \"%.20s\"", close, p->at);
    p->at++;
    return true;
}

static bool parse_memory(struct parser *p, unsigned size, u64 *value)
{
    u64 lin;
    u8 bytes[8] = {0};
    if (!parse_bracketed(p, ']', &lin))
        return false;
    if (mem_peek(p->cpu, lin, bytes, size) < size)
        return error_set(p->err, "no memory at 0x%" PRIx64, lin);
    *value = load_le64(bytes);
    return true;
}

static bool parse_number(struct parser *p, u64 *value)
{
    char *end;
    errno = 0;
    *value = strtoull(p->at, &end, p->at[0] == '0' && (p->at[1] | 32) == 'x' ? 16 : 10);
    if (isalnum((u8)*end) || *end == '_')
        return error_set(p->err, "not a number: \"%.20s\" (hexadecimal ones begin with 0x)", p->at);
    if (errno == ERANGE)
        return error_set(p->err, "too large: \"%.20s\"", p->at);
    p->at = end;
    return true;
}

/* A register, a symbol, or byte[..], word[..]. */
static bool parse_name(struct parser *p, u64 *value)
{
    char name[NAME_MAX_LEN], lower[NAME_MAX_LEN];
    bool is_register = *p->at == '$';
    size_t len = 0;
    p->at += is_register;
    while (isalnum((u8)p->at[len]) || (p->at[len] && strchr("_.$@", p->at[len])))
        len++;
    if (!len || len >= sizeof name)
        return error_set(
            p->err, *p->at ? "a value is missing at \"%.20s\"" : "a value is missing%s", p->at);
    for (size_t n = 0; n < len; n++) {
        name[n] = p->at[n];
        lower[n] = (char)tolower((u8)name[n]);
    }
    name[len] = lower[len] = 0;
    p->at += len;
    if (*p->at == '[' && (!strcmp(name, "byte") || !strcmp(name, "word"))) {
        p->at++;
        return parse_memory(p, name[0] == 'b' ? 1 : 2, value);
    }
    if (register_read(p->cpu, lower, value))
        return true;
    if (!is_register && p->symbols && symbols_find(p->symbols, name, value))
        return true;
    return error_set(p->err, "there is no register%s %s", is_register ? "" : " or symbol", name);
}

static bool parse_unary(struct parser *p, u64 *value)
{
    skip_space(p);
    char c = *p->at;
    if (c == '-' || c == '~' || c == '!' || c == '+') {
        p->at++;
        if (++p->depth > DEPTH_MAX)
            return error_set(p->err, "too deeply nested");
        if (!parse_unary(p, value))
            return false;
        p->depth--;
        *value = c == '-' ? 0 - *value : c == '~' ? ~*value : c == '!' ? !*value : *value;
        return true;
    }
    if (c == '(' || c == '[') {
        p->at++;
        return c == '(' ? parse_bracketed(p, ')', value) : parse_memory(p, 4, value);
    }
    return isdigit((u8)c) ? parse_number(p, value) : parse_name(p, value);
}

/* Base of the segment that a selector means now. */
static u64 segment_base(struct cpu *cpu, u16 selector)
{
    u8 d[8];
    for (unsigned n = 0; n < SEG_LDTR; n++)
        if (cpu->seg[n].selector == selector)
            return cpu->seg[n].base;
    if (!cpu_protected(cpu))
        return (u64)selector << 4;
    u64 table = selector & 4 ? cpu->seg[SEG_LDTR].base : cpu->gdtr.base;
    if (mem_peek(cpu, (u32)(table + (selector & ~7u)), d, 8) < 8)
        return 0;
    return load_le16(d + 2) | (u32)d[4] << 16 | (u32)d[7] << 24;
}

/* value or selector:offset */
static bool parse_far(struct parser *p, u64 *value)
{
    u64 offset;
    if (!parse_unary(p, value))
        return false;
    skip_space(p);
    if (*p->at != ':')
        return true;
    p->at++;
    if (!parse_unary(p, &offset))
        return false;
    *value = (u32)(segment_base(p->cpu, (u16)*value) + offset);
    return true;
}

static const struct binary *operator_at(const char *text, unsigned level)
{
    for (size_t n = 0; n < ARRAY_LEN(operators); n++)
        if (!strncmp(operators[n].text, text, strlen(operators[n].text)))
            return operators[n].level == level ? &operators[n] : NULL;
    return NULL;
}

static bool parse_level(struct parser *p, unsigned level, u64 *value)
{
    if (level == LEVELS)
        return parse_far(p, value);
    if (!parse_level(p, level + 1, value))
        return false;
    for (;;) {
        u64 right;
        skip_space(p);
        const struct binary *o = operator_at(p->at, level);
        if (!o)
            return true;
        p->at += strlen(o->text);
        if (!parse_level(p, level + 1, &right))
            return false;
        if (!right && (o->compute == op_div || o->compute == op_mod))
            return error_set(p->err, "division by zero");
        *value = o->compute(*value, right);
    }
}

bool expression_eval(struct cpu *cpu, const struct symbols *symbols, const char **text, u64 *value,
                     struct error *err)
{
    struct parser p = {.cpu = cpu, .symbols = symbols, .at = *text, .err = err};
    bool good = parse_all(&p, value);
    *text = p.at;
    return good;
}
