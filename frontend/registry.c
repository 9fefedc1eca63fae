/* The machines that run on this host: a file each in a folder of the user's, locked while the
 * machine runs; a file that nobody has locked is left over and goes. */
/* SPDX-License-Identifier: MIT */
#include "frontend/registry.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LINE_MOST = 4096 };

/* Only the user can write there. */
static char *folder(void)
{
    const char *run = getenv("XDG_RUNTIME_DIR");
    if (run && *run)
        return xasprintf("%s/prescient", run);
    return xasprintf("/tmp/prescient-%u", (unsigned)getuid());
}

/* Makes the folder; in /tmp somebody else may have made it first. */
static bool folder_is_ours(const char *path)
{
    struct stat st;
    if (mkdir(path, 0700) < 0 && errno != EEXIST)
        return false;
    return !lstat(path, &st) && S_ISDIR(st.st_mode) && st.st_uid == getuid();
}

/* A socket's path from the root, as others need it. */
static char *absolute(const char *spec)
{
    char here[LINE_MOST];
    if (strncmp(spec, "unix:", 5) || spec[5] == '/' || !getcwd(here, sizeof here))
        return xstrdup(spec);
    return xasprintf("unix:%s/%s", here, spec + 5);
}

static void write_line(int fd, const struct options *o)
{
    char *name = xstrdup(o->name && *o->name ? o->name : "-");
    char *monitor = absolute(o->monitor ? o->monitor : "none");
    for (char *c = name; *c; c++)
        *c = (u8)*c < ' ' || *c == 0x7f ? ' ' : *c; /* tabs and line feeds are the list's own */
    char *line = xasprintf("%d\t%s\t%s\n", (int)getpid(), name, monitor);
    if (write(fd, line, strlen(line)) < 0)
        log_line(NULL, "prescient list will not show this machine: %s", strerror(errno));
    free(line);
    free(monitor);
    free(name);
}

int registry_enter(const struct options *o)
{
    char *dir = folder(), *path = xasprintf("%s/%d", dir, (int)getpid());
    int fd = -1;
    if (folder_is_ours(dir))
        fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd >= 0 && !flock(fd, LOCK_EX | LOCK_NB)) {
        write_line(fd, o);
    } else if (fd >= 0) {
        close(fd);
        fd = -1;
    }
    free(path);
    free(dir);
    return fd;
}

void registry_leave(int fd)
{
    if (fd < 0)
        return;
    char *dir = folder(), *path = xasprintf("%s/%d", dir, (int)getpid());
    unlink(path);
    close(fd);
    free(path);
    free(dir);
}

/* One file; true if its machine runs. */
static bool show(const char *dir, const char *name)
{
    char *path = xasprintf("%s/%s", dir, name), line[LINE_MOST + 1];
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    bool runs = fd >= 0 && flock(fd, LOCK_SH | LOCK_NB) < 0 && errno == EWOULDBLOCK;
    ssize_t size = runs ? read(fd, line, LINE_MOST) : 0;
    if (fd >= 0 && !runs)
        unlink(path);
    if (size > 0) {
        line[size] = 0;
        fputs(line, stdout);
    }
    if (fd >= 0)
        close(fd);
    free(path);
    return size > 0;
}

int registry_list(int argc, char **argv)
{
    if (argc > 1) {
        fprintf(stderr, "prescient: list takes no arguments, such as %s\n", argv[1]);
        return 1;
    }
    char *dir = folder();
    DIR *d = opendir(dir);
    struct dirent *e;
    unsigned count = 0;
    while (d && (e = readdir(d)))
        if (e->d_name[0] >= '0' && e->d_name[0] <= '9')
            count += show(dir, e->d_name);
    if (d)
        closedir(d);
    if (!count)
        fputs("no machine runs\n", stderr);
    free(dir);
    return 0;
}
