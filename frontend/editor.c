/* Editing a line by libedit (histedit(3)), which waits for keys: as the machine thread must not, it
 * runs on a thread of its own, and the two take turns. Nothing here ever runs at the same time. */
/* SPDX-License-Identifier: MIT */
#include "frontend/editor.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <histedit.h>
#include <pthread.h>
#include <pty.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { HISTORY_SIZE = 500, COLUMNS = 78, LISTED_MAX = 200 };

struct editor {
    const char *prompt;                 /* before the line */
    const struct editor_client *client; /* whom it works for */
    void *opaque;                       /* its argument */
    EditLine *el;                       /* libedit's */
    History *history;                   /* lines before */
    FILE *out;                          /* what libedit shows: the client's */
    FILE *tty;                          /* a terminal that it may set as it likes: nobody's */
    int master;                         /* the other side of that; -1: none */
    pthread_t thread;                   /* where libedit runs */
    bool threaded;                      /* there is one */
    sem_t go;                           /* its turn */
    sem_t wait;                         /* the caller's */
    bool reading;                       /* in the middle of a line */
    bool ended;                         /* there will be no more keys */
    bool has_key;                       /* one has not been taken yet */
    u8 key;                             /* that one */
    char *line;                         /* the last one that was completed, or NULL */
};

static const char *const bindings[][2] = {
    {"^I", "complete"},
    {"^C", "em-kill-line"},
    {"^W", "ed-delete-prev-word"},
    {"^D", "ed-delete-next-char"},
    {"^R", "em-inc-search-prev"},
    {"\\e[3~", "ed-delete-next-char"},
    {"\\e[1~", "ed-move-to-beg"},
    {"\\e[7~", "ed-move-to-beg"},
    {"\\e[4~", "ed-move-to-end"},
    {"\\e[8~", "ed-move-to-end"},
};

/* libedit's side */

static struct editor *owner(EditLine *el)
{
    void *e;
    el_get(el, EL_CLIENTDATA, &e);
    return e;
}

/* Hands the turn over and waits for the next. */
static void turn_over(sem_t *theirs, sem_t *ours)
{
    sem_post(theirs);
    while (sem_wait(ours) && errno == EINTR)
        ;
}

static int get_key(EditLine *el, wchar_t *c)
{
    struct editor *e = owner(el);
    while (!e->has_key && !e->ended)
        turn_over(&e->wait, &e->go);
    e->has_key = false;
    *c = e->key;
    return !e->ended;
}

static char *get_prompt(EditLine *el)
{
    return (char *)(uintptr_t)owner(el)->prompt;
}

static ssize_t write_out(void *opaque, const char *text, size_t n)
{
    struct editor *e = opaque;
    e->client->write(e->opaque, text, n);
    return (ssize_t)n;
}

/* Bytes that two strings have in common at their start. */
static size_t common(const char *a, const char *b, size_t most)
{
    size_t n = 0;
    while (n < most && a[n] && a[n] == b[n])
        n++;
    return n;
}

static void list(FILE *out, const struct text *words)
{
    size_t column = 0;
    unsigned count = 0;
    fputs("\n", out);
    for (size_t at = 0; at < words->len && count < LISTED_MAX; at += strlen(words->data + at) + 1) {
        size_t len = strlen(words->data + at) + 2;
        if (column && column + len > COLUMNS) {
            fputs("\n", out);
            column = 0;
        }
        column += len;
        count++;
        fprintf(out, "%s  ", words->data + at);
    }
    fputs(count == LISTED_MAX ? "...\n" : "\n", out);
}

/* Fills in what all words have in common, or lists them. */
static unsigned char offer(struct editor *e, const struct text *words, size_t typed)
{
    if (!words->len)
        return CC_ERROR;
    size_t first = strlen(words->data), shared = first;
    for (size_t at = 0; at < words->len; at += strlen(words->data + at) + 1)
        shared = common(words->data, words->data + at, shared);
    bool only = first + 1 == words->len;
    if (shared <= typed && !only) {
        list(e->out, words);
        return CC_REDISPLAY;
    }
    char *more = xasprintf("%.*s%s", (int)(shared - typed), words->data + typed, only ? " " : "");
    el_insertstr(e->el, more);
    free(more);
    return CC_REFRESH;
}

