#!/bin/sh
# A slice of the hostile guests, from a fixed seed; HOSTILE_GUESTS=0 goes on for ever.
# SPDX-License-Identifier: MIT
exec "$BUILD"/tests/fuzz/fuzz_hostile -seed "${HOSTILE_SEED:-1}" -n "${HOSTILE_GUESTS:-800}"
