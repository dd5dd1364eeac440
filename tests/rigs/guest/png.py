# png.py FILE placeholder: whether a picture is the agent's placeholder: dark all around, and light letters across its middle only.
import struct, sys, zlib

def read(path):
    data, at, pixels = open(path, "rb").read(), 8, b""
    while at < len(data):
        length, kind = struct.unpack(">I4s", data[at:at + 8])
        body = data[at + 8:at + 8 + length]
        if kind == b"IHDR":
            width, height, depth, colour = struct.unpack(">IIBB", body[:10])
            assert depth == 8 and colour in (2, 6), (depth, colour)
        if kind == b"IDAT":
            pixels += body
        at += 12 + length
    step = {2: 3, 6: 4}[colour]
    raw, line, rows, old = zlib.decompress(pixels), width * step, [], bytearray(width * step)
    for y in range(height):
        kind, row = raw[y * (line + 1)], bytearray(raw[y * (line + 1) + 1:(y + 1) * (line + 1)])
        for x in range(line):
            left = row[x - step] if x >= step else 0
            up, corner = old[x], old[x - step] if x >= step else 0
            if kind == 1: row[x] = row[x] + left & 255
            elif kind == 2: row[x] = row[x] + up & 255
            elif kind == 3: row[x] = row[x] + (left + up) // 2 & 255
            elif kind == 4:
                guess = left + up - corner
                near = min((abs(guess - left), 0, left), (abs(guess - up), 1, up), (abs(guess - corner), 2, corner))
                row[x] = row[x] + near[2] & 255
        rows.append(row); old = row
    return width, height, step, rows

width, height, step, rows = read(sys.argv[1])
pixel = lambda x, y: tuple(rows[y][x * step:x * step + 3])
ground = (28, 32, 40)
edges = [pixel(x, y) for y in (2, height // 4, height * 3 // 4, height - 3) for x in range(2, width - 2, 7)]
near = sum(all(abs(a - b) <= 6 for a, b in zip(p, ground)) for p in edges)
middle = [pixel(x, y) for y in range(height * 2 // 5, height * 3 // 5, 2) for x in range(0, width, 2)]
light = sum(min(p) > 180 for p in middle)
text = f"{near} of {len(edges)} pixels around are of the ground, {light} of {len(middle)} in the middle are light"
print(text)
sys.exit(not (near >= len(edges) * 0.97 and len(middle) * 0.02 < light < len(middle) * 0.4))