static unsigned char complete(EditLine *el, int key)
{
    struct editor *e = owner(el);
    struct text words = {0};
    const LineInfo *info = el_line(el);
    size_t at = (size_t)(info->cursor - info->buffer), start = at;
    char *line = xasprintf("%.*s", (int)(info->lastchar - info->buffer), info->buffer);
    (void)key;
    while (start && (isalnum((u8)line[start - 1]) || strchr("_-.", line[start - 1])))
        start--;
    e->client->complete(e->opaque, line, start, at, &words);
    unsigned char what = offer(e, &words, at - start);
    text_free(&words);
    free(line);
    return what;
}

/* The size of the terminal where the text is shown. */
static void take_size(struct editor *e)
{
    struct winsize size;
    if (!ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) && size.ws_col)
        ioctl(fileno(e->tty), TIOCSWINSZ, &size);
    el_resize(e->el);
}

static void *edit(void *opaque)
{
    struct editor *e = opaque;
    HistEvent event;
    while (sem_wait(&e->go) && errno == EINTR)
        ;
    while (!e->ended) {
        int n = 0;
        take_size(e);
        const char *text = el_gets(e->el, &n);
        free(e->line);
        e->line = xstrdup(text && n > 0 ? text : "");
        e->line[strcspn(e->line, "\r\n")] = 0;
        e->reading = false;
        if (*e->line)
            history(e->history, &event, H_ENTER, e->line);
        if (!e->ended)
            turn_over(&e->wait, &e->go);
    }
    return NULL;
}

/* The machine thread's side */

static bool open_terminal(struct editor *e)
{
    static const cookie_io_functions_t functions = {.write = write_out};
    struct winsize size = {.ws_row = 24, .ws_col = 80};
    int slave;
    if (openpty(&e->master, &slave, NULL, NULL, &size)) {
        e->master = -1;
        return false;
    }
    fcntl(e->master, F_SETFD, FD_CLOEXEC);
    fcntl(slave, F_SETFD, FD_CLOEXEC);
    e->tty = fdopen(slave, "r+");
    e->out = fopencookie(e, "w", functions);
    return e->tty && e->out;
}

static bool open_library(struct editor *e)
{
    HistEvent event;
    int fd = fileno(e->tty);
    e->el = el_init_fd("prescient", e->tty, e->out, e->out, fd, fd, fd);
    e->history = history_init();
    if (!e->el || !e->history)
        return false;
    history(e->history, &event, H_SETSIZE, HISTORY_SIZE);
    history(e->history, &event, H_SETUNIQUE, 1);
    el_set(e->el, EL_CLIENTDATA, e);
    el_set(e->el, EL_EDITOR, "emacs");
    el_set(e->el, EL_PROMPT, get_prompt);
    el_set(e->el, EL_HIST, history, e->history);
    el_set(e->el, EL_GETCFN, get_key);
    el_wset(e->el, EL_ADDFN, L"complete", L"completes a word", complete); /* el_set leaks copies */
    for (unsigned n = 0; n < ARRAY_LEN(bindings); n++)
        el_set(e->el, EL_BIND, bindings[n][0], bindings[n][1], NULL);
    return true;
}

/* Signals are the other threads' business. */
static bool start_thread(struct editor *e)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    e->threaded = !pthread_create(&e->thread, NULL, edit, e);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return e->threaded;
}

struct editor *editor_new(const char *prompt, const struct editor_client *client, void *opaque)
{
    struct editor *e = xcalloc(1, sizeof *e);
    *e = (struct editor){.prompt = prompt, .client = client, .opaque = opaque, .master = -1};
    sem_init(&e->go, 0, 0);
    sem_init(&e->wait, 0, 0);
    if (open_terminal(e) && open_library(e) && start_thread(e))
        return e;
    editor_free(e);
    return NULL;
}

void editor_free(struct editor *e)
{
    if (!e)
        return;
    e->ended = true;
    sem_post(&e->go);
    if (e->threaded)
        pthread_join(e->thread, NULL);
    if (e->el)
        el_end(e->el);
    if (e->history)
        history_end(e->history);
    if (e->out)
        fclose(e->out);
    if (e->tty)
        fclose(e->tty);
    if (e->master >= 0)
        close(e->master);
    sem_destroy(&e->go);
    sem_destroy(&e->wait);
    free(e->line);
    free(e);
}

void editor_show(struct editor *e)
{
    if (e->reading) {
        el_set(e->el, EL_REFRESH);
        return;
    }
    e->reading = true;
    turn_over(&e->go, &e->wait);
}

const char *editor_byte(struct editor *e, u8 byte)
{
    if (!e->reading || byte >= 0x80) /* commands are plain ASCII */
        return NULL;
    e->key = byte;
    e->has_key = true;
    turn_over(&e->go, &e->wait);
    return e->reading ? NULL : e->line;
}
