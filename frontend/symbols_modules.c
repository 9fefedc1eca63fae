/* Symbols of the modules that a Linux kernel has loaded: the list `modules` of struct module, each
 * with its ELF symbol table (kernel/module/kallsyms.c of Linux 4.5 and later, 32-bit). Where in the
 * struct the table is depends on the kernel's configuration; it is recognised by what it looks
 * like. */
/* SPDX-License-Identifier: MIT */
#include <ctype.h>
#include <string.h>

#include "cpu/mem.h"
#include "frontend/symbols.h"

enum { MODULES_MAX = 1024, NAME_FIELD = 60, STRUCT_WORDS = 512, SYMBOLS_MAX = 1 << 16 };
enum { STRINGS_MAX = 4 << 20, NAME_MAX_LEN = 128, LOOKED_AT = 8, CODE_MAX = 256 };

/* Elf32_Sym; <elf.h> and our page-fault bits have names in common. */
struct elf_symbol {
    u32 name;  /* offset in the string table */
    u32 value; /* address */
    u32 size;  /* bytes */
    u8 info;   /* type in the low four bits */
    u8 other;  /* visibility */
    u16 shndx; /* section; 0: it is another module's */
};
enum { TYPE = 15, TYPE_FUNC = 2 };

/* struct mod_kallsyms. */
struct table {
    u32 symbols; /* address of struct elf_symbol[] */
    u32 count;   /* of them */
    u32 strings; /* address of the string table */
};

static bool read_at(struct cpu *cpu, u32 at, void *to, unsigned size)
{
    return mem_peek(cpu, at, to, size) == size;
}

/* A name of printable characters, with a NUL; false when it is none. */
static bool read_name(struct cpu *cpu, u32 at, char name[NAME_MAX_LEN])
{
    unsigned n = mem_peek(cpu, at, name, NAME_MAX_LEN - 1), len = 0;
    name[n] = 0;
    while (isgraph((u8)name[len]))
        len++;
    return len && len < n && !name[len];
}

static bool read_symbol(struct cpu *cpu, const struct table *t, u32 n, struct elf_symbol *sym,
                        char name[NAME_MAX_LEN])
{
    name[0] = 0;
    if (!read_at(cpu, t->symbols + n * (u32)sizeof *sym, sym, sizeof *sym) ||
        sym->name >= STRINGS_MAX)
        return false;
    return !sym->name || read_name(cpu, t->strings + sym->name, name);
}

/* Is this a symbol table? The first symbol is null, and the first string empty. */
static bool table_at(struct cpu *cpu, u32 at, struct table *t)
{
    struct elf_symbol sym, null = {0};
    char name[NAME_MAX_LEN];
    u8 first;
    unsigned named = 0;
    if (!read_at(cpu, at, t, sizeof *t) || t->count < 2 || t->count > SYMBOLS_MAX ||
        t->symbols & 3 || !read_at(cpu, t->strings, &first, 1) || first ||
        !read_at(cpu, t->symbols, &sym, sizeof sym) || memcmp(&sym, &null, sizeof sym))
        return false;
    for (u32 n = 1; n < t->count && n < LOOKED_AT; n++) {
        if (!read_symbol(cpu, t, n, &sym, name))
            return false;
        named += *name != 0;
    }
    return named;
}

static bool find_table(struct cpu *cpu, u32 module, struct table *t)
{
    u32 word[STRUCT_WORDS];
    unsigned words = mem_peek(cpu, module, word, sizeof word) / 4;
    for (unsigned n = 0; n < words; n++)
        if (word[n] >= PAGE_SIZE && table_at(cpu, word[n], t))
            return true;
    return false;
}

static bool is_place(const struct elf_symbol *sym, const char *name)
{
    unsigned type = sym->info & TYPE;
    return *name && sym->shndx && sym->value >= PAGE_SIZE && name[0] != '$' && type <= TYPE_FUNC;
}

/* False when they are known already. */
static bool add_table(struct symbols *s, struct cpu *cpu, const struct table *t)
{
    char name[NAME_MAX_LEN];
    struct elf_symbol sym;
    u64 offset;
    for (u32 n = 1; n < t->count; n++) {
        if (!read_symbol(cpu, t, n, &sym, name) || !is_place(&sym, name))
            continue;
        const char *known = symbols_at(s, sym.value, &offset);
        if (known && !offset && !strcmp(known, name))
            return false;
        symbols_add(s, sym.value, sym.size, name, strlen(name));
    }
    return true;
}

/* Is there a list of modules at this address? */
static bool head_at(struct cpu *cpu, u32 at)
{
    char name[NAME_MAX_LEN];
    u32 node, previous;
    struct table t;
    return read_at(cpu, at, &node, 4) && node != at && read_at(cpu, node + 4, &previous, 4) &&
           previous == at && read_name(cpu, node + 8, name) &&
           find_table(cpu, node + 8 + NAME_FIELD, &t);
}

/* The list's place: by its name, which kernels without CONFIG_KALLSYMS_ALL do not keep; else it is
 * an operand of the functions that go through it. */
static bool find_head(const struct symbols *s, struct cpu *cpu, u32 *head)
{
    static const char *const users[] = {"print_modules", "find_module_all",
                                        "module_kallsyms_lookup_name", "module_get_kallsym"};
    u8 code[CODE_MAX];
    u64 at;
    if (symbols_find(s, "modules", &at)) {
        *head = (u32)at;
        return true;
    }
    for (unsigned n = 0; n < ARRAY_LEN(users); n++) {
        unsigned size = symbols_find(s, users[n], &at) ? mem_peek(cpu, at, code, CODE_MAX) : 0;
        for (unsigned i = 0; i + 4 <= size; i++) {
            *head = load_le32(code + i);
            if (*head >= PAGE_SIZE && !(*head & 3) && head_at(cpu, *head))
                return true;
        }
    }
    return false;
}

unsigned symbols_add_modules(struct symbols *s, struct cpu *cpu)
{
    u32 head, node, next;
    unsigned added = 0;
    if (!find_head(s, cpu, &head) || !read_at(cpu, head, &node, 4))
        return 0;
    for (unsigned n = 0; n < MODULES_MAX && node != head; n++, node = next) {
        char name[NAME_MAX_LEN];
        struct table t;
        if (!read_at(cpu, node, &next, 4) || !read_name(cpu, node + 8, name))
            break;
        added += find_table(cpu, node + 8 + NAME_FIELD, &t) && add_table(s, cpu, &t);
    }
    symbols_ready(s);
    return added;
}
