#!/usr/bin/python3
"""Virtual pads as a program sees them. pads.py COMMAND...
  nodes OWNER PAD            every node of pad PAD of user OWNER (uid): "event NAME PATH", "js - PATH", "hidraw - PATH"
  wait SECONDS OWNER PAD N   until it has N event nodes with their rights set; prints them as nodes does
  gone SECONDS OWNER PAD     until it has none
  read PATH SECONDS TYPE CODE MIN MAX   until an event of that type and code has a value between MIN and MAX
  rumble PATH STRONG WEAK MS HOLD       upload a rumble effect, play it, keep it for HOLD seconds
  write PATH HEX             write a report
"""
import fcntl, glob, os, select, struct, sys, time

EVENT = struct.Struct("llHHi")


def text(path):
    try:
        return open(path).read().strip()
    except OSError:
        return ""


def nodes(owner, pad):
    found = []
    for d in sorted(glob.glob("/sys/class/input/event*") + glob.glob("/sys/class/input/js*")):
        name = text(d + "/device/name")
        # Pads of uhid say in their parent's HID_PHYS whose they are, those of uinput at the end of their name.
        above = text(d + "/device/device/uevent").splitlines()
        tag = next((line[9:] for line in above if line.startswith("HID_PHYS=")), "") or name.rpartition("(")[2].rstrip(")")
        phys = tag.split("/")
        if phys[:2] == ["punktfunk", owner] and phys[3:] == [pad]:
            kind = "event" if "/event" in d else "js"
            found.append((kind, name.replace(" ", "_") if kind == "event" else "-", "/dev/input/" + os.path.basename(d)))
    for d in sorted(glob.glob("/sys/class/hidraw/hidraw*")):
        for line in text(d + "/device/uevent").splitlines():
            phys = line.removeprefix("HID_PHYS=").split("/")
            if line.startswith("HID_PHYS=punktfunk/") and phys[1] == owner and phys[3:] == [pad]:
                found.append(("hidraw", "-", "/dev/" + os.path.basename(d)))
    return found


def until(seconds, what):
    end = time.monotonic() + float(seconds)
    while time.monotonic() < end:
        result = what()
        if result is not None:
            return result
        time.sleep(0.1)
    return None


def mine(path, owner):
    try:
        s = os.stat(path)
    except OSError:
        return False
    return s.st_uid == int(owner) and s.st_mode & 0o777 == 0o600


def main(command, *a):
    if command == "nodes":
        for n in nodes(*a):
            print(*n)
    elif command == "wait":
        seconds, owner, pad, count = a
        last = []

        def ready():
            last[:] = nodes(owner, pad)
            events = [n for n in last if n[0] == "event"]
            return True if len(events) >= int(count) and all(mine(n[2], owner) for n in last) else None

        ok = until(seconds, ready)
        for n in last:
            s = os.stat(n[2]) if os.path.exists(n[2]) else None
            print(*n, *([] if ok or not s else ["uid", s.st_uid, "mode", oct(s.st_mode & 0o777)]))
        return 0 if ok else 1
    elif command == "gone":
        seconds, owner, pad = a
        left = []

        def none():
            left[:] = nodes(owner, pad)
            return None if left else True

        if not until(seconds, none):
            print("still there:", left)
            return 1
    elif command == "read":
        path, seconds, kind, code, low, high = a
        fd = os.open(path, os.O_RDONLY)
        end, seen = time.monotonic() + float(seconds), []
        while time.monotonic() < end:
            if not select.select([fd], [], [], 0.2)[0]:
                continue
            data = os.read(fd, EVENT.size * 64)
            for _, _, t, c, v in EVENT.iter_unpack(data):
                seen.append((t, c, v))
                if (t, c) == (int(kind), int(code, 0)) and int(low) <= v <= int(high):
                    print("read", t, c, v)
                    return 0
        print("not read; seen:", seen[-20:])
        return 1
    elif command == "rumble":
        path, strong, weak, ms, hold = a
        fd = os.open(path, os.O_RDWR)
        # struct ff_effect: type, id, direction, trigger, replay, padding, then the strengths; 48 bytes on 64 bit
        effect = bytearray(48)
        struct.pack_into("<HhHHHHH", effect, 0, 0x50, -1, 0, 0, 0, int(ms), 0)
        struct.pack_into("<HH", effect, 16, int(strong), int(weak))
        fcntl.ioctl(fd, 0x40304580, effect)  # EVIOCSFF
        slot = struct.unpack_from("<h", effect, 2)[0]
        os.write(fd, EVENT.pack(0, 0, 0x15, slot, 1))
        time.sleep(float(hold))
    elif command == "write":
        path, report = a
        os.write(os.open(path, os.O_RDWR), bytes.fromhex(report))
    else:
        print(__doc__)
        return 2
    return 0


sys.exit(main(*sys.argv[1:]))
