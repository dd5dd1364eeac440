#!/bin/bash
# test-kwin-next.sh: what a newer KWin has that Debian 13's has not, on that of Debian testing (Plasma 6.7): a mode of the output's own above 60 Hz, and
# outputs that are told of by a registry. See test-kwin.sh.
exec "$(dirname "$0")/test-kwin.sh" forky sizes rates outputs
