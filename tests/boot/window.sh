#!/bin/sh
# The window on a display of its own (Xvfb), with keys and mouse as xdotool makes them: title, keys and
# mouse as the guest sees them (tests/boot/window.S), the grab, the screenshot key.
# SPDX-License-Identifier: MIT
. "$(dirname "$0")/common"

[ "$HAVE_SDL" = 1 ] || skip "this build has no window"
for tool in Xvfb xdotool; do
    command -v $tool >/dev/null || skip "$tool is not installed (Debian: xvfb xdotool)"
done
unset WAYLAND_DISPLAY SDL_VIDEODRIVER
cd "$work" || exit 1
Xvfb -displayfd 4 -screen 0 1024x768x24 -nolisten tcp 4>"$work/display" >/dev/null 2>&1 &
server=$!
trap 'guest_stop; kill $server; rm -rf "$work"' EXIT
left=100
until [ -s "$work/display" ]; do
    [ $left -gt 0 ] && kill -0 $server || skip "Xvfb does not start"
    left=$((left - 1))
    sleep 0.2
done
export DISPLAY=":$(cat "$work/display")"

title() # PATTERN: the window has it within some seconds
{
    left=100
    until xdotool search --name "$1" >/dev/null 2>&1; do
        [ $left -gt 0 ] || fail "no window with the title '$1'"
        left=$((left - 1))
        sleep 0.2
    done
}

guest_start -display sdl -serial stdio -no-reboot -m 16 -name 'window test' \
    -drive "file=$BUILD/tests/boot/window.img,format=raw,readonly=on"
guest_wait READY 60
title '^window test - Prescient - Ctrl-Alt-G grabs the mouse$'
window=$(xdotool search --name '^window test' | head -n 1)
xdotool windowfocus --sync "$window" mousemove --window "$window" 300 200

xdotool key a
guest_wait 'key 1e61' 30
xdotool key shift+a F1
guest_wait 'key 1e41' 30
guest_wait 'key 3b00' 30

xdotool mousemove_relative 9 9 # not grabbed: the mouse is the host's
xdotool key ctrl+alt+g
title 'Ctrl-Alt-G releases the mouse$'
grep -aq '^mouse' "$out" && fail "the mouse moved without a grab"
xdotool mousemove_relative 12 0
guest_wait 'mouse 00000c0000' 30
xdotool mousemove_relative -- -3 5
guest_wait 'mouse 00fffdfffb' 30
xdotool mousedown 3
guest_wait 'mouse 02' 30
xdotool mouseup 3
guest_wait 'mouse 00' 30
xdotool key b
guest_wait 'key 3062' 30

xdotool key ctrl+alt+g
title 'Ctrl-Alt-G grabs the mouse$'
lines=$(grep -ac '^mouse' "$out")
xdotool mousemove_relative 7 7 key c
guest_wait 'key 2e63' 30 # without Ctrl and Alt, which the hot key released
[ "$(grep -ac '^mouse' "$out")" = "$lines" ] || fail "the mouse moved after the grab"

xdotool key ctrl+alt+s
guest_wait 'saved prescient-0.png' 30
# An 8-bit RGB PNG of the text mode's size.
[ "$(od -An -tx1 -j 16 -N 10 prescient-0.png | tr -d ' ')" = 000002d0000001900802 ] ||
    fail "the picture is not 720 x 400: $(od -An -tx1 -N 32 prescient-0.png)"
xdotool key q
guest_end 30
