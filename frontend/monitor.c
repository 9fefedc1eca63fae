/* The monitor's sessions: lines in, answers and stop reports out. */
/* SPDX-License-Identifier: MIT */
#include "frontend/monitor.h"

#include <ctype.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "frontend/command.h"
#include "frontend/editor.h"
#include "frontend/expression.h"
#include "frontend/option_value.h"

enum { PENDING_MAX = 8192, LINE_MAX_LEN = 1024, WORD_MAX = 64, COMPLETIONS_MAX = 1 << 16 };
enum { CTRL_C = 3, BACKSPACE = 8, CTRL_U = 21, DELETE = 127 };
static const char prompt[] = "(prescient) ";

/* One conversation. */
struct session {
    struct session *next;               /* of the same monitor */
    struct monitor *mon;                /* the monitor */
    struct chardev *dev;                /* the other side */
    bool terminal;                      /* echo what is typed */
    struct editor *editor;              /* of a terminal's lines; NULL: they are not edited */
    bool console;                       /* a serial port has the terminal while `other` is NULL */
    bool waiting;                       /* for the machine to stop: input is kept */
    char line[LINE_MAX_LEN];            /* what came so far, without an editor; not terminated */
    size_t line_len;                    /* of line */
    u8 pending[PENDING_MAX];            /* came while waiting */
    size_t pending_len;                 /* of pending */
    const struct chardev_client *other; /* a terminal's other owner: the serial port */
    void *other_dev;                    /* its argument */
};

/* Output */

static void session_write(struct session *s, const char *data, size_t n)
{
    chardev_write(s->dev, (const u8 *)data, n);
}

static void session_text(struct session *s, const char *text)
{
    session_write(s, text, strlen(text));
}

/* Commands */

bool arg_word(const char **args, char *word, size_t size)
{
    size_t len = 0;
    *args += strspn(*args, " \t");
    for (; **args && **args != ' ' && **args != '\t'; (*args)++)
        if (len + 1 < size)
            word[len++] = **args;
    word[len] = 0;
    return len;
}

bool arg_is(const char **args, const char *word)
{
    size_t len = strlen(word);
    const char *at = *args + strspn(*args, " \t");
    if (strncmp(at, word, len) || (at[len] && at[len] != ' ' && at[len] != '\t'))
        return false;
    *args = at + len;
    return true;
}

/* FILE:LINE, where FILE has a dot, as addresses and names of symbols in front of a colon have not.
 * False when it is something else; else *line is 0 when the number is none. */
static bool parse_source(const char *args, char *file, size_t size, int *line, const char **end)
{
    char *last;
    args += strspn(args, " \t");
    size_t len = strcspn(args, ": \t[]()+");
    if (args[len] != ':' || len >= size || !memchr(args, '.', len))
        return false;
    memcpy(file, args, len);
    file[len] = 0;
    unsigned long number = strtoul(args + len + 1, &last, 10);
    bool good = isdigit((u8)args[len + 1]) && (!*last || isspace((u8)*last)) && number <= INT_MAX;
    *line = good ? (int)number : 0;
    *end = args + len + 1 + strcspn(args + len + 1, " \t");
    return true;
}

static bool source_value(struct monitor *mon, const char *file, int line, u64 *value,
                         struct text *out)
{
    if (line > 0 && lines_find(mon->lines, file, line, value))
        return true;
    if (!mon->lines)
        text_add(out, "no source lines are known: no file of symbols has any (-symbols)\n");
    else if (line <= 0)
        text_add(out, "%s: which line?\n", file);
    else
        text_add(out, "there is no code at line %d of %s\n", line, file);
    return false;
}

bool arg_value(struct monitor *mon, const char **args, u64 *value, struct text *out)
{
    struct error err = {0};
    const char *start = *args;
    char file[PATH_MAX];
    int line;
    if (parse_source(start, file, sizeof file, &line, args))
        return source_value(mon, file, line, value, out);
    if (expression_eval(mon->cpu, mon->symbols, args, value, &err))
        return true;
    /* with no symbols at all, a name may be one of the Linux kernel that runs */
    if (!symbols_count(mon->symbols) && symbols_add_linux(mon->symbols, mon->cpu->mem)) {
        symbols_add_modules(mon->symbols, mon->cpu);
        *args = start;
        if (expression_eval(mon->cpu, mon->symbols, args, value, &err))
            return true;
    }
    text_add(out, "%s\n", err.text);
    return false;
}

