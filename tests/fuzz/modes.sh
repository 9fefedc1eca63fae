#!/bin/sh
# A slice of the mode fuzzer, from a fixed seed.
# SPDX-License-Identifier: MIT
exec "$BUILD"/tests/fuzz/fuzz_modes 20260 600
