#!/bin/sh
# The monitor against the demo kernel, on both engines: tests/monitor/demo.talk is the conversation.
# SPDX-License-Identifier: MIT
. "$(dirname "$0")/common"

bad=0
for engine in interp checked direct; do
    demo_start -engine $engine
    talk "$SRCDIR/tests/monitor/demo.talk" || { echo "with -engine $engine"; bad=1; }
    demo_end
done
exit $bad
