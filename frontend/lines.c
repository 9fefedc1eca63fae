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

char *lines_name(struct lines *l, u64 address, char *buf, size_t size)
{
    buf[0] = 0;
    for (; l; l = l->next) {
        Dwarf_Die die;
        Dwarf_Line *line = NULL;
        int number = 0;
        if (dwarf_addrdie(l->dwarf, address - l->bias, &die))
            line = dwarf_getsrc_die(&die, address - l->bias);
        const char *path = line ? dwarf_linesrc(line, NULL, NULL) : NULL;
        if (!path || dwarf_lineno(line, &number))
            continue;
        const char *name = strrchr(path, '/');
        snprintf(buf, size, "%s:%d", name ? name + 1 : path, number);
        break;
    }
    return buf;
}
