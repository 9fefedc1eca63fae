/* The guest's screen as a PNG file. */
/* SPDX-License-Identifier: MIT */
#ifndef FRONTEND_SCREENSHOT_H
#define FRONTEND_SCREENSHOT_H

#include "hw/picture.h"

struct vga;

/* Writes a picture as an 8-bit RGB PNG (ISO 15948); false with *err set. */
bool picture_save_png(const struct picture *p, const char *path, struct error *err);

/* Draws the screen and saves it. On the machine thread. */
bool screenshot_save(struct vga *v, const char *path, struct error *err);

/* Can a picture be written there later? False with *err set where that is plain from the start. */
bool screenshot_possible(const char *path, struct error *err);

#endif
