"""notes.py CHANNELS SECONDS FILE: a WAV with another note in each channel (440 Hz, 660 Hz, ...), in the places that
GameStream gives them: FL FR C LFE RL RR SL SR."""
import math, struct, sys

channels, seconds, path = int(sys.argv[1]), float(sys.argv[2]), sys.argv[3]
mask = {2: 0x3, 6: 0x3F, 8: 0x63F}[channels]
rate = 48000
# The file's order is that of the mask's bits: FL FR FC LFE BL BR, then SL SR. The same as GameStream's.
notes = [440 + 220 * channel for channel in range(channels)]
# Every note repeats in a twentieth of a second.
period = b"".join(
    struct.pack("<h", int(6000 * math.sin(math.tau * note * sample / rate)))
    for sample in range(rate // 20)
    for note in notes
)
data = period * int(seconds * 20)
guid = bytes.fromhex("0100000000001000800000aa00389b71")
form = struct.pack("<HHIIHHHHI", 0xFFFE, channels, rate, rate * channels * 2, channels * 2, 16, 22, 16, mask) + guid
with open(path, "wb") as out:
    out.write(b"RIFF" + struct.pack("<I", 36 + len(form) - 16 + len(data)) + b"WAVE")
    out.write(b"fmt " + struct.pack("<I", len(form)) + form + b"data" + struct.pack("<I", len(data)) + data)
