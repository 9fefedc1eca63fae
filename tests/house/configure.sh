#!/bin/sh
# configure and quickstart: what they say when something is wrong, and that a build folder may be
# anywhere.
# SPDX-License-Identifier: MIT
set -u

dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
cd "$dir" || exit 1
bad=0

says() # STATUS TEXT COMMAND...: the command ends with STATUS and its output has TEXT
{
    want=$1
    text=$2
    shift 2
    "$@" >out 2>&1
    status=$?
    [ $status = "$want" ] || { echo "'$*': status $status, not $want"; bad=1; }
    grep -q -e "$text" out || { echo "'$*' does not say '$text' but:"; cat out; bad=1; }
}

says 0 '--enable-sanitizers' "$SRCDIR/configure" --help
says 1 "unknown option '--frobnicate'" "$SRCDIR/configure" --frobnicate
says 1 'absolute folder' "$SRCDIR/configure" --prefix=here
says 1 "no compiler 'nosuchcc'" "$SRCDIR/configure" CC=nosuchcc
says 1 "no bios-256k.bin" "$SRCDIR/configure" --with-firmware="$dir"
# Without pkg-config's data every library is missing, and all are named in one line.
says 1 'apt-get install .*check.*libcapstone-dev libelf-dev libsdl2-dev libslirp-dev zlib1g-dev' \
    env PKG_CONFIG_LIBDIR="$dir" PKG_CONFIG_PATH= "$SRCDIR/configure"
[ ! -e Makefile ] || { echo "a failed configure left a Makefile"; bad=1; }
says 0 'now run: make' "$SRCDIR/configure" --prefix="$dir/to" --without-sdl --without-slirp \
    --without-libedit
grep -q 'HAVE_SLIRP 0' config.h || { echo "--without-slirp has no effect"; bad=1; }
grep -q 'HAVE_EDIT 0' config.h || { echo "--without-libedit has no effect"; bad=1; }
grep -q 'HAVE_SDL 0' config.h || { echo "--without-sdl has no effect"; bad=1; }
says 0 'bench ' make -s help
says 0 'now run: make' env CFLAGS='-O1 -g' "$SRCDIR/configure" --without-sdl
grep -q "/configure .*'CFLAGS=-O1 -g'" Makefile || { echo "make would forget CFLAGS"; bad=1; }
says 0 '' make -s -n all
says 1 'Usage' "$SRCDIR/quickstart"
says 1 'Usage' "$SRCDIR/quickstart" walk
says 0 'Usage' "$SRCDIR/quickstart" --help
exit $bad
