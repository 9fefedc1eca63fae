/* A line of small capitals, for the window's lower edge. */
/* SPDX-License-Identifier: MIT */
#ifndef FRONTEND_STATUS_LINE_H
#define FRONTEND_STATUS_LINE_H

#include "hw/picture.h"

enum { STATUS_HEIGHT = 20 };

/* Draws text (capitals, digits, . % / - :) light on dark into a picture of this width and
 * STATUS_HEIGHT. */
void status_draw(struct picture *p, unsigned width, const char *text);

#endif
