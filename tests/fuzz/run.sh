#!/bin/bash
# run.sh TARGET [SECONDS]: fuzzes one target with libFuzzer on the stable toolchain (no sanitizer; debug assertions and overflow
# checks are on). New inputs go to FUZZ_CORPUS (default: target/corpus/TARGET), findings to the current directory.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd) target=${1:?target} seconds=${2:-600}
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$here/target}
export RUSTFLAGS="-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table -Cllvm-args=-sanitizer-coverage-trace-compares --cfg fuzzing -Cdebug-assertions -Ccodegen-units=1"
cargo build --release --locked --manifest-path "$here/Cargo.toml" --target x86_64-unknown-linux-gnu --bin "$target"
corpus=${FUZZ_CORPUS:-$CARGO_TARGET_DIR/corpus/$target}
mkdir -p "$corpus"
# A stream's worth of input; what needs more than a second or 512 MB is a finding.
exec "$CARGO_TARGET_DIR/x86_64-unknown-linux-gnu/release/$target" -max_total_time="$seconds" -max_len=4096 -timeout=1 -rss_limit_mb=512 \
  -print_final_stats=1 "$corpus" "$here/corpus/$target"
