/* The window, through SDL 2: the screen, the keyboard, the mouse and its grab. */
/* SPDX-License-Identifier: MIT */
#include <SDL2/SDL.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "frontend/display.h"
#include "frontend/screenshot.h"
#include "hw/pc.h"
#include "hw/vga.h"

enum { FRAME_MS = 16 };

struct window {
    struct machine *m;             /* what it shows */
    const struct options *options; /* for the name */
    SDL_Window *window;            /* the window */
    SDL_Renderer *renderer;        /* draws into it */
    SDL_Texture *texture;          /* the screen, width * height */
    unsigned width, height;        /* size of texture */
    SDL_mutex *lock;               /* guards picture, fresh */
    struct picture picture;        /* drawn by the machine thread */
    bool fresh;                    /* picture is newer than texture */
    SDL_atomic_t asked;            /* a drawing is on its way */
    SDL_atomic_t ended;            /* machine_run has returned */
    bool grabbed;                  /* the guest has the mouse and all keys */
    bool full_screen;              /* covers the desktop */
    bool paused;                   /* what the title says of the machine */
    bool exposed;                  /* the window has lost what was drawn in it */
    u8 down[512 / 8];              /* keys the guest believes to be down */
    unsigned shots;                /* screenshots taken by key */
    int status;                    /* machine_run's */
};

/* A key or mouse event on its way to the machine thread. */
struct input {
    bool is_key;      /* else mouse */
    unsigned usage;   /* key: USB HID usage */
    bool down;        /* key: pressed */
    int dx, dy, dz;   /* mouse: movement since the last event */
    unsigned buttons; /* mouse: bit 0 left, 1 right, 2 middle */
};

static void deliver_input(struct machine *m, void *opaque)
{
    struct input *in = opaque;
    if (in->is_key)
        pc_key(machine_pc(m), in->usage, in->down);
    else
        pc_mouse(machine_pc(m), in->dx, in->dy, in->dz, in->buttons);
    free(in);
}

static void post_input(struct window *w, struct input in)
{
    struct input *copy = xmalloc(sizeof *copy);
    *copy = in;
    machine_post(w->m, deliver_input, copy);
}

static void send_key(struct window *w, unsigned usage, bool down)
{
    if (usage >= 512 || (!down && !(w->down[usage / 8] & BIT(usage % 8))))
        return;
    w->down[usage / 8] = (u8)((w->down[usage / 8] & ~BIT(usage % 8)) | (unsigned)down << usage % 8);
    post_input(w, (struct input){.is_key = true, .usage = usage, .down = down});
}

/* The window lost the keyboard: the guest must not keep keys that nobody holds. */
static void release_keys(struct window *w)
{
    for (unsigned usage = 0; usage < 512; usage++)
        send_key(w, usage, false);
}

static void set_title(struct window *w)
{
    char title[256];
    snprintf(title, sizeof title, "%s%sPrescient%s - %s", w->options->name ? w->options->name : "",
             w->options->name ? " - " : "", w->paused ? " [paused]" : "",
             w->grabbed ? "Ctrl-Alt-G releases the mouse" : "Ctrl-Alt-G grabs the mouse");
    SDL_SetWindowTitle(w->window, title);
}

static void set_grab(struct window *w, bool grab)
{
    w->grabbed = grab;
    SDL_SetRelativeMouseMode(grab ? SDL_TRUE : SDL_FALSE);
    SDL_SetWindowGrab(w->window, grab ? SDL_TRUE : SDL_FALSE);
    set_title(w);
}

/* On the machine thread. */
static void draw(struct machine *m, void *opaque)
{
    struct window *w = opaque;
    SDL_LockMutex(w->lock);
    w->fresh |= vga_draw(pc_vga(machine_pc(m)), &w->picture, false);
    SDL_UnlockMutex(w->lock);
    SDL_AtomicSet(&w->asked, 0);
}

static void save_shot(struct window *w)
{
    char path[64];
    struct error err;
    snprintf(path, sizeof path, "prescient-%u.png", w->shots++);
    SDL_LockMutex(w->lock);
    bool good = picture_save_png(&w->picture, path, &err);
    SDL_UnlockMutex(w->lock);
    log_line(NULL, "%s%s", good ? "saved " : "", good ? path : err.text);
}

/* Ctrl-Alt with a letter belongs to the window; true if this was one. */
static bool hot_key(struct window *w, const SDL_KeyboardEvent *e)
{
    if (!(e->keysym.mod & KMOD_CTRL) || !(e->keysym.mod & KMOD_ALT))
        return false;
    switch (e->keysym.scancode) {
    case SDL_SCANCODE_G: set_grab(w, !w->grabbed); break;
    case SDL_SCANCODE_F:
        w->full_screen = !w->full_screen;
        SDL_SetWindowFullscreen(w->window, w->full_screen ? SDL_WINDOW_FULLSCREEN_DESKTOP : 0);
        break;
    case SDL_SCANCODE_S: save_shot(w); break;
    default: return false;
    }
    release_keys(w);
    return true;
}

static void mouse_event(struct window *w, int dx, int dy, int dz)
{
    Uint32 state = SDL_GetMouseState(NULL, NULL);
    unsigned buttons = (state & SDL_BUTTON_LMASK ? 1u : 0) | (state & SDL_BUTTON_RMASK ? 2u : 0) |
                       (state & SDL_BUTTON_MMASK ? 4u : 0);
    if (w->grabbed)
        post_input(w, (struct input){.dx = dx, .dy = dy, .dz = dz, .buttons = buttons});
}

