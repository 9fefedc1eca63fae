#!/bin/sh
# Slices of the block fuzzer, from fixed seeds: the translator with checked accesses and through a direct
# window.
# SPDX-License-Identifier: MIT
"$BUILD"/tests/fuzz/fuzz_block 20260 3000 || exit
FUZZ_TIER=direct exec "$BUILD"/tests/fuzz/fuzz_block 20261 2000
