#!/bin/sh
# A slice of the block fuzzer, from a fixed seed.
# SPDX-License-Identifier: MIT
exec "$BUILD"/tests/fuzz/fuzz_block 20260 4000
