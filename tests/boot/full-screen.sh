#!/bin/sh
# Full screen under a window manager (evilwm) on a display of its own (Xvfb): there and back by key, from the
# start by option, and what is drawn there.
# SPDX-License-Identifier: MIT
. "$(dirname "$0")/common"

white=00ffffff
black=00000000

command -v evilwm >/dev/null || skip "evilwm is not installed (Debian: evilwm)"
display_start 1600x1200
cd "$work" || exit 1
# The font that every X server has; Ctrl-Alt is the window's.
evilwm -fn fixed -mask1 mod4 -mask2 mod4 >"$work/said" 2>&1 &
others="$others $!"
managed() # it has taken the display over
{
    xdotool get_num_desktops >/dev/null 2>&1
}
await 60 managed || fail "evilwm does not start: $(cat said)"

# The whole display, the picture as wide as it; nothing of a frame.
shown()
{
    size_wait "$window" 1600x1200
    [ "$X $Y" = "0 0" ] || fail "the window is at $X, $Y"
    dots_wait 0 100 $white $white $white
    dots_wait 790 100 $white $white $white
    dots_wait 808 100 $black $black $black
    dots_wait 1597 1080 $white $white $white
    dots_wait 0 80 $black $black $black
}

for start in off on; do
    guest_start -display "sdl,full-screen=$start" -serial stdio -no-reboot -m 16 -name 'full screen test' \
        -drive "file=$BUILD/tests/boot/stripes.img,format=raw,readonly=on"
    guest_wait READY 60
    window_wait 'full screen test'
    if [ $start = off ]; then
        size_wait "$window" 640x420
        xdotool key ctrl+alt+f
    fi
    shown
    xdotool key ctrl+alt+f
    size_wait "$window" 640x420
    dots_wait $((X + 318)) $((Y + 100)) $white $white $black $black
    xdotool key q
    guest_end 30
done
