#!/bin/bash
# test-capture.sh [-b BINDIR]: real PipeWire and WirePlumber, without a compositor: what the agent's capture makes of producers
# whose buffers are as a compositor's can be, good and bad (src/odd-producer.c): GPU memory negotiated, lent and given up,
# memory cut off under the reader, numbers that make no sense, damage, a pointer in metadata. "GPU memory" is declared so, and is not.
# Prints "ok   PROMISE" or "FAIL PROMISE" lines; exit 1 if any failed.
#   BINDIR  where the agent's examples are; default: $BINDIR/examples, else the debug build of this tree. Build them with
#           cargo build -p punktfunk-agent --examples
. "$(dirname "$0")/lib.sh"
bin=${BINDIR:-${CARGO_TARGET_DIR:-$RIGS/../../target}/debug}/examples
while [ $# -gt 0 ]; do case $1 in -b) bin=$2; shift;; -h|--help) usage;; *) usage 2;; esac; shift; done
[ -x "$bin/source_probe" ] || die "$bin/source_probe is missing: cargo build -p punktfunk-agent --examples"
copy=$(mktemp -d); trap 'rm -rf "$copy"' EXIT; chmod 755 "$copy"; install -m755 "$bin/source_probe" "$copy/"
# In the container always: the PipeWire of Debian 12 does not show the node of a program like this one to others.
timeout --foreground 840 "$RIGS/container.sh" -p desktop -u alice -r "$copy:/opt/pf" -- /rig/session-sound /rig/check-odd /opt/pf/source_probe
