/* A queue of one message in the place of the machine's, for tests of what has threads of its own.
 */
/* SPDX-License-Identifier: MIT */
#ifndef TESTS_UNIT_INBOX_H
#define TESTS_UNIT_INBOX_H

#include <stdbool.h>

/* From any thread: leaves a message; none may be waiting. */
void inbox_post(void *opaque, void (*fn)(void *arg), void *arg);
/* Calls the message, if there is one or as soon as there is (wait). */
void inbox_take(bool wait);

#endif
