/* The -nic option, and the network cards and cables that it asks for. */
/* SPDX-License-Identifier: MIT */
#ifndef FRONTEND_NIC_H
#define FRONTEND_NIC_H

#include "cpu/base.h"
#include "frontend/loader.h"
#include "hw/pc.h"

struct options;

enum { MAX_NICS = PC_NICS, MAX_FORWARDS = 16 };

/* One -nic. */
struct nic_option {
    char *text;                        /* the option's text, cut up; the pointers are into it */
    struct net_options net;            /* the cable */
    const char *hostfwd[MAX_FORWARDS]; /* its forwarded ports */
    enum pc_nic_model model;           /* the card */
    u8 mac[6];                         /* its address */
    bool has_mac;                      /* mac was given */
};

/* Fills *n; false with *err set. nic_option_free in any case. */
bool nic_parse(struct nic_option *n, const char *arg, struct error *err);
void nic_option_free(struct nic_option *n);

/* What runs behind the cards. */
struct nics {
    struct net *net[MAX_NICS]; /* cables */
    struct blob rom[MAX_NICS]; /* option ROMs */
};

/* Opens the cables of the options, or the default one, and describes the cards in config. */
bool nics_open(struct nics *nics, const struct options *o, struct pc_config *config,
               net_post_fn *post, void *machine, struct error *err);
void nics_close(struct nics *nics); /* after the cards are gone */

#endif
