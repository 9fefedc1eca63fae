/* Where firmware and the project's own ROM images are found. */
/* SPDX-License-Identifier: MIT */
#ifndef FRONTEND_FILES_H
#define FRONTEND_FILES_H

#include "frontend/loader.h"

/* Reads a firmware file: `name` as it is if it has a slash or exists here, else from Debian's
 * seabios package. */
bool firmware_read(struct blob *b, const char *name, struct error *err);

/* Reads one of the project's own files (boot.bin, demo.elf): from the roms folder beside the
 * program, the build folder, or the installed data folder. */
bool data_file_read(struct blob *b, const char *name, struct error *err);
/* The path of such a file, to be freed; NULL with *err set when it is nowhere. */
char *data_file_path(const char *name, struct error *err);

#endif
