#!/bin/sh
# The boot tests on -engine checked.
# SPDX-License-Identifier: MIT
exec "${0%/*}/on-engine" checked
