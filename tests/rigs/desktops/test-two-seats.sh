#!/bin/bash
# test-two-seats.sh [SUITE]: two users on two virtual terminals of one seat, both streamed: who is switched away pauses and resumes, and no key
# goes to the other. Prints "ok   PROMISE", "FAIL PROMISE" or "skip REASON" lines.
. "$(dirname "$0")/in-vm.sh"
in_vm check-two-seats "${1:-trixie}"