static void handle_event(struct window *w, const SDL_Event *e)
{
    switch (e->type) {
    case SDL_QUIT: machine_quit(w->m, 0); break;
    case SDL_KEYDOWN:
        if (!hot_key(w, &e->key))
            send_key(w, e->key.keysym.scancode, true);
        break;
    case SDL_KEYUP: send_key(w, e->key.keysym.scancode, false); break;
    case SDL_MOUSEMOTION: mouse_event(w, e->motion.xrel, e->motion.yrel, 0); break;
    case SDL_MOUSEWHEEL: mouse_event(w, 0, 0, -e->wheel.y); break;
    case SDL_MOUSEBUTTONDOWN:
    case SDL_MOUSEBUTTONUP: mouse_event(w, 0, 0, 0); break;
    case SDL_WINDOWEVENT:
        if (e->window.event == SDL_WINDOWEVENT_FOCUS_LOST)
            release_keys(w);
        w->exposed = true;
        break;
    }
}

/* Follows a change of the guest's mode. */
static void fit_texture(struct window *w)
{
    if (w->texture && w->width == w->picture.width && w->height == w->picture.height)
        return;
    if (w->texture)
        SDL_DestroyTexture(w->texture);
    w->width = w->picture.width;
    w->height = w->picture.height;
    w->texture = SDL_CreateTexture(w->renderer, SDL_PIXELFORMAT_RGB888, SDL_TEXTUREACCESS_STREAMING,
                                   (int)w->width, (int)w->height);
    SDL_RenderSetLogicalSize(w->renderer, (int)w->width, (int)w->height);
    if (!w->full_screen)
        SDL_SetWindowSize(w->window, (int)w->width, (int)w->height);
}

static void show(struct window *w)
{
    bool changed = w->exposed;
    SDL_LockMutex(w->lock);
    if (w->fresh && w->picture.width && w->picture.height) {
        fit_texture(w);
        SDL_UpdateTexture(w->texture, NULL, w->picture.pixels, (int)w->width * 4);
        w->fresh = false;
        changed = true;
    }
    SDL_UnlockMutex(w->lock);
    w->exposed = false;
    if (!changed)
        return;
    SDL_RenderClear(w->renderer);
    if (w->texture)
        SDL_RenderCopy(w->renderer, w->texture, NULL, NULL);
    SDL_RenderPresent(w->renderer);
}

static int machine_thread(void *opaque)
{
    struct window *w = opaque;
    w->status = machine_run(w->m);
    SDL_AtomicSet(&w->ended, 1);
    return 0;
}

/* SDL would go on without any display, drawing into memory, and other libraries would complain. */
static bool choose_driver(struct error *err)
{
    bool wayland = getenv("WAYLAND_DISPLAY"), x11 = getenv("DISPLAY");
    if (getenv("SDL_VIDEODRIVER"))
        return true;
    if (!wayland && !x11)
        return error_set(err, "no window: neither DISPLAY nor WAYLAND_DISPLAY is set; "
                              "use -nographic or -display none");
    SDL_SetHint(SDL_HINT_VIDEODRIVER, wayland ? "wayland,x11" : "x11");
    return true;
}

static bool open_window(struct window *w, struct error *err)
{
    if (!choose_driver(err))
        return false;
    if (SDL_Init(SDL_INIT_VIDEO) < 0)
        return error_set(err, "no window: %s; use -nographic or -display none", SDL_GetError());
    w->window = SDL_CreateWindow("Prescient", SDL_WINDOWPOS_UNDEFINED, SDL_WINDOWPOS_UNDEFINED, 720,
                                 400, SDL_WINDOW_RESIZABLE);
    w->renderer = w->window ? SDL_CreateRenderer(w->window, -1, 0) : NULL;
    if (!w->renderer)
        return error_set(err, "no window: %s; use -nographic or -display none", SDL_GetError());
    w->lock = SDL_CreateMutex();
    set_title(w);
    return true;
}

static void run_events(struct window *w)
{
    while (!SDL_AtomicGet(&w->ended)) {
        SDL_Event e;
        if (SDL_WaitEventTimeout(&e, FRAME_MS)) {
            do
                handle_event(w, &e);
            while (SDL_PollEvent(&e));
        }
        if (SDL_AtomicCAS(&w->asked, 0, 1))
            machine_post(w->m, draw, w);
        if (w->paused != machine_paused(w->m)) {
            w->paused = !w->paused;
            set_title(w);
        }
        show(w);
    }
}

int display_run(struct machine *m, const struct options *options, bool *opened, struct error *err)
{
    struct window w = {.m = m, .options = options};
    *opened = open_window(&w, err);
    if (*opened)
        fputs("prescient: Ctrl-Alt-G gives the mouse to the guest and takes it back; close the "
              "window to quit\n",
              stderr);
    SDL_Thread *thread = *opened ? SDL_CreateThread(machine_thread, "machine", &w) : NULL;
    if (thread) {
        run_events(&w);
        SDL_WaitThread(thread, NULL);
        machine_settle(m); /* a drawing may have been asked for since: w is still there */
    }
    if (w.texture)
        SDL_DestroyTexture(w.texture);
    if (w.renderer)
        SDL_DestroyRenderer(w.renderer);
    if (w.window)
        SDL_DestroyWindow(w.window);
    if (w.lock)
        SDL_DestroyMutex(w.lock);
    SDL_Quit();
    picture_free(&w.picture);
    return w.status;
}
