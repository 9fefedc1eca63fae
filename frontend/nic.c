/* The -nic option, and the network cards and cables that it asks for. */
/* SPDX-License-Identifier: MIT */
#include "frontend/nic.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config.h"
#include "frontend/option_value.h"
#include "frontend/options.h"

enum { ROM_MAX = 256 << 10 };

/* Models: what the user calls them, and the boot ROM's file. */
static const struct {
    const char *name;        /* as in QEMU */
    enum pc_nic_model model; /* ours */
    const char *rom;         /* in PRESCIENT_IPXE_DIR, or NULL */
} models[] = {
    {"e1000", PC_NIC_E1000, "pxe-e1000.rom"},
    {"rtl8139", PC_NIC_RTL8139, "pxe-rtl8139.rom"},
    {"ne2k_pci", PC_NIC_NE2000_PCI, "pxe-ne2k_pci.rom"},
    {"ne2k_isa", PC_NIC_NE2000_ISA, NULL},
    {"virtio", PC_NIC_VIRTIO, "pxe-virtio.rom"},
    {"virtio-net-pci", PC_NIC_VIRTIO, "pxe-virtio.rom"},
};

static bool parse_model(struct nic_option *n, const char *value, struct error *err)
{
    for (unsigned k = 0; k < ARRAY_LEN(models); k++) {
        if (!strcmp(value, models[k].name)) {
            n->model = models[k].model;
            return true;
        }
    }
    return error_set(err, "-nic model=%s: e1000, rtl8139, ne2k_pci, ne2k_isa or virtio", value);
}

static bool parse_mac(struct nic_option *n, const char *value, struct error *err)
{
    unsigned b[6];
    int used = 0;
    if (sscanf(value, "%2x:%2x:%2x:%2x:%2x:%2x%n", b, b + 1, b + 2, b + 3, b + 4, b + 5, &used) !=
            6 ||
        value[used] || b[0] & 1)
        return error_set(err, "-nic mac=%s: not the address of one card, like 52:54:00:12:34:56",
                         value);
    for (unsigned k = 0; k < 6; k++)
        n->mac[k] = (u8)b[k];
    return n->has_mac = true;
}

static bool parse_key(struct nic_option *n, const char *key, const char *value, struct error *err)
{
    const struct {
        const char *key;  /* its name */
        const char *kind; /* the networks that have it, or NULL: all */
        const char **to;  /* where its value goes */
    } texts[] = {{"pcap", NULL, &n->net.pcap},           {"tftp", "user", &n->net.tftp},
                 {"bootfile", "user", &n->net.bootfile}, {"local", "unix", &n->net.local},
                 {"remote", "unix", &n->net.remote},     {"ifname", "tap", &n->net.ifname}};
    for (unsigned k = 0; k < ARRAY_LEN(texts); k++) {
        if (!strcmp(key, texts[k].key) && (!texts[k].kind || !strcmp(texts[k].kind, n->net.kind))) {
            *texts[k].to = value;
            return true;
        }
    }
    if (!strcmp(key, "model"))
        return parse_model(n, value, err);
    if (!strcmp(key, "mac"))
        return parse_mac(n, value, err);
    bool user = !strcmp(n->net.kind, "user");
    if (user && !strcmp(key, "restrict"))
        return option_on_off(value, &n->net.restricted, "-nic restrict", err);
    if (user && !strcmp(key, "hostfwd")) {
        if (n->net.hostfwds == MAX_FORWARDS)
            return error_set(err, "-nic hostfwd=%s: at most %d of them", value, MAX_FORWARDS);
        n->hostfwd[n->net.hostfwds++] = value;
        return true;
    }
    return error_set(err, "-nic %s: unknown key \"%s\" (model, mac, pcap%s)", n->net.kind, key,
                     user                          ? ", hostfwd, tftp, bootfile, restrict"
                     : strcmp(n->net.kind, "unix") ? ", ifname"
                                                   : ", local, remote");
}

bool nic_parse(struct nic_option *n, const char *arg, struct error *err)
{
    *n = (struct nic_option){.text = xstrdup(arg), .model = PC_NIC_E1000};
    char *list = n->text, *item;
    n->net.kind = option_next_item(&list);
    if (!strcmp(n->net.kind, "socket")) /* another word for it */
        n->net.kind = "unix";
    if (strcmp(n->net.kind, "user") && strcmp(n->net.kind, "unix") && strcmp(n->net.kind, "tap"))
        return error_set(err, "-nic %s: user, unix, tap or none", arg);
    while ((item = option_next_item(&list))) {
        char *value = strchr(item, '=');
        if (!value)
            return error_set(err, "-nic: \"%s\" is not of the form key=value", item);
        *value++ = 0;
        if (!parse_key(n, item, value, err))
            return false;
    }
    return true;
}

void nic_option_free(struct nic_option *n)
{
    free(n->text);
}

/* The boot ROM, where somebody may want to boot from the network: it takes a while to start. */
static bool read_rom(struct blob *rom, enum pc_nic_model model, struct error *err)
{
    bool good = true;
    for (unsigned k = 0; k < ARRAY_LEN(models) && sizeof PRESCIENT_IPXE_DIR > 1; k++) {
        const char *name = models[k].rom ? models[k].rom : "";
        char *path = xasprintf("%s/%s", PRESCIENT_IPXE_DIR, name);
        if (models[k].model == model && models[k].rom && !rom->data && !access(path, R_OK))
            good = blob_read(rom, path, "option ROM", ROM_MAX, err);
        free(path);
    }
    return good;
}

static bool wants_rom(const struct options *o)
{
    if (o->boot)
        return strchr(o->boot, 'n') || o->boot_menu;
    return o->boot_menu || (!drive_option_wanted(o) && !o->kernel && !o->bios);
}

static bool open_one(struct nics *nics, unsigned index, const struct nic_option *option,
                     struct pc_nic *card, bool rom, net_post_fn *post, void *machine,
                     struct error *err)
{
    struct net_options net = option->net;
    const u8 mac[6] = {0x52, 0x54, 0x00, 0x12, 0x34, (u8)(0x56 + index)};
    net.hostfwd = option->hostfwd;
    nics->net[index] = net_open(&net, post, machine, err);
    if (!nics->net[index] || (rom && !read_rom(&nics->rom[index], option->model, err)))
        return false;
    *card = (struct pc_nic){.model = option->model,
                            .net = nics->net[index],
                            .rom = nics->rom[index].data,
                            .rom_size = (u32)nics->rom[index].size};
    memcpy(card->mac, option->has_mac ? option->mac : mac, 6);
    return true;
}

bool nics_open(struct nics *nics, const struct options *o, struct pc_config *config,
               net_post_fn *post, void *machine, struct error *err)
{
    static const struct nic_option usual = {.net = {.kind = "user"}, .model = PC_NIC_E1000};
    bool rom = wants_rom(o), good = true;
    if (rom && !o->boot)
        config->boot_order = "cdn";
    if (o->nic_count == 0 && !o->no_nic && !o->no_defaults && HAVE_SLIRP && o->clock == CLOCK_HOST)
        return open_one(nics, 0, &usual, &config->nic[0], rom, post, machine, err);
    for (unsigned n = 0; n < o->nic_count && good; n++)
        good = open_one(nics, n, &o->nic[n], &config->nic[n], rom && n == 0, post, machine, err);
    return good;
}

void nics_close(struct nics *nics)
{
    for (unsigned n = 0; n < MAX_NICS; n++) {
        net_close(nics->net[n]);
        blob_free(&nics->rom[n]);
    }
}
