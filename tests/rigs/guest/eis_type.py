#!/usr/bin/python3
"""eis_type: an emulated-input sender over an EIS file descriptor, by ctypes on libei.so.1. type_keys(fd, [evdev codes])."""
import ctypes, os, select, time
ei = ctypes.CDLL("libei.so.1"); P = ctypes.c_void_p
for f in ("ei_new_sender", "ei_get_event", "ei_event_get_seat", "ei_event_get_device"): getattr(ei, f).restype = P
CAP = {"pointer": 1, "absolute": 2, "keyboard": 4, "touch": 8, "scroll": 16, "button": 32}
CONNECT, DISCONNECT, SEAT_ADDED, DEVICE_ADDED, DEVICE_RESUMED = 1, 2, 3, 5, 8
def type_keys(fd, keys, seconds=8):
    c = P(ei.ei_new_sender(None)); ei.ei_configure_name(c, b"rig")
    if ei.ei_setup_backend_fd(c, fd) != 0: raise SystemExit("ei_setup_backend_fd failed")
    efd = ei.ei_get_fd(c); end = time.time() + seconds; sent, seen = False, []
    while time.time() < end and not sent:
        select.select([efd], [], [], .5); ei.ei_dispatch(c)
        while (e := ei.ei_get_event(c)):
            e = P(e); t = ei.ei_event_get_type(e); seen.append(t)
            if t == DISCONNECT: raise SystemExit("disconnected")
            if t == SEAT_ADDED: ei.ei_seat_bind_capabilities(P(ei.ei_event_get_seat(e)), *[ctypes.c_int(v) for v in CAP.values()], P(None))
            if t == DEVICE_RESUMED:
                d = P(ei.ei_event_get_device(e))
                if ei.ei_device_has_capability(d, CAP["keyboard"]) and not sent:
                    ei.ei_device_start_emulating(d, ctypes.c_uint32(1)); ei.ei_now.restype = ctypes.c_uint64; ei.ei_now.argtypes = [P]
                    time.sleep(.7)  # the seat gains its keyboard only now: a client needs a moment, or the first key arrives in `enter`
                    for k in keys:
                        for on in (True, False):
                            ei.ei_device_keyboard_key(d, ctypes.c_uint32(k), ctypes.c_bool(on)); ei.ei_device_frame(d, ctypes.c_uint64(ei.ei_now(c))); ei.ei_dispatch(c); time.sleep(.02)
                    ei.ei_device_stop_emulating(d); ei.ei_dispatch(c); sent = True
            ei.ei_event_unref(e)
    time.sleep(.3); ei.ei_dispatch(c); return sent, seen
