#!/bin/sh
# The window on a display of its own (Xvfb), with keys and mouse as xdotool makes them: title, keys and
# mouse as the guest sees them (tests/boot/window.S), the grab, the screenshot key, copied and pasted
# text, sizes, the absolute pointer.
# SPDX-License-Identifier: MIT
. "$(dirname "$0")/common"

command -v setxkbmap >/dev/null || skip "setxkbmap is not installed (Debian: x11-xkb-utils)"
display_start
cd "$work" || exit 1

title() # PATTERN: the window has it before long
{
    await 60 has_title "$1" || fail "no window with the title '$1'"
}

has_title() # PATTERN
{
    xdotool search --name "$1" >/dev/null 2>&1
}

guest_start -display sdl -serial stdio -no-reboot -m 16 -name 'window test' \
    -drive "file=$BUILD/tests/boot/window.img,format=raw,readonly=on"
guest_wait READY 60
title '^window test - Prescient - Ctrl-Alt-G grabs the mouse$'
window_wait 'window test'
xdotool mousemove --window "$window" 300 200

xdotool key a
guest_wait 'key 1e61' 30
xdotool key shift+a F1
guest_wait 'key 1e41' 30
guest_wait 'key 3b00' 30

# By place, whatever the host's layout: the key beside T is Z in Germany, Y for the guest; and the one
# that US keyboards lack.
setxkbmap de || fail "setxkbmap de"
xdotool key 29
guest_wait 'key 1579' 30
xdotool key 94
guest_wait 'key 56' 30
setxkbmap us || fail "setxkbmap us"

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
xdotool key ctrl+alt+s # never over an older one
guest_wait 'saved prescient-1.png' 30

# The text screen to the clipboard, and the clipboard typed: what the BIOS has said comes as keys.
xdotool key ctrl+alt+c
pasted() # asks for it again and again: the clipboard may not be there at once
{
    xdotool key ctrl+alt+v
    sleep 0.5
    grep -aq 'key 1f53' "$out"
}
await 60 pasted || fail "the copied text was not typed"
guest_wait 'key 3042' 60 # SeaBIOS, with its capitals
guest_wait 'key 1749' 60

xdotool key ctrl+alt+2
size_wait "$window" 1440x820 # twice 720 x 400, and a status line
xdotool key ctrl+alt+1
xdotool key q
guest_end 30

# Another grab key; the pointer without a grab; whole multiples; no status line.
guest_start -display sdl,grab=ctrl_r-f12,scale=integer,status=off -serial stdio -no-reboot -m 16 \
    -name 'pointer test' -drive "file=$BUILD/tests/boot/window.img,format=raw,readonly=on"
guest_wait READY 60
title '^pointer test - Prescient - Ctrl R-F12 grabs the mouse$'
window_wait 'pointer test'
xdotool key p
title 'Ctrl R-F12 grabs the keyboard$'
xdotool mousemove --window "$window" 719 0
guest_wait 'point 0000ffff00000000' 30
xdotool mousemove --window "$window" 0 399 mousedown 1
guest_wait 'point 00200000ffff0000' 30
xdotool mouseup 1 click 5
guest_wait 'point 00000000ffff0001' 30
xdotool keydown Control_R key F12 keyup Control_R
title 'Ctrl R-F12 releases the keyboard$'
xdotool keydown Control_R key F12 keyup Control_R
title 'Ctrl R-F12 grabs the keyboard$'
xdotool key q
guest_end 30
