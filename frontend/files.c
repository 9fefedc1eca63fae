/* Where firmware and the project's own ROM images are found. */
/* SPDX-License-Identifier: MIT */
#include "frontend/files.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config.h"

enum { FIRMWARE_MAX = 16 << 20 };

bool firmware_read(struct blob *b, const char *name, struct error *err)
{
    if (strchr(name, '/') || access(name, R_OK) == 0)
        return blob_read(b, name, "firmware", FIRMWARE_MAX, err);
    char *path = xasprintf("%s/%s", PRESCIENT_FIRMWARE_DIR, name);
    bool good = access(path, R_OK) == 0
                    ? blob_read(b, path, "firmware", FIRMWARE_MAX, err)
                    : error_set(err,
                                "firmware %s: neither here nor in " PRESCIENT_FIRMWARE_DIR
                                ", where Debian's package seabios puts it",
                                name);
    free(path);
    return good;
}

/* The folder of the running program. */
static char *program_folder(void)
{
    char path[4096];
    ssize_t n = readlink("/proc/self/exe", path, sizeof path - 1);
    path[n < 0 ? 0 : n] = 0;
    char *slash = strrchr(path, '/');
    if (slash)
        *slash = 0;
    return xstrdup(path);
}

char *data_file_path(const char *name, struct error *err)
{
    char *folder = program_folder();
    char *place[] = {xasprintf("%s/roms/%s", folder, name),
                     xasprintf("%s/../share/prescient/%s", folder, name),
                     xasprintf("%s/roms/%s", PRESCIENT_BUILD_DIR, name),
                     xasprintf("%s/%s", PRESCIENT_DATA_DIR, name)};
    char *found = NULL;
    free(folder);
    for (size_t n = 0; n < ARRAY_LEN(place); n++) {
        if (!found && access(place[n], R_OK) == 0)
            found = place[n];
        else
            free(place[n]);
    }
    if (!found)
        error_set(err, "%s is missing: run make, or make install", name);
    return found;
}

bool data_file_read(struct blob *b, const char *name, struct error *err)
{
    char *path = data_file_path(name, err);
    bool good = path && blob_read(b, path, "file", FIRMWARE_MAX, err);
    free(path);
    return good;
}
