/* What the SDL window shows: the guest's picture, scaled, and the status line under it. */
/* SPDX-License-Identifier: MIT */
#include "frontend/sdl_view.h"

#include <stdlib.h>
#include <string.h>

#include "frontend/status_line.h"

enum { FIRST_WIDTH = 720, FIRST_HEIGHT = 400 };

/* Does the host's OpenGL draw on the CPU? Asked of a window that nobody sees. */
static bool is_slow_opengl(void)
{
    enum { GL_RENDERER = 0x1f01 };
    SDL_Window *hidden = SDL_CreateWindow("Prescient", 0, 0, FIRST_WIDTH, FIRST_HEIGHT,
                                          SDL_WINDOW_OPENGL | SDL_WINDOW_HIDDEN);
    SDL_GLContext context = hidden ? SDL_GL_CreateContext(hidden) : NULL;
    void *symbol = context ? SDL_GL_GetProcAddress("glGetString") : NULL;
    const char *name = NULL, *(*get_string)(unsigned name);
    if (symbol) {
        memcpy(&get_string, &symbol, sizeof get_string);
        name = get_string(GL_RENDERER);
    }
    bool slow = name && (strstr(name, "llvmpipe") || strstr(name, "softpipe"));
    if (context)
        SDL_GL_DeleteContext(context);
    if (hidden)
        SDL_DestroyWindow(hidden);
    return slow;
}

/* On X11 SDL's own drawing takes a third of that time, which is the guest's. */
static void choose_renderer(void)
{
    const char *driver = SDL_GetCurrentVideoDriver();
    if (!driver || strcmp(driver, "x11") || getenv("SDL_RENDER_DRIVER") || !is_slow_opengl())
        return;
    SDL_SetHint(SDL_HINT_RENDER_DRIVER, "software");
    SDL_SetHint(SDL_HINT_FRAMEBUFFER_ACCELERATION, "0");
}

bool view_open(struct view *v, struct error *err)
{
    int height = FIRST_HEIGHT + (v->has_status ? STATUS_HEIGHT : 0);
    choose_renderer();
    v->zoom = 1;
    v->window = SDL_CreateWindow("Prescient", SDL_WINDOWPOS_UNDEFINED, SDL_WINDOWPOS_UNDEFINED,
                                 FIRST_WIDTH, height, SDL_WINDOW_RESIZABLE);
    v->renderer = v->window ? SDL_CreateRenderer(v->window, -1, 0) : NULL;
    if (!v->renderer)
        return error_set(err, "no window: %s; use -nographic or -display none", SDL_GetError());
    view_set_full_screen(v, v->full_screen);
    return true;
}

/* SDL wakes itself up by messages to its window on a second connection to the X server. One that
 * comes when the window is no more would end the process there and then, with the disks open. */
void view_hide(struct view *v)
{
    if (v->window)
        SDL_HideWindow(v->window);
}

static void fit_window(struct view *v)
{
    v->outgrown = v->full_screen;
    if (v->full_screen || !v->width)
        return;
    SDL_SetWindowSize(v->window, (int)(v->width * v->zoom),
                      (int)(v->height * v->zoom) + (v->has_status ? STATUS_HEIGHT : 0));
}

void view_set_zoom(struct view *v, unsigned zoom)
{
    v->zoom = zoom;
    view_set_full_screen(v, false);
    fit_window(v);
}

void view_set_full_screen(struct view *v, bool full_screen)
{
    v->full_screen = full_screen;
    SDL_SetWindowFullscreen(v->window, full_screen ? SDL_WINDOW_FULLSCREEN_DESKTOP : 0);
    if (v->outgrown && !full_screen)
        fit_window(v);
}

/* Follows a change of the guest's mode; then all lines are new. */
static void fit_texture(struct view *v, struct picture *p)
{
    if (v->texture && v->width == p->width && v->height == p->height)
        return;
    if (v->texture)
        SDL_DestroyTexture(v->texture);
    v->width = p->width;
    v->height = p->height;
    v->texture = SDL_CreateTexture(v->renderer, SDL_PIXELFORMAT_RGB888, SDL_TEXTUREACCESS_STREAMING,
                                   (int)p->width, (int)p->height);
    picture_damage(p, 0, p->height);
    fit_window(v);
}

