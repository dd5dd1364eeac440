#!/bin/bash
# test-kwin.sh [SUITE [PART]...]: KWin on a graphics card of a virtual machine, with its permission check on and our installed grant: the service, an
# agent, the test client and a window of known colours. Prints "ok   PROMISE", "FAIL PROMISE" or "skip REASON" lines.
. "$(dirname "$0")/in-vm.sh"
in_vm check-kwin "${1:-trixie}" "${@:2}"
