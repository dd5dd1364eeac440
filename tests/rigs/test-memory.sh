#!/bin/bash
# test-memory.sh: the encoders' bindings under valgrind, against the simulated drivers: nothing is read that was never written,
# nothing beyond its end or after it was let go of, and nothing is lost. BINDIR (default target/debug) is a build with its tests.
# Prints "ok   PROMISE" or "FAIL PROMISE" lines.
. "$(dirname "$0")/lib.sh"
case ${1:-} in -h|--help) usage;; ?*) usage 2;; esac
top=$(cd "$RIGS/../.." && pwd)
bin=$(realpath "${BINDIR:-$top/target/debug}")
apt_need valgrind libc6-dbg
out=$(mktemp -d "$CACHE/memory.XXXXXX"); trap 'rm -rf "$out"' EXIT
failed=0
# the drivers' libraries stay loaded for as long as the process lives
cat >"$out/meant" <<'END'
{
   a library that stays
   Memcheck:Leak
   match-leak-kinds: definite
   ...
   fun:*encode*library*open*
   ...
}
END

# under NAME TEST: one test of a program of the agent's, with the process of itself that it starts; ffmpeg runs as it is
under() {
  local program log="$out/$1-${2##*::}"
  program=$(find "$bin/deps" -maxdepth 1 -name "$1-*" -type f -executable -printf '%T@ %p\n' | sort -rn | sed -n '1s/^[^ ]* //p')
  [ -n "$program" ] || die "$bin has no test program $1: cargo build -p punktfunk-agent --tests"
  if valgrind --quiet --trace-children=yes --trace-children-skip='*/ffmpeg,*/ffprobe' --error-exitcode=9 \
      --leak-check=full --show-leak-kinds=definite --errors-for-leak-kinds=definite --suppressions="$out/meant" \
      --log-file="$log.%p" "$program" --exact "$2" --test-threads=1 >"$log" 2>&1 && grep -q '^test result: ok. 1 passed' "$log"; then
    echo "ok   memory, $1: ${2//_/ }"
  else
    echo "FAIL memory, $1: ${2//_/ }"; failed=1
    grep -v '^$' "$log" | tail -n 20; cat "$log".* | head -n 60
  fi
}

cd "$top/agent"
under nvenc streams::after_an_invalidation_nothing_lost_is_referred_to_and_a_decoder_goes_on_without_an_idr
under nvenc streams::hevc_and_av1_refer_to_nothing_lost_either
under nvenc life::a_device_that_stays_away_costs_pictures_and_comes_back_with_a_key_frame_at_the_last_rate
under vaapi streams::after_an_invalidation_nothing_lost_is_referred_to_and_a_decoder_goes_on_without_an_idr
under vaapi import::a_device_that_is_lost_with_a_lent_picture_comes_back_with_that_picture
exit "$failed"
