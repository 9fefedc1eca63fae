/* The window, through SDL 2: events, keyboard and mouse, their grab, the window's own keys, the
 * clipboard. */
/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "frontend/activity.h"
#include "frontend/display.h"
#include "frontend/screenshot.h"
#include "frontend/sdl_view.h"
#include "frontend/typist.h"
#include "hw/pc.h"
#include "hw/vga.h"

/* A drawing every FRAME_MS, if it does not take more than a part of the machine's time. */
enum { FRAME_MS = 16, DRAW_PART = 20, PAUSE_MOST = 100, STATUS_MS = 500, SHOTS_MOST = 10000 };

struct window {
    struct machine *m;             /* what it shows */
    const struct options *options; /* its name, its keys */
    struct view view;              /* the picture in it */
    SDL_atomic_t asked;            /* the machine thread has what follows, up to `absolute` */
    struct picture picture;        /* drawn by the machine thread */
    bool fresh;                    /* picture has changed */
    Uint32 pause;                  /* ms until the next drawing, by what this one has taken */
    struct activity now;           /* what the machine has done so far */
    bool absolute;                 /* the guest takes absolute positions */
    struct activity before;        /* what it had done when the status line was made */
    Uint32 status_at;              /* when that was, ms */
    SDL_mutex *lock;               /* guards copied */
    char *copied;                  /* text for the clipboard, or NULL */
    struct typist *typist;         /* on the machine thread: types pasted text */
    SDL_atomic_t ended;            /* machine_run has returned */
    bool grabbed;                  /* the guest has the mouse and all keys */
    bool was_absolute;             /* what the title and the grab say of that */
    bool hidden;                   /* the host's pointer is hidden */
    bool paused;                   /* what the title says of the machine */
    bool exposed;                  /* the window has lost what was drawn in it */
    u8 down[512 / 8];              /* keys the guest believes to be down */
    int status;                    /* machine_run's */
};

/* A key or mouse event on its way to the machine thread. */
struct input {
    enum { INPUT_KEY, INPUT_MOUSE, INPUT_POINTER } kind; /* which of what follows counts */
    unsigned usage;                                      /* key: USB HID usage */
    bool down;                                           /* key: pressed */
    int dx, dy;                                          /* mouse: movement since the last event */
    u16 x, y;                                            /* pointer: where it is */
    int dz;                                              /* mouse and pointer: the wheel */
    unsigned buttons; /* mouse and pointer: bit 0 left, 1 right, 2 middle */
};

static void deliver_input(struct machine *m, void *opaque)
{
    struct input *in = opaque;
    struct pc *pc = machine_pc(m);
    if (in->kind == INPUT_KEY)
        pc_key(pc, in->usage, in->down);
    else if (in->kind == INPUT_MOUSE)
        pc_mouse(pc, in->dx, in->dy, in->dz, in->buttons);
    else if (pc_pointer_is_absolute(pc))
        pc_pointer(pc, in->x, in->y, in->dz, in->buttons);
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
    post_input(w, (struct input){.kind = INPUT_KEY, .usage = usage, .down = down});
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
    const char *name = w->options->name ? w->options->name : "";
    snprintf(title, sizeof title, "%s%sPrescient%s - %s %s the %s", name, *name ? " - " : "",
             w->paused ? " [paused]" : "", w->options->window.grab_name,
             w->grabbed ? "releases" : "grabs", w->was_absolute ? "keyboard" : "mouse");
    SDL_SetWindowTitle(w->view.window, title);
}

/* With an absolute pointer the mouse needs no grab: only the keyboard is taken. */
static void set_grab(struct window *w, bool grab)
{
    w->grabbed = grab;
    SDL_SetRelativeMouseMode(grab && !w->was_absolute ? SDL_TRUE : SDL_FALSE);
    SDL_SetWindowMouseGrab(w->view.window, grab && !w->was_absolute ? SDL_TRUE : SDL_FALSE);
    SDL_SetWindowKeyboardGrab(w->view.window, grab ? SDL_TRUE : SDL_FALSE);
    set_title(w);
}

static void hide_pointer(struct window *w, bool hidden)
{
    if (hidden != w->hidden)
        SDL_ShowCursor(hidden ? SDL_DISABLE : SDL_ENABLE);
    w->hidden = hidden;
}

