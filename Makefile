# punktfunk: each target does its own set-up (Debian packages through root or sudo, nothing else of the system is touched).
#   make demo      build, start service and agent on a private bus, pair the test client, stream 10 s, leave picture and report
#                  SOURCE=synthetic (default) or SOURCE=desktop
#   make run       keep a host running for a real Moonlight client
#   make check     everything: formatting, lints, unit and whole-system tests, real systemd, polkit and desktops
#   make check-desktops   the desktop rigs that take minutes each: KWin in a virtual machine
#   make bench     speed, as ratios against named references, and which aims are met; BENCH=fec for some rows alone
#   make bench-streams   cost, latency and evenness of 1 to 16 streams
#   make install   into DESTDIR (default /) with PREFIX (default /usr); make uninstall takes it away again
#   make deb       target/deb/punktfunk_VERSION_ARCH.deb
SHELL := /bin/bash
SOURCE ?= synthetic
SECONDS_ ?= 10
PREFIX ?= /usr
export CARGO_TERM_COLOR ?= auto

.PHONY: build demo run check check-desktops test lint bench bench-streams install uninstall deb packages clean

build: packages
	cargo build --release --locked -p punktfunk-service -p punktfunk-agent -p punktfunk-dbus -p punktfunk-tests --bins

packages:
	@scripts/packages.sh build

demo: build
	@scripts/packages.sh demo
	@scripts/demo.sh "$(SOURCE)" "$(SECONDS_)"

run: build
	@scripts/packages.sh demo
	@scripts/run.sh "$(SOURCE)"

lint: packages
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked -- -D warnings

check:
	@scripts/check.sh

check-desktops:
	@scripts/check-desktops.sh

bench: packages
	@scripts/packages.sh bench
	cargo run --release --locked --manifest-path tests/bench/Cargo.toml --target-dir target/bench -- $(BENCH)

bench-streams: packages
	@scripts/packages.sh check
	cargo build --release --locked -p punktfunk-service -p punktfunk-agent --bins
	cargo bench --locked -p punktfunk-tests --bench streams

install:
	@scripts/install.sh "$(DESTDIR)" "$(PREFIX)"

uninstall:
	@scripts/install.sh "$(DESTDIR)" "$(PREFIX)" uninstall

deb: build
	@scripts/packages.sh deb
	@scripts/deb.sh
