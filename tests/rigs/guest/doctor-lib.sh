# Sourced where something is broken on purpose, one thing at a time. The caller has doctor, which writes what the doctor says to /tmp/doctor.log, and
# ok and fail.
# named CHECK MARK CAUSE REMEDY: whether the doctor says so of a check now: its mark, a word of the cause, and one of the remedy below it
named() {
  doctor
  /usr/bin/python3 - "$@" <<'PY'
import sys
check, mark, cause, remedy = sys.argv[1:]
lines = open("/tmp/doctor.log").read().splitlines()
for at, line in enumerate(lines):
    if line.startswith(mark) and line[4:].strip().startswith(check) and cause in line:
        below = lines[at + 1] if at + 1 < len(lines) else ""
        if not remedy or ("->" in below and remedy in below):
            sys.exit(0)
        sys.exit("no remedy with %r: %s" % (remedy, below))
sys.exit("\n".join(lines))
PY
}
doctor_names() { # PROMISE CHECK MARK CAUSE REMEDY
  local out i; for i in $(seq 30); do out=$(named "${@:2}" 2>&1) && { ok "$1"; return; }; sleep 1; done; fail "$1" "$out"; }
doctor_content() { doctor_names "$1" "$2" ok "" ""; }