bool arg_linear(struct monitor *mon, const char **args, u64 *lin, struct text *out)
{
    u64 value;
    if (!arg_value(mon, args, &value, out))
        return false;
    *lin = (u32)value;
    if (value == *lin || (s64)value == (s32)value)
        return true;
    text_add(out, "0x%" PRIx64 " is beyond 4 GiB\n", value);
    return false;
}

bool arg_end(const char *args, struct text *out)
{
    args += strspn(args, " \t");
    if (*args)
        text_add(out, "what is \"%.40s\"?\n", args);
    return !*args;
}

const struct command *command_find(const struct command *table, const char *name, size_t len)
{
    for (; table->name[0]; table++) {
        for (const char *at = table->name; *at;) {
            size_t n = strcspn(at, "|");
            if (n == len && !strncmp(at, name, len))
                return table;
            at += n + (at[n] == '|');
        }
    }
    return NULL;
}

/* The command's name ends at a space, or at the / of a format. */
static const struct command *parse_command(const char **line)
{
    *line += strspn(*line, " \t");
    size_t len = strcspn(*line, " \t/");
    const struct command *c = command_find(command_table, *line, len);
    if (c)
        *line += len;
    return c;
}

void monitor_execute(struct monitor *mon, const char *line, bool nested, struct text *out)
{
    const char *args = line + strspn(line, " \t");
    if (!*args || *args == '#')
        return;
    const struct command *c = parse_command(&args);
    if (!c)
        text_add(out, "there is no command \"%.40s\"; help lists them\n", args);
    else if (nested && c->flags & COMMAND_RUNS)
        text_add(out, "%.*s: the debugger lets the machine run, not the monitor\n",
                 (int)strcspn(c->name, "|"), c->name);
    else if (*c->args || arg_end(args, out))
        c->run(mon, args, out);
}

static void help_line(const struct command *c, struct text *out)
{
    char name[WORD_MAX];
    snprintf(name, sizeof name, "%s", c->name);
    for (char *p = name; (p = strchr(p, '|'));)
        *p = ',';
    text_add(out, "%s %s", name, c->args);
    text_pad(out, 36);
    text_add(out, "%s\n", c->help);
}

void command_help(struct monitor *mon, const char *args, struct text *out)
{
    char word[WORD_MAX];
    (void)mon;
    if (!arg_word(&args, word, sizeof word)) {
        for (const struct command *c = command_table; c->name[0]; c++)
            help_line(c, out);
        text_add(out, "LIMITS: if EXPRESSION, cpl N, cr3 ADDR|here, ignore N, once\n");
        return;
    }
    const struct command *c = command_find(command_table, word, strlen(word));
    if (c)
        help_line(c, out);
    else
        text_add(out, "there is no command \"%s\"\n", word);
}

void command_info(struct monitor *mon, const char *args, struct text *out)
{
    char word[WORD_MAX];
    if (!arg_word(&args, word, sizeof word)) {
        for (const struct command *c = info_table; c->name[0]; c++) {
            text_add(out, "info ");
            help_line(c, out);
        }
        return;
    }
    const struct command *c = command_find(info_table, word, strlen(word));
    if (c && !*c->args && !arg_end(args, out))
        return;
    if (c)
        c->run(mon, args, out);
    else
        text_add(out, "there is no topic \"%s\"; info lists them\n", word);
}

/* Sessions */

static void session_prompt(struct session *s)
{
    if (s->editor)
        editor_show(s->editor);
    else
        session_text(s, prompt);
}

static void session_run(struct session *s, const char *line)
{
    struct text out = {0};
    const char *at = line;
    const struct command *c = parse_command(&at);
    s->mon->current = s;
    monitor_execute(s->mon, line, false, &out);
    s->mon->current = NULL;
    if (out.len)
        session_write(s, out.data, out.len);
    text_free(&out);
    s->waiting = c && c->flags & COMMAND_WAITS && !machine_paused(s->mon->m);
    if (!s->waiting)
        session_prompt(s);
}

static void add_word(void *words, const char *name, u64 address)
{
    struct text *to = words;
    (void)address;
    if (to->len < COMPLETIONS_MAX)
        text_add_bytes(to, name, strlen(name) + 1);
}

