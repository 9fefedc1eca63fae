#!/bin/sh
# What the window draws, dot by dot, on a display of its own (Xvfb): the picture in its true size, enlarged
# smoothly and by whole numbers, its place in a window of other proportions, the status line; and the
# screenshot, which is in true size however large the window is.
# SPDX-License-Identifier: MIT
. "$(dirname "$0")/common"

white=00ffffff
black=00000000
paper=00202020

display_start 1600x1200
cd "$work" || exit 1
guest_start -display sdl -serial stdio -no-reboot -m 16 -name 'scaling test' \
    -drive "file=$BUILD/tests/boot/stripes.img,format=raw,readonly=on"
guest_wait READY 60
window_wait 'scaling test'

# True size: 640 x 400, edges in the middle, the status line under it.
size_wait "$window" 640x420
dots_wait $((X + 318)) $((Y + 199)) $white $white $black $black
dots_wait $((X + 318)) $((Y + 200)) $black $black $white $white
dots_wait $((X + 639)) $((Y + 399)) $white
dots_wait $((X + 639)) $((Y + 401)) $paper

# Twice as large: something between white and black at the edge, no dot of another colour beside it.
xdotool key ctrl+alt+2
size_wait "$window" 1280x820
dots_wait $((X + 630)) $((Y + 300)) $white $white $white $white $white $white
dots_wait $((X + 644)) $((Y + 300)) $black $black $black $black $black $black
edge=$(dots $((X + 636)) $((Y + 300)) 8)
echo "$edge" | grep -qv -e $white -e $black || fail "the edge is not smooth: $edge"
[ "$edge" = "$(echo "$edge" | sort -r)" ] || fail "the edge goes up and down: $edge"

# By whole numbers: each dot of the guest is four.
xdotool key ctrl+alt+i
dots_wait $((X + 638)) $((Y + 399)) $white $white $black $black
dots_wait $((X + 638)) $((Y + 400)) $black $black $white $white

# A window of other proportions: once the picture in the middle; smoothly, as wide as it will go.
xdotool windowsize --sync "$window" 1000 700
size_wait "$window" 1000x700
dots_wait $((X + 178)) $((Y + 200)) $black $black $white $white
dots_wait $((X + 498)) $((Y + 200)) $white $white $black $black
dots_wait $((X + 178)) $((Y + 139)) $black $black $black $black
xdotool key ctrl+alt+i
dots_wait $X $((Y + 40)) $white $white $white $white
dots_wait $((X + 996)) $((Y + 650)) $white $white $white $white
dots_wait $X $((Y + 20)) $black $black $black $black

# The status line goes and comes.
dots_wait $((X + 999)) $((Y + 699)) $paper
xdotool key ctrl+alt+l
dots_wait $((X + 999)) $((Y + 699)) $black
xdotool key ctrl+alt+l
dots_wait $((X + 999)) $((Y + 699)) $paper

xdotool key ctrl+alt+s
guest_wait 'saved prescient-0.png' 30
[ "$(od -An -tx1 -j 16 -N 10 prescient-0.png | tr -d ' ')" = 00000280000001900802 ] ||
    fail "the picture is not 640 x 400: $(od -An -tx1 -N 32 prescient-0.png)"
xdotool key q
guest_end 30
