/* talk SOCKET SCRIPT: talks to a monitor. Lines of the script: "> COMMAND" is sent, and everything
 * up to the next prompt is its answer; "REGEX" must match in what is left of the answer, which is
 * passed over up to the match's end; "! REGEX" must not match in what is left; "# ..." is a
 * comment. */
/* SPDX-License-Identifier: MIT */
#include <poll.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

/* Limits are for machines that hang; they are multiplied by TEST_PATIENCE. */
enum {
    LINE_MAX_LEN = 1024,
    ANSWER_MAX = 1 << 20,
    PATIENCE_MS = 120000,
    TRIES = 600,
    TRY_NS = 100000000
};
static const char prompt[] = "(prescient) ";

struct talk {
    int fd;                  /* the socket */
    char answer[ANSWER_MAX]; /* to the last command */
    size_t len;              /* of answer */
    const char *left;        /* what has not been matched yet */
};

static int patience(void)
{
    const char *times = getenv("TEST_PATIENCE");
    return times && atoi(times) > 0 ? atoi(times) : 1;
}

static int dial(const char *path)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    snprintf(a.sun_path, sizeof a.sun_path, "%s", path);
    for (int n = 0; n < TRIES * patience(); n++) {
        int fd = socket(AF_UNIX, SOCK_STREAM, 0);
        if (!connect(fd, (struct sockaddr *)&a, sizeof a))
            return fd;
        close(fd);
        nanosleep(&(struct timespec){.tv_nsec = TRY_NS}, NULL);
    }
    return -1;
}

/* Reads up to the next prompt, or to the end of the connection. */
static int listen_to(struct talk *t)
{
    size_t end = sizeof prompt - 1;
    t->len = 0;
    t->left = t->answer;
    for (;;) {
        struct pollfd p = {.fd = t->fd, .events = POLLIN};
        if (poll(&p, 1, PATIENCE_MS * patience()) <= 0)
            return 0;
        ssize_t n = read(t->fd, t->answer + t->len, sizeof t->answer - t->len - 1);
        t->len += n > 0 ? (size_t)n : 0;
        t->answer[t->len] = 0;
        if (n <= 0)
            return 0;
        if (t->len >= end && !memcmp(t->answer + t->len - end, prompt, end))
            return 1;
    }
}

static int say(struct talk *t, const char *command)
{
    char line[LINE_MAX_LEN + 2];
    int n = snprintf(line, sizeof line, "%s\n", command);
    return send(t->fd, line, (size_t)n, MSG_NOSIGNAL) == n &&
           (listen_to(t) || !strcmp(command, "quit"));
}

static int expect(struct talk *t, const char *pattern, int wanted)
{
    regex_t re;
    regmatch_t m;
    if (regcomp(&re, pattern, REG_EXTENDED | REG_NEWLINE)) {
        printf("not a pattern: %s\n", pattern);
        return 0;
    }
    int found = !regexec(&re, t->left, 1, &m, 0);
    regfree(&re);
    if (found && wanted)
        t->left += m.rm_eo;
    return found == wanted;
}

/* One line of the script; false when it fails. */
static int obey(struct talk *t, const char *line)
{
    if (!*line || *line == '#')
        return 1;
    if (!strncmp(line, "> ", 2))
        return say(t, line + 2);
    return !strncmp(line, "! ", 2) ? expect(t, line + 2, 0) : expect(t, line, 1);
}

int main(int argc, char **argv)
{
    char line[LINE_MAX_LEN];
    static struct talk talk;
    struct talk *t = &talk;
    FILE *script = argc == 3 ? fopen(argv[2], "r") : NULL;
    t->fd = script ? dial(argv[1]) : -1;
    if (t->fd < 0 || !listen_to(t)) {
        puts("no conversation");
        return 1;
    }
    for (int n = 1; fgets(line, sizeof line, script); n++) {
        line[strcspn(line, "\n")] = 0;
        if (!obey(t, line)) {
            printf("%s:%d: %s\nthe answer is\n%s\n", argv[2], n, line, t->answer);
            return 1;
        }
    }
    return 0;
}
