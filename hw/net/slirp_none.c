/* No user-mode network, where the program was built without libslirp. */
/* SPDX-License-Identifier: MIT */
#include "hw/net/backend.h"

static void *user_open(struct net *net, const struct net_options *options, struct error *err)
{
    (void)net;
    (void)options;
    error_set(err, "-nic user: this program was built without libslirp (Debian: libslirp-dev)");
    return NULL;
}

const struct net_backend_ops net_user = {.kind = "user", .open = user_open};
