/* What the SDL window shows: the guest's picture, scaled, and the status line under it. */
/* SPDX-License-Identifier: MIT */
#ifndef FRONTEND_SDL_VIEW_H
#define FRONTEND_SDL_VIEW_H

#include <SDL2/SDL.h>

#include "hw/picture.h"

struct view {
    SDL_Window *window;     /* the window */
    SDL_Renderer *renderer; /* draws into it */
    SDL_Texture *texture;   /* the picture, width * height */
    unsigned width, height; /* size of texture */
    SDL_Texture *status;    /* the status line, or NULL: none was drawn yet */
    SDL_Rect place;         /* where the picture is, in the renderer's pixels */
    u32 border;             /* colour around the picture */
    unsigned zoom;          /* size of the window in sizes of the picture, when that changes */
    bool integer;           /* enlarge by whole numbers only */
    bool full_screen;       /* covers the desktop */
    bool outgrown;          /* the picture has changed its size meanwhile */
    bool has_status;        /* show the status line */
};

/* False with *err set. v->integer, full_screen, has_status are the caller's to set before. */
bool view_open(struct view *v, struct error *err);
/* The window disappears; it goes with the process. */
void view_hide(struct view *v);

/* Takes the picture's changed lines over, and makes the window fit when its size has changed. */
void view_update(struct view *v, struct picture *p);
void view_set_status(struct view *v, const char *text);
void view_show(struct view *v); /* draws all */

/* The window becomes so many pictures wide, or the desktop. */
void view_set_zoom(struct view *v, unsigned zoom);
void view_set_full_screen(struct view *v, bool full_screen);

/* A place in the window as a place on the guest's screen, 0 to FFFFh; false: it is not on it. */
bool view_point(struct view *v, int x, int y, u16 *to_x, u16 *to_y);

#endif
