/* ELF files, by libelf: program headers; functions and objects of .symtab, or of .dynsym. */
/* SPDX-License-Identifier: MIT */
#include <fcntl.h>
#include <gelf.h>
#include <string.h>
#include <unistd.h>

#include "frontend/elf_file.h"

bool elf_file_segments(const void *data, size_t size, u64 *entry,
                       bool (*fn)(void *opaque, const struct elf_segment *segment), void *opaque)
{
    size_t count = 0;
    GElf_Ehdr eh;
    GElf_Phdr ph;
    bool good = elf_version(EV_CURRENT) != EV_NONE;
    Elf *elf = good ? elf_memory((char *)(uintptr_t)data, size) : NULL;
    good = elf && gelf_getehdr(elf, &eh) && elf_getphdrnum(elf, &count) == 0 && count > 0;
    *entry = good ? eh.e_entry : 0;
    for (size_t n = 0; good && n < count; n++) {
        good = gelf_getphdr(elf, (int)n, &ph) != NULL;
        if (!good || ph.p_type != PT_LOAD || !ph.p_memsz)
            continue;
        struct elf_segment segment = {ph.p_offset, ph.p_filesz, ph.p_memsz, ph.p_paddr, ph.p_vaddr};
        good = ph.p_offset <= size && ph.p_filesz <= size - ph.p_offset && fn(opaque, &segment);
    }
    elf_end(elf);
    return good;
}

/* Is it a place in the program that people call by this name? */
static bool is_place(const GElf_Sym *sym, const char *name)
{
    unsigned type = GELF_ST_TYPE(sym->st_info);
    if (!name || !*name || name[0] == '$' || sym->st_shndx == SHN_UNDEF || sym->st_shndx == SHN_ABS)
        return false;
    return type == STT_FUNC || type == STT_OBJECT || type == STT_NOTYPE;
}

static void add_section(struct symbols *s, Elf *elf, Elf_Scn *scn, const GElf_Shdr *header,
                        u64 bias)
{
    Elf_Data *data = elf_getdata(scn, NULL);
    GElf_Sym sym;
    for (int n = 0; data && gelf_getsym(data, n, &sym); n++) {
        const char *name = elf_strptr(elf, header->sh_link, sym.st_name);
        if (is_place(&sym, name))
            symbols_add(s, sym.st_value + bias, sym.st_size, name, strlen(name));
    }
}

/* Adds the first section of this type; how many symbols there are now more. */
static size_t add_type(struct symbols *s, Elf *elf, GElf_Word type, u64 bias)
{
    size_t before = symbols_count(s);
    for (Elf_Scn *scn = elf_nextscn(elf, NULL); scn; scn = elf_nextscn(elf, scn)) {
        GElf_Shdr header;
        if (gelf_getshdr(scn, &header) && header.sh_type == type)
            add_section(s, elf, scn, &header, bias);
    }
    return symbols_count(s) - before;
}

bool elf_file_symbols(struct symbols *s, const char *path, u64 bias, struct error *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || elf_version(EV_CURRENT) == EV_NONE)
        return error_set(err, "symbols %s: cannot be read", path);
    Elf *elf = elf_begin(fd, ELF_C_READ, NULL);
    size_t added = 0;
    if (elf && elf_kind(elf) == ELF_K_ELF) {
        added = add_type(s, elf, SHT_SYMTAB, bias);
        if (!added)
            added = add_type(s, elf, SHT_DYNSYM, bias);
    }
    elf_end(elf);
    close(fd);
    return added || error_set(err, "symbols %s: the ELF file has none", path);
}
