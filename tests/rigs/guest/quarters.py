"""quarters.py PICTURE.png: whether the middles of the four quarters have the colours of the gamescope double's pattern,
within 3 of 255 in each channel. Reads 8-bit RGB or RGBA without interlacing."""
import struct, sys, zlib

data = open(sys.argv[1], "rb").read()
assert data[:8] == b"\x89PNG\r\n\x1a\n"
at, packed = 8, b""
while at < len(data):
    length, kind = struct.unpack(">I4s", data[at:at + 8])
    body = data[at + 8:at + 8 + length]
    if kind == b"IHDR":
        width, height, depth, colour = struct.unpack(">IIBB", body[:10])
    elif kind == b"IDAT":
        packed += body
    at += 12 + length
assert depth == 8 and colour in (2, 6), (depth, colour)
n = 3 if colour == 2 else 4
raw, line, above, rows = zlib.decompress(packed), width * n, bytes(width * n), {}
wanted = {height // 8, height - height // 8}
for y in range(height):
    kind, row = raw[y * (line + 1)], bytearray(raw[y * (line + 1) + 1:(y + 1) * (line + 1)])
    if kind:
        for x in range(line):
            a, b, c = row[x - n] if x >= n else 0, above[x], above[x - n] if x >= n else 0
            p = a + b - c
            paeth = min((abs(p - a), 0, a), (abs(p - b), 1, b), (abs(p - c), 2, c))[2]
            row[x] = row[x] + (a, b, (a + b) // 2, paeth)[kind - 1] & 255
    above = bytes(row)
    if y in wanted:
        rows[y] = above
top, bottom = (rows[y] for y in sorted(wanted))
worst = 0
for row, fraction, colour in ((top, 1, (200, 40, 40)), (top, 3, (40, 200, 40)), (bottom, 1, (40, 40, 200)), (bottom, 3, (128, 128, 128))):
    x = width * fraction // 4 * n
    seen = tuple(row[x:x + 3])
    worst = max(worst, *(abs(s - c) for s, c in zip(seen, colour)))
    if worst > 3:
        sys.exit(f"{seen} where {colour} is shown")
print(f"{width}x{height}, off by {worst} at most")