void view_update(struct view *v, struct picture *p)
{
    if (!p->width || !p->height)
        return;
    fit_texture(v, p);
    v->border = p->border;
    if (v->texture && p->first < p->end && p->end <= p->height)
        SDL_UpdateTexture(v->texture,
                          &(SDL_Rect){0, (int)p->first, (int)p->width, (int)(p->end - p->first)},
                          p->pixels + (size_t)p->first * p->width, (int)p->width * 4);
    p->first = p->end = 0;
}

void view_set_status(struct view *v, const char *text)
{
    struct picture line = {0};
    int width, height;
    if (!v->has_status || SDL_GetRendererOutputSize(v->renderer, &width, &height) < 0 || width <= 0)
        return;
    status_draw(&line, (unsigned)width, text);
    if (v->status)
        SDL_DestroyTexture(v->status);
    v->status = SDL_CreateTexture(v->renderer, SDL_PIXELFORMAT_RGB888, SDL_TEXTUREACCESS_STATIC,
                                  width, STATUS_HEIGHT);
    if (v->status)
        SDL_UpdateTexture(v->status, NULL, line.pixels, width * 4);
    picture_free(&line);
}

/* As large as the window allows, in the picture's own proportions. */
static SDL_Rect place_picture(const struct view *v, int width, int height)
{
    int w = width, h = (int)((u64)v->height * (unsigned)width / v->width);
    if (h > height) {
        h = height;
        w = (int)((u64)v->width * (unsigned)height / v->height);
    }
    if (v->integer && w >= (int)v->width) {
        int times = w / (int)v->width;
        w = times * (int)v->width;
        h = times * (int)v->height;
    }
    return (SDL_Rect){(width - w) / 2, (height - h) / 2, w, h};
}

void view_show(struct view *v)
{
    int width, height;
    SDL_SetRenderDrawColor(v->renderer, (u8)(v->border >> 16), (u8)(v->border >> 8), (u8)v->border,
                           255);
    SDL_RenderClear(v->renderer);
    if (SDL_GetRendererOutputSize(v->renderer, &width, &height) < 0)
        return;
    if (v->has_status && v->status) {
        int status_width;
        SDL_QueryTexture(v->status, NULL, NULL, &status_width, NULL);
        SDL_RenderCopy(v->renderer, v->status, NULL,
                       &(SDL_Rect){0, height - STATUS_HEIGHT, status_width, STATUS_HEIGHT});
    }
    height -= v->has_status ? STATUS_HEIGHT : 0;
    if (v->texture && width > 0 && height > 0) {
        v->place = place_picture(v, width, height);
        bool sharp = v->integer || (v->place.w == (int)v->width && v->place.h == (int)v->height);
        SDL_SetTextureScaleMode(v->texture, sharp ? SDL_ScaleModeNearest : SDL_ScaleModeLinear);
        SDL_RenderCopy(v->renderer, v->texture, NULL, &v->place);
    }
    SDL_RenderPresent(v->renderer);
}

bool view_point(struct view *v, int x, int y, u16 *to_x, u16 *to_y)
{
    int w, h, width, height;
    SDL_GetWindowSize(v->window, &w, &h);
    if (w <= 0 || h <= 0 || SDL_GetRendererOutputSize(v->renderer, &width, &height) < 0)
        return false;
    const SDL_Rect *p = &v->place;
    x = x * width / w - p->x;
    y = y * height / h - p->y;
    if (x < 0 || y < 0 || x >= p->w || y >= p->h)
        return false;
    *to_x = (u16)((s64)x * 0xffff / (p->w > 1 ? p->w - 1 : 1));
    *to_y = (u16)((s64)y * 0xffff / (p->h > 1 ? p->h - 1 : 1));
    return true;
}
