/* The cable of a network card under test: frames go to it and come from it at the test's end. */
/* SPDX-License-Identifier: MIT */
#ifndef TESTS_UNIT_WIRE_H
#define TESTS_UNIT_WIRE_H

#include "hw/net/net.h"

struct net *
wire_open(const char *pcap); /* pcap: a record of all frames, or NULL; one cable at a time */
void wire_close(struct net *net);

/* To the card: the address, and bytes of fill up to the size in all. */
void wire_send(const u8 *to, u8 fill, u32 size);
/* The next frame from the card; returns its size. */
int wire_take(u8 *buf, u32 size);
/* Forgets what has come from the card. */
void wire_clear(void);

#endif
