/* Types text on the guest's keyboard, as fast as the guest takes it. */
/* SPDX-License-Identifier: MIT */
#ifndef FRONTEND_TYPIST_H
#define FRONTEND_TYPIST_H

#include "frontend/machine.h"

struct typist;

/* On the machine thread, as all of this. */
struct typist *typist_new(struct machine *m);
void typist_free(struct typist *t); /* t may be NULL */

/* Adds text, which is typed as on a US keyboard; what no key types is left out. Returns how many
 * characters that were. */
unsigned typist_add(struct typist *t, const char *text);

/* Forgets what was not typed yet. */
void typist_stop(struct typist *t);

#endif