/* Names of commands that begin so; of several for one, each. */
static void add_commands(const struct command *table, const char *start, size_t len,
                         struct text *words)
{
    for (; table->name[0]; table++) {
        for (const char *at = table->name; *at;) {
            size_t n = strcspn(at, "|");
            if (n > 1 && n >= len && !strncmp(at, start, len)) {
                text_add_bytes(words, at, n);
                text_add_bytes(words, "", 1);
            }
            at += n + (at[n] == '|');
        }
    }
}

/* A command first, a topic behind `info`, else a symbol. */
static void session_complete(void *opaque, const char *line, size_t start, size_t at,
                             struct text *words)
{
    struct session *s = opaque;
    size_t len = at - start;
    char *word = xasprintf("%.*s", (int)len, line + start);
    const char *before = line;
    if (strspn(line, " ") == start)
        add_commands(command_table, word, len, words);
    else if (arg_is(&before, "info") || arg_is(&before, "i"))
        add_commands(info_table, word, len, words);
    else if (len)
        symbols_each(s->mon->symbols, word, add_word, words);
    free(word);
}

static void session_show(void *opaque, const char *text, size_t n)
{
    session_write(opaque, text, n);
}

static const struct editor_client editor_client = {session_show, session_complete};

static void session_echo(struct session *s, const char *text, size_t n)
{
    if (s->terminal)
        session_write(s, text, n);
}

/* A byte of a line that nobody edits. True when the line is complete. */
static bool plain_byte(struct session *s, u8 byte)
{
    char c = (char)byte;
    if (byte == '\n' || byte == '\r') {
        session_echo(s, "\n", 1);
        return true;
    }
    if (isprint(byte) && s->line_len < sizeof s->line - 1) {
        s->line[s->line_len++] = c;
        session_echo(s, &c, 1);
    }
    bool all = byte == CTRL_U || byte == CTRL_C, one = byte == BACKSPACE || byte == DELETE;
    for (size_t gone = all ? s->line_len : one && s->line_len; gone; gone--) {
        s->line_len--;
        session_echo(s, "\b \b", 3);
    }
    return false;
}

static void session_byte(struct session *s, u8 byte)
{
    if (s->editor) {
        const char *line = editor_byte(s->editor, byte);
        if (line)
            session_run(s, line);
    } else if (plain_byte(s, byte)) {
        s->line[s->line_len] = 0;
        s->line_len = 0;
        session_run(s, s->line);
    }
}

static void take_pending(struct session *s)
{
    u8 bytes[PENDING_MAX];
    size_t n = s->pending_len;
    memcpy(bytes, s->pending, n);
    s->pending_len = 0;
    for (size_t at = 0; at < n; at++) {
        if (s->waiting) {
            memcpy(s->pending, bytes + at, n - at);
            s->pending_len = n - at;
            return;
        }
        session_byte(s, bytes[at]);
    }
}

static size_t session_room(void *dev)
{
    const struct session *s = dev;
    return PENDING_MAX - s->pending_len;
}

static void session_receive(void *dev, const u8 *data, size_t n)
{
    struct session *s = dev;
    if (s->waiting && memchr(data, CTRL_C, n)) {
        struct text out = {0};
        command_stop(s->mon, "", &out);
        text_free(&out);
        return;
    }
    memcpy(s->pending + s->pending_len, data, n);
    s->pending_len += n;
    take_pending(s);
}

static void session_connected(void *dev, bool connected)
{
    struct session *s = dev;
    s->pending_len = 0;
    s->line_len = 0;
    s->waiting = false;
    if (connected)
        session_prompt(s);
}

static const struct chardev_client session_client = {session_room, session_receive,
                                                     session_connected};

static struct session *session_new(struct monitor *mon, struct chardev *dev, bool terminal)
{
    struct session *s = xcalloc(1, sizeof *s);
    *s = (struct session){.next = mon->session, .mon = mon, .dev = dev, .terminal = terminal};
    mon->session = s;
    if (terminal)
        s->editor = editor_new(prompt, &editor_client, s);
    return s;
}

void monitor_attach(struct monitor *mon, struct chardev *dev)
{
    struct session *s = session_new(mon, dev, chardev_is_terminal(dev));
    chardev_attach(dev, &session_client, s);
    session_prompt(s);
}

void monitor_toggle_console(struct monitor *mon, struct chardev *dev)
{
    struct session *s = mon->session;
    while (s && s->dev != dev)
        s = s->next;
    if (!s) {
        s = session_new(mon, dev, true);
        s->console = true;
    }
    if (!s->other) {
        chardev_client(dev, &s->other, &s->other_dev);
        chardev_attach(dev, &session_client, s);
        session_text(s, "\nmonitor; Ctrl-A c leads back to the serial console\n");
        session_prompt(s);
    } else {
        chardev_attach(dev, s->other, s->other_dev);
        s->other = NULL;
        session_text(s, "\n");
    }
}

