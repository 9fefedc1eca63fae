#!/bin/sh
# 'quickstart run' where there is no network: it boots the project's own demo kernel. The build is
# there already.
# SPDX-License-Identifier: MIT
. "$(dirname "$0")/common"

netns_find true

# A tree of links with a build that is up to date, and all packages installed.
mkdir -p "$work/tree/build/roms" "$work/bin"
ln -s "$SRCDIR/quickstart" "$SRCDIR/tests" "$SRCDIR/configure" "$work/tree"
ln -s "$BUILD/config.h" "$work/tree/build"
ln -s "$BUILD/roms/demo.elf" "$work/tree/build/roms"
ln -s "$PRESCIENT" "$work/tree/build/prescient"
echo 'all:' >"$work/tree/build/Makefile"
printf '#!/bin/sh\necho install ok installed\n' >"$work/bin/dpkg-query"
chmod +x "$work/bin/dpkg-query"
touch -d '+1 hour' "$work/tree/build/Makefile"
unset DISPLAY WAYLAND_DISPLAY

printf '#!/bin/sh\nexec %s "$@"\n' "$netns" >"$work/bin/offline"
chmod +x "$work/bin/offline"
"$work/bin/offline" true || skip "$work does not let programs run"
PRESCIENT=$work/bin/offline
guest_start env PATH="$work/bin:$PATH" "$work/tree/quickstart" run -no-reboot
guest_wait 'No guest from Debian; starting the demo kernel' 120
guest_wait 'To leave: q' 120
guest_type q
guest_end 30