/* On the machine thread. */
static void draw(struct machine *m, void *opaque)
{
    struct window *w = opaque;
    const struct options *o = w->options;
    bool counted = o->limit || o->clock == CLOCK_ICOUNT || o->engine == ENGINE_INTERP;
    Uint64 start = SDL_GetPerformanceCounter();
    w->fresh |= vga_draw(pc_vga(machine_pc(m)), &w->picture, false);
    Uint64 took = SDL_GetPerformanceCounter() - start;
    w->pause = (Uint32)(took * 1000 * DRAW_PART / SDL_GetPerformanceFrequency());
    w->pause = w->pause < FRAME_MS ? FRAME_MS : w->pause > PAUSE_MOST ? PAUSE_MOST : w->pause;
    w->now = activity_now(m, counted);
    w->absolute = pc_pointer_is_absolute(machine_pc(m));
    SDL_AtomicSet(&w->asked, 0);
}

/* Under the first name that is free. The machine thread has not been asked to draw. */
static void save_shot(struct window *w)
{
    char path[64];
    struct error err;
    unsigned n = 0;
    do
        snprintf(path, sizeof path, "prescient-%u.png", n++);
    while (!access(path, F_OK) && n < SHOTS_MOST);
    while (SDL_AtomicGet(&w->asked) && !SDL_AtomicGet(&w->ended))
        SDL_Delay(1);
    bool good = picture_save_png(&w->picture, path, &err);
    log_line(NULL, "%s%s", good ? "saved " : "", good ? path : err.text);
}

/* On the machine thread. */
static void copy_text(struct machine *m, void *opaque)
{
    struct window *w = opaque;
    char *text = vga_text(pc_vga(machine_pc(m)));
    if (!text)
        log_line(NULL, "the screen shows no text that could be copied");
    SDL_LockMutex(w->lock);
    if (text) {
        free(w->copied);
        w->copied = text;
    }
    SDL_UnlockMutex(w->lock);
}

static void take_copied(struct window *w)
{
    SDL_LockMutex(w->lock);
    if (w->copied)
        SDL_SetClipboardText(w->copied);
    free(w->copied);
    w->copied = NULL;
    SDL_UnlockMutex(w->lock);
}

/* Text on its way to the typist. */
struct pasted {
    struct window *w; /* whose typist it is */
    char text[];      /* what to type */
};

/* On the machine thread. */
static void type_text(struct machine *m, void *opaque)
{
    struct pasted *p = opaque;
    if (!p->w->typist)
        p->w->typist = typist_new(m);
    unsigned left_out = typist_add(p->w->typist, p->text);
    if (left_out)
        log_line(NULL, "%u characters of the clipboard are on no key and were left out", left_out);
    free(p);
}

static void paste_text(struct window *w)
{
    char *text = SDL_GetClipboardText();
    size_t size = text ? strlen(text) + 1 : 0;
    if (size > 1) {
        struct pasted *p = xmalloc(sizeof *p + size);
        p->w = w;
        memcpy(p->text, text, size);
        machine_post(w->m, type_text, p);
    }
    SDL_free(text);
}

static bool has_modifiers(const struct window *w, unsigned mod)
{
    unsigned want = w->options->window.modifiers;
    return (!(want & HOTKEY_CTRL) || mod & KMOD_CTRL) &&
           (!(want & HOTKEY_SHIFT) || mod & KMOD_SHIFT) &&
           (!(want & HOTKEY_ALT) || mod & KMOD_ALT) &&
           (!(want & HOTKEY_RIGHT_CTRL) || mod & KMOD_RCTRL);
}

/* With its modifiers a key belongs to the window; true if this was one. */
static bool hot_key(struct window *w, const SDL_KeyboardEvent *e)
{
    SDL_Scancode code = e->keysym.scancode;
    if (!has_modifiers(w, e->keysym.mod))
        return false;
    if (code == w->options->window.grab) {
        set_grab(w, !w->grabbed);
        release_keys(w);
        return true;
    }
    switch (code) {
    case SDL_SCANCODE_F: view_set_full_screen(&w->view, !w->view.full_screen); break;
    case SDL_SCANCODE_S: save_shot(w); break;
    case SDL_SCANCODE_C: machine_post(w->m, copy_text, w); break;
    case SDL_SCANCODE_V:
        release_keys(w); /* before the first typed one */
        paste_text(w);
        break;
    case SDL_SCANCODE_I: w->view.integer = !w->view.integer; break;
    case SDL_SCANCODE_L: w->view.has_status = !w->view.has_status; break;
    case SDL_SCANCODE_1:
    case SDL_SCANCODE_2:
    case SDL_SCANCODE_3:
    case SDL_SCANCODE_4: view_set_zoom(&w->view, code - SDL_SCANCODE_1 + 1u); break;
    default: return false;
    }
    w->exposed = true;
    release_keys(w);
    return true;
}

