/* Source lines by libdw, of elfutils. */
/* SPDX-License-Identifier: MIT */
#include "frontend/lines.h"

#include <elfutils/libdw.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct lines {
    struct lines *next; /* asked after it */
    int fd;             /* the file */
    Dwarf *dwarf;       /* what is in it */
    u64 bias;           /* added to its addresses */
};

struct lines *lines_open(const char *path, u64 bias, struct lines *next)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    Dwarf *dwarf = fd >= 0 ? dwarf_begin(fd, DWARF_C_READ) : NULL;
    if (!dwarf) {
        if (fd >= 0)
            close(fd);
        return next;
    }
    struct lines *l = xmalloc(sizeof *l);
    *l = (struct lines){next, fd, dwarf, bias};
    return l;
}

void lines_free(struct lines *l)
{
    while (l) {
        struct lines *next = l->next;
        dwarf_end(l->dwarf);
        close(l->fd);
        free(l);
        l = next;
    }
}

/* The line of an address, and its number; NULL when there is none. */
static Dwarf_Line *line_at(struct lines *l, u64 address, int *number)
{
    Dwarf_Die die;
    Dwarf_Line *line = NULL;
    if (dwarf_addrdie(l->dwarf, address - l->bias, &die))
        line = dwarf_getsrc_die(&die, address - l->bias);
    return line && !dwarf_lineno(line, number) ? line : NULL;
}

char *lines_name(struct lines *l, u64 address, char *buf, size_t size)
{
    buf[0] = 0;
    for (; l; l = l->next) {
        int number;
        Dwarf_Line *line = line_at(l, address, &number);
        const char *path = line ? dwarf_linesrc(line, NULL, NULL) : NULL;
        if (!path)
            continue;
        const char *name = strrchr(path, '/');
        snprintf(buf, size, "%s:%d", name ? name + 1 : path, number);
        break;
    }
    return buf;
}

/* Takes this place if it is better than *best. Several lines may begin at one address; it is the
 * last one's. */
static void take_better(struct lines *l, Dwarf_Line *line, u64 address, u64 *best, bool *best_own)
{
    int number, owner;
    bool own = !dwarf_lineno(line, &number) && line_at(l, address, &owner) && owner == number;
    if (*best != UINT64_MAX && (own < *best_own || (own == *best_own && address >= *best)))
        return;
    *best = address;
    *best_own = own;
}

bool lines_find(struct lines *l, const char *file, int line, u64 *address)
{
    bool own = false;
    *address = UINT64_MAX;
    for (; l && *address == UINT64_MAX; l = l->next) {
        Dwarf_Line **list = NULL;
        size_t count = 0;
        if (dwarf_getsrc_file(l->dwarf, file, line, 0, &list, &count))
            continue;
        for (size_t n = 0; n < count; n++) {
            Dwarf_Addr at;
            if (!dwarf_lineaddr(list[n], &at))
                take_better(l, list[n], at + l->bias, address, &own);
        }
        free(list);
    }
    return *address != UINT64_MAX;
}
