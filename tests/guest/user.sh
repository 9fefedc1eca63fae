#!/bin/sh
# The user-mode instruction tests, on the interpreter and on the host.
# SPDX-License-Identifier: MIT
exec "$BUILD"/tests/guest/run "$BUILD"/tests/guest/*.bin
