/* No line editing: built without libedit. */
/* SPDX-License-Identifier: MIT */
#include "frontend/editor.h"

struct editor *editor_new(const char *prompt, const struct editor_client *client, void *opaque)
{
    (void)prompt, (void)client, (void)opaque;
    return NULL;
}

void editor_free(struct editor *e)
{
    (void)e;
}

void editor_show(struct editor *e)
{
    (void)e;
}

const char *editor_byte(struct editor *e, u8 byte)
{
    (void)e, (void)byte;
    return NULL;
}
