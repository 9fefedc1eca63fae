#!/bin/sh
# A slice of the hostile guests on each engine, from a fixed seed; HOSTILE_GUESTS=0 goes on for ever.
# SPDX-License-Identifier: MIT
for engine in interp checked direct; do
    echo "$engine:"
    "$BUILD"/tests/fuzz/fuzz_hostile -engine $engine -seed "${HOSTILE_SEED:-1}" \
        -n "${HOSTILE_GUESTS:-300}" || exit 1
done