static void mouse_event(struct window *w, int dx, int dy, int dz)
{
    int at_x, at_y;
    Uint32 state = SDL_GetMouseState(&at_x, &at_y);
    struct input in = {.kind = INPUT_MOUSE, .dx = dx, .dy = dy, .dz = dz};
    in.buttons = (state & SDL_BUTTON_LMASK ? 1u : 0) | (state & SDL_BUTTON_RMASK ? 2u : 0) |
                 (state & SDL_BUTTON_MMASK ? 4u : 0);
    if (w->was_absolute) {
        in.kind = INPUT_POINTER;
        bool inside = view_point(&w->view, at_x, at_y, &in.x, &in.y);
        hide_pointer(w, inside);
        if (inside)
            post_input(w, in);
    } else if (w->grabbed) {
        post_input(w, in);
    }
}

static void key_down(struct window *w, const SDL_KeyboardEvent *e)
{
    if (e->repeat)
        return; /* the guest's keyboard repeats by itself */
    if (!hot_key(w, e))
        send_key(w, e->keysym.scancode, true);
}

static void handle_event(struct window *w, const SDL_Event *e)
{
    switch (e->type) {
    case SDL_QUIT: machine_quit(w->m, 0); break;
    case SDL_KEYDOWN: key_down(w, &e->key); break;
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

/* What has changed since the last frame; the machine thread is not drawing now. */
static void follow_machine(struct window *w)
{
    char line[128];
    Uint32 ticks = SDL_GetTicks();
    if (w->paused != machine_paused(w->m)) {
        w->paused = !w->paused;
        set_title(w);
    }
    if (w->was_absolute != w->absolute) {
        w->was_absolute = w->absolute;
        hide_pointer(w, false);
        set_grab(w, w->grabbed);
    }
    if (!w->before.host_ns)
        w->before = w->now;
    if (ticks - w->status_at >= STATUS_MS) {
        activity_line(&w->before, &w->now, w->paused, line, sizeof line);
        view_set_status(&w->view, line);
        w->before = w->now;
        w->status_at = ticks;
        w->exposed = true;
    }
    if (w->fresh)
        view_update(&w->view, &w->picture);
    if (w->fresh || w->exposed)
        view_show(&w->view);
    w->fresh = w->exposed = false;
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
    const struct display_option *d = &w->options->window;
    if (!choose_driver(err))
        return false;
    if (SDL_Init(SDL_INIT_VIDEO) < 0)
        return error_set(err, "no window: %s; use -nographic or -display none", SDL_GetError());
    w->view.integer = d->integer;
    w->view.full_screen = d->full_screen;
    w->view.has_status = !d->no_status;
    if (!view_open(&w->view, err))
        return false;
    w->lock = SDL_CreateMutex();
    set_title(w);
    return true;
}

static void run_events(struct window *w)
{
    Uint32 shown = 0, pause = FRAME_MS;
    while (!SDL_AtomicGet(&w->ended)) {
        SDL_Event e;
        Uint32 passed = SDL_GetTicks() - shown;
        if (SDL_WaitEventTimeout(&e, passed < pause ? (int)(pause - passed) : 1)) {
            do
                handle_event(w, &e);
            while (SDL_PollEvent(&e));
        }
        take_copied(w);
        if (SDL_AtomicGet(&w->asked) || SDL_GetTicks() - shown < pause)
            continue; /* however many events there are, the machine draws only so often */
        follow_machine(w);
        pause = w->pause;
        shown = SDL_GetTicks();
        SDL_AtomicSet(&w->asked, 1);
        machine_post(w->m, draw, w);
    }
}

int display_run(struct machine *m, const struct options *options, bool *opened, struct error *err)
{
    struct window w = {.m = m, .options = options};
    *opened = open_window(&w, err);
    if (*opened)
        fprintf(stderr,
                "prescient: %s gives the mouse to the guest and takes it back; close the window "
                "to quit\n",
                options->window.grab_name);
    SDL_Thread *thread = *opened ? SDL_CreateThread(machine_thread, "machine", &w) : NULL;
    if (thread) {
        run_events(&w);
        SDL_WaitThread(thread, NULL);
        machine_settle(m); /* a drawing may have been asked for since: w is still there */
    }
    typist_free(w.typist);
    view_hide(&w.view);
    if (w.lock)
        SDL_DestroyMutex(w.lock);
    free(w.copied);
    picture_free(&w.picture);
    return w.status;
}
