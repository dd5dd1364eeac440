#!/bin/bash
# test-portal.sh: the portal's RemoteDesktop with ScreenCast, as KDE's portal has it, on KWin in a virtual machine: consent given beforehand in the permission
# store, a monitor that is there captured, input through the portal's EIS. Prints "ok   PROMISE", "FAIL PROMISE" or "skip REASON" lines.
. "$(dirname "$0")/in-vm.sh"
export RIG_EXTRA_PACKAGES=xdg-desktop-portal-kde
in_vm check-kwin trixie "${@:-portal}"