void monitor_stopped(struct monitor *mon)
{
    struct text out = {0};
    struct breakpoint *b = breakpoint_find(mon->cpu, mon->cpu->debugger->pause.number);
    show_pause(mon, &out);
    if (b && b->temporary)
        breakpoint_delete(mon->cpu, b);
    for (struct session *s = mon->session; s; s = s->next) {
        if (s->console && !s->other)
            continue;
        /* who stopped it by a command gets the prompt behind that */
        if (!s->waiting && s != mon->current)
            session_text(s, "\n");
        session_write(s, out.data, out.len);
        if (s != mon->current)
            session_prompt(s);
        s->waiting = false;
    }
    text_free(&out);
    for (struct session *s = mon->session; s; s = s->next)
        take_pending(s);
}

/* FILE[@ADDR] */
static bool load_file(struct monitor *mon, const char *arg, struct error *err)
{
    const char *at = strrchr(arg, '@');
    char *end = NULL;
    u64 bias = at ? strtoull(at + 1, &end, 0) : 0;
    if (!at || end == at + 1 || *end) {
        mon->lines = lines_open(arg, 0, mon->lines);
        return symbols_load(mon->symbols, arg, 0, err);
    }
    char *path = xasprintf("%.*s", (int)(at - arg), arg);
    bool good = symbols_load(mon->symbols, path, bias, err);
    mon->lines = lines_open(path, bias, mon->lines);
    free(path);
    return good;
}

/* Multiboot modules, "file args,file args", that are ELF files or maps, as they are linked. */
static void load_modules(struct monitor *mon, const char *initrd)
{
    char *copy = xstrdup(initrd ? initrd : ""), *list = copy, *item;
    while ((item = option_next_item(&list))) {
        item[strcspn(item, " ")] = 0;
        symbols_load(mon->symbols, item, 0, NULL);
        mon->lines = lines_open(item, 0, mon->lines);
    }
    free(copy);
}

bool monitor_load_symbols(struct monitor *mon, struct error *err)
{
    const struct options *o = mon->options;
    bool first = !mon->loaded;
    mon->loaded = true;
    for (unsigned n = 0; first && n < o->symbols_count; n++)
        if (!load_file(mon, o->symbols[n], err))
            return false;
    if (first && o->kernel) {
        symbols_load(mon->symbols, o->kernel, 0, NULL);
        mon->lines = lines_open(o->kernel, 0, mon->lines);
        load_modules(mon, o->initrd);
    }
    return true;
}

struct symbols *monitor_symbols(struct monitor *mon)
{
    return mon->symbols;
}

static bool condition_holds(void *opaque, struct breakpoint *b)
{
    struct monitor *mon = opaque;
    const char *text = b->condition;
    u64 value;
    /* one that cannot be computed stops: silence would be mistaken for no hit */
    return !text || !expression_eval(mon->cpu, mon->symbols, &text, &value, NULL) || value;
}

static const char *name_of_code(void *opaque, u64 lin, char *buf, size_t size)
{
    const struct monitor *mon = opaque;
    return symbols_name(mon->symbols, lin, buf, size);
}

struct monitor *monitor_new(struct machine *m, const struct options *options)
{
    struct monitor *mon = xcalloc(1, sizeof *mon);
    mon->m = m;
    mon->cpu = machine_cpu(m);
    mon->options = options;
    mon->symbols = symbols_new();
    mon->disasm = disasm_new(mon->cpu, mon->symbols);
    mon->cpu->debugger->wanted = condition_holds;
    mon->cpu->debugger->name = name_of_code;
    mon->cpu->debugger->opaque = mon;
    return mon;
}

void monitor_free(struct monitor *mon)
{
    if (!mon)
        return;
    while (mon->session) {
        struct session *next = mon->session->next;
        editor_free(mon->session->editor);
        free(mon->session);
        mon->session = next;
    }
    follow_end(mon);
    for (unsigned n = 0; n < MAX_DRIVES; n++)
        free(mon->medium[n]);
    disasm_free(mon->disasm);
    symbols_free(mon->symbols);
    lines_free(mon->lines);
    free(mon->marked);
    free(mon);
}
