/* Versioned, named-field save and load: one visitor function a chip both writes and reads its
 * state. */
/* SPDX-License-Identifier: MIT */
#ifndef CPU_STATE_H
#define CPU_STATE_H

#include "cpu/base.h"

/* A tree of named sections with named fields, in memory. Saving appends; loading looks fields up by
 * name, so that fields may be added (they keep their reset value when an old state lacks them) or
 * reordered. */
struct state;

struct state *state_new(void); /* empty, for saving */
/* for loading; NULL if damaged */
struct state *state_parse(const u8 *data, size_t size, struct error *err);
const u8 *state_bytes(const struct state *s, size_t *size); /* what was saved */
void state_free(struct state *s);

/* True while loading: a visitor then recomputes what is derived and re-arms its timers. */
bool state_loading(const struct state *s);

/* Opens a section (a chip and its instance, "i8254" or "ide0"); returns its saved version when
 * loading (0 if it is missing: every field then keeps its value) and `version` when saving.
 * Sections nest. */
unsigned state_begin(struct state *s, const char *name, unsigned version);
void state_end(struct state *s);

/* Save or load one field of the open section. A loaded value is range-checked by the caller. */
void state_bool(struct state *s, const char *name, bool *v);
void state_u8(struct state *s, const char *name, u8 *v);
void state_u16(struct state *s, const char *name, u16 *v);
void state_u32(struct state *s, const char *name, u32 *v);
void state_u64(struct state *s, const char *name, u64 *v);
/* raw bytes, exact size */
void state_data(struct state *s, const char *name, void *data, size_t size);

/* Marks the load as failed (a value out of range); state_failed tells at the end. */
void state_fail(struct state *s, const char *why);
const char *state_failed(const struct state *s); /* NULL while all is well */

#endif
