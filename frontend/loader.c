/* What -kernel boots: files into memory, and the choice between Linux's and the multiboot format.
 */
/* SPDX-License-Identifier: MIT */
#include "frontend/loader.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

bool blob_read(struct blob *b, const char *path, const char *what, size_t max, struct error *err)
{
    struct stat st;
    /* O_NONBLOCK: a FIFO must not hang us. */
    int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    FILE *f = fd < 0 ? NULL : fdopen(fd, "rb");
    *b = (struct blob){0};
    if (!f || fstat(fd, &st) < 0) {
        error_set(err, "%s %s: %s", what, path, strerror(errno));
        if (f)
            fclose(f);
        return false;
    }
    if (!S_ISREG(st.st_mode) || (u64)st.st_size > max || st.st_size == 0) {
        fclose(f);
        return error_set(err, "%s %s: %s", what, path,
                         !S_ISREG(st.st_mode) ? "not a regular file"
                         : st.st_size         ? "too large"
                                              : "the file is empty");
    }
    b->size = (size_t)st.st_size;
    b->data = xmalloc(b->size);
    size_t got = fread(b->data, 1, b->size, f);
    fclose(f);
    if (got == b->size)
        return true;
    blob_free(b);
    return error_set(err, "%s %s: cannot be read to its end", what, path);
}

void blob_free(struct blob *b)
{
    free(b->data);
    *b = (struct blob){0};
}

enum { FILE_MAX = 1 << 30 };

/* -initrd "file args,file args" */
static bool open_modules(struct boot_image *image, const char *list, struct error *err)
{
    char *copy = xstrdup(list), *save = NULL;
    bool good = true;
    for (char *item = strtok_r(copy, ",", &save); good && item; item = strtok_r(NULL, ",", &save)) {
        unsigned n = image->module_count++;
        image->module = xrealloc(image->module, image->module_count * sizeof *image->module);
        image->module_args =
            xrealloc(image->module_args, image->module_count * sizeof *image->module_args);
        image->module_args[n] = xstrdup(item);
        char *space = strchr(item, ' ');
        if (space)
            *space = 0;
        good = blob_read(&image->module[n], item, "module", FILE_MAX, err);
    }
    free(copy);
    return good;
}

bool boot_image_open(struct boot_image *image, const char *kernel, const char *initrd,
                     const char *append, struct error *err)
{
    struct error why = {{0}};
    *image = (struct boot_image){.cmdline = xstrdup(append ? append : "")};
    if (!blob_read(&image->kernel, kernel, "kernel", FILE_MAX, err))
        return false;
    if (linux_check(image, kernel, &why))
        return !initrd || blob_read(&image->initrd, initrd, "initrd", FILE_MAX, err);
    if (why.text[0])
        return error_set(err, "%s", why.text);
    if (multiboot_check(image, kernel, &why)) {
        image->multiboot = true;
        return !initrd || open_modules(image, initrd, err);
    }
    if (why.text[0])
        return error_set(err, "%s", why.text);
    return error_set(err, "kernel %s: neither a Linux bzImage nor a multiboot ELF file", kernel);
}

void boot_image_free(struct boot_image *image)
{
    for (unsigned n = 0; n < image->module_count; n++) {
        blob_free(&image->module[n]);
        free(image->module_args[n]);
    }
    free(image->module);
    free(image->module_args);
    free(image->cmdline);
    blob_free(&image->kernel);
    blob_free(&image->initrd);
}

bool boot_image_place(const struct boot_image *image, struct physmem *mem, u32 block,
                      struct error *err)
{
    struct launch_block launch;
    dma_read(mem, block, &launch, sizeof launch);
    if (launch.count > E820_MAX)
        launch.count = E820_MAX;
    bool good = image->multiboot ? multiboot_place(image, mem, &launch, err)
                                 : linux_place(image, mem, &launch, err);
    if (good)
        dma_write(mem, block, &launch, offsetof(struct launch_block, map));
    return good;
}
