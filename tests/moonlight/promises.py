"""promises.py: what Moonlight's own library gets from this host. Prints "ok   PROMISE" or "FAIL PROMISE REASON" lines; exit 1 if any failed.

The environment names three hosts: SYNTHETIC_PORT, SYNTHETIC_BUS (the real agent with its test picture), NVENC_PORT, NVENC_BUS (the same with the
simulated NVENC driver) and DOUBLE_PORT, DOUBLE_BUS, DOUBLE_LOG (the agent double that replays recordings, and prints what it is told);
PUNKTFUNKCTL is the tool, WORK a folder.
"""
import json
import os
import re
import subprocess
import sys
import time

HERE, WORK = os.path.dirname(os.path.abspath(__file__)), os.environ["WORK"]
# More than anything takes on a busy machine; a hang ends here.
LIMIT = 120
failures = 0


class Host:
    def __init__(self, name):
        self.port, self.bus = os.environ[name + "_PORT"], os.environ[name + "_BUS"]

    def tool(self, *arguments, **options):
        environment = dict(os.environ, DBUS_SYSTEM_BUS_ADDRESS=self.bus)
        return subprocess.Popen([os.environ["PUNKTFUNKCTL"], *arguments], env=environment, text=True, stdout=subprocess.PIPE,
                                stderr=subprocess.STDOUT, **options)

    def ask(self, *arguments):
        output, _ = self.tool(*arguments).communicate(timeout=LIMIT)
        return output

    def client(self, verb, name, *arguments):
        return subprocess.Popen([sys.executable, os.path.join(HERE, "client.py"), verb, "--port", self.port, "--identity", os.path.join(WORK, name),
                                 *map(str, arguments)], text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def pair(self, name, pin, typed=None):
        """The client shows `pin`; on the host somebody types `typed`. Returns what the client printed."""
        host = self.tool("pair", "--pin", typed or pin, "--name", name, "--wait", "60")
        for line in host.stdout:
            if line.startswith("Pairing is open"):
                break
        client = self.client("pair", name, "--pin", pin)
        output, errors = client.communicate(timeout=LIMIT)
        host.communicate(timeout=LIMIT)
        return output or errors.strip().splitlines()[-1]

    def stream(self, name, steps, *arguments):
        return report(self.client("stream", name, "--steps", steps, *arguments))


def report(client):
    output, errors = client.communicate(timeout=LIMIT)
    lines = [line for line in output.splitlines() if line.startswith("{")]
    if not lines:
        return dict(fault="it said nothing: " + " / ".join(errors.strip().splitlines()[-3:]))
    seen = json.loads(lines[-1])
    # With --log: what the library said of it.
    return dict(seen, library=[line for line in output.splitlines() if not line.startswith("{")])


def promise(text, holds, *seen):
    global failures
    if holds:
        print("ok  ", text, flush=True)
    else:
        failures += 1
        print("FAIL", text, *seen, flush=True)


def whole(seen):
    """A stream in which nothing went wrong and nothing is missing."""
    return seen["fault"] is None and not seen["gaps"] and not seen["undecodable"] and seen["frames"] == seen["pictures"] > 0


def came_back(seen):
    """A stream whose every gap ended in a picture that can be shown, and nothing undecodable was passed on."""
    return seen["fault"] is None and not seen["undecodable"] and seen["frames"] == seen["pictures"]


def told(log, since):
    """What the double printed since that many lines, without its streams' numbers."""
    with open(log) as file:
        return [line.strip() for line in file][since:]


def pairing(host):
    said = host.pair("one", "0420")
    promise("a stranger's client pairs by its PIN", said.strip() == '{"paired": true}', said)
    known, _ = host.client("discover", "one").communicate(timeout=LIMIT)
    promise("and finds the host by mDNS", len(json.loads(known or "[]")) >= 1, known)


def wrong_pin(host):
    """Last of its host: who guesses wrong waits before the next try."""
    said = host.pair("guesser", "1111", typed="2222")
    promise("a wrong PIN pairs nobody, and says so", "wrong" in said.lower(), said)


def again(host):
    said = host.pair("one", "0421")
    promise("the same client pairs with another host", said.strip() == '{"paired": true}', said)


def picture_and_sound(host):
    seen = host.stream("one", "frames 120; sound 200; idr; frames 30", "--mode", "1366x768x60", "--quit")
    promise("H.264 at 1366x768: every frame comes, in order, and decodes", whole(seen) and seen["size"] == [1366, 768], seen)
    promise("a key frame asked for comes", len(seen.get("key_frames", [])) == 2, seen)
    promise("stereo: no packet lost, and the tone is heard", seen.get("sound_lost") == 0 and min(seen["loudest"] or [0]) > 0.03, seen)
    seen = host.stream("one", "frames 30", "--mode", "1179x663x30", "--quit")
    promise("a phone's odd size: an even picture without the last row and column", whole(seen) and seen["size"] == [1178, 662], seen)
    for channels in (6, 8):
        seen = host.stream("one", "sound 200", "--channels", channels, "--quit")
        promise(f"{channels} channels of sound", whole(seen) and seen["channels"] == channels and len(seen["loudest"]) == channels
                and max(seen["loudest"]) > 0.03, seen)
    seen = host.stream("one", "frames 30; sound 50", "--encryption", 0, "--quit")
    promise("a client that wants no encryption on a home network gets none", whole(seen), seen)


def life(host):
    seen = host.stream("one", "frames 30")
    info = report(host.client("info", "one"))
    promise("a client that only goes away finds its stream again", whole(seen) and info["game"] != 0, seen, info)
    seen = host.stream("one", "frames 60; sound 50", "--resume", "--quit")
    info = report(host.client("info", "one"))
    promise("resumes it, and quits", whole(seen) and info["game"] == 0, seen, info)
    client = host.client("stream", "one", "--steps", "frames 30; end")
    for line in client.stderr:
        if line.startswith("did frames"):
            break
    stream = json.loads(host.ask("streams", "--json"))[0]["id"]
    said = host.ask("streams", "stop", stream)
    seen = report(client)
    promise("a stream that the host ends is called ended, not lost", seen["fault"] is None and seen["ended"] and seen["error"] == 0, said, seen)


def bad_network(host):
    seen = host.stream("one", "frames 30; loss 20; frames 300; light; frames 30", "--quit")
    # About one frame is expected to lose more than its parity; without parity every fifth would.
    promise("2 % of all packets lost: parity repairs nearly every frame", came_back(seen) and len(seen["gaps"]) <= 15, seen)
    seen = host.stream("one", "frames 30; loss 100; frames 200; light; frames 60", "--quit")
    promise("10 % of all packets lost: the stream goes on", came_back(seen), seen)
    seen = host.stream("one", "frames 30; dark; seconds 4; light; key-frame; frames 60; sound 50", "--quit")
    promise("4 s of darkness: the picture is back by a key frame, in the same connection", came_back(seen) and len(seen["gaps"]) >= 1, seen)


def several(host):
    for name in ("two", "three"):
        host.pair(name, "7531")
    steps = {"one": "frames 60; sound 50; frames 240", "two": "frames 60; leave", "three": "frames 60; idr; frames 240"}
    clients = {name: host.client("stream", name, "--steps", text) for name, text in steps.items()}
    seen = {name: report(client) for name, client in clients.items()}
    promise("three at once from one address, one dies: the others lose nothing", whole(seen["one"]) and whole(seen["three"]), seen)
    for name in steps:
        report(host.client("stream", name, "--steps", "frames 1", "--resume", "--quit"))


def codecs(host):
    for codec in ("h264", "hevc", "av1"):
        seen = host.stream("one", "frames 90; idr; frames 30", "--codec", codec, "--quit")
        promise(f"{codec} on another port: every frame comes, in order, and decodes", whole(seen) and seen["negotiated"][0] == codec
                and seen["size"] == [640, 360], seen)


def invalidation(host):
    """The double marks frames; what it replays refers to lost ones all the same, so that nothing is decoded."""
    for codec in ("h264", "hevc", "av1"):
        before = len(told(os.environ["DOUBLE_LOG"], 0))
        seen = host.stream("one", "frames 30; hole 15000; frames 60; light", "--codec", codec, "--invalidation", "--blind", "--log", "--quit")
        said = told(os.environ["DOUBLE_LOG"], before)
        promise(f"{codec}: references to lost frames are avoided when the library asks for that, and it goes on without a key frame", seen["fault"] is None
                and any("InvalidateRefs" in line for line in said) and len(seen["key_frames"]) == 1 and seen["gaps"], seen, said[-5:])


def nvenc(host):
    """Through the simulated driver: what is marked as free of lost references is so, and decodes."""
    seen = host.stream("one", "frames 30; hole 12000; frames 60; light", "--invalidation", "--quit")
    promise("NVENC: after a loss the stream goes on without a key frame, and every picture decodes", came_back(seen) and seen["gaps"]
            and len(seen["key_frames"]) == 1, seen)
    for codec, pixels in (("hevc10", "yuv420p10le"), ("av1-10", "yuv420p10le")):
        seen = host.stream("one", "frames 20; idr; frames 10", "--codec", codec, "--mode", "640x384x30", "--quit")
        promise(f"{codec}: HDR10 is announced with its light, and ten bits decode", whole(seen) and seen["negotiated"][0] == codec
                and seen["pixels"] == pixels and (seen["hdr"] or [0] * 9)[8] == 1000, seen)


def in_slices(host):
    """Slices on their way while their picture is encoded: the simulated driver keeps the last one of a picture back until the host's figures
    say that the others have left."""
    hold = os.path.join(WORK, "nvenc", "books", "hold")
    for codec in ("h264", "hevc"):
        client = host.client("stream", "one", "--codec", codec, "--slices", 4, "--kbps", 20000, "--mode", "1280x720x30", "--steps", "frames 30; frames 60", "--quit")
        for line in client.stderr:
            if line.startswith("did frames"):
                break
        open(hold, "w").close()
        left, patience = 0, time.monotonic() + LIMIT
        while not left and time.monotonic() < patience:
            left = sum(stream["statistics"]["frames_in_parts"] for stream in json.loads(host.ask("streams", "--json")))
        os.unlink(hold)
        seen = report(client)
        promise(f"{codec} in four slices, the first of which leave before the last one exists: every frame comes and decodes", whole(seen) and left, left, seen)
    seen = host.stream("one", "frames 30; loss 20; frames 200; light; frames 30", "--slices", 4, "--kbps", 20000, "--mode", "1280x720x30", "--quit")
    promise("2 % of all packets lost: the parity of each slice repairs nearly every frame", came_back(seen) and len(seen["gaps"]) <= 15, seen)


# The first three the library sends by itself.
INPUT = ["EnableHaptics { enabled: true }", "MouseRelative { dx: 1, dy: 1 }", "MouseRelative { dx: -1, dy: -1 }",
         "Key { down: true, code: 65, modifiers: 1, flags: 0 }", "Key { down: false, code: 65, modifiers: 1, flags: 0 }", "Text('é')", "Text('€')",
         "MouseAbsolute { x: 100, y: 50, ref_width: 639, ref_height: 359 }", "MouseRelative { dx: 7, dy: -3 }",
         "MouseButton { down: true, button: 1 }", "MouseButton { down: false, button: 1 }", "Scroll { amount: 120 }",
         "HorizontalScroll { amount: -60 }", r"Touch\(Touch {.*x: 0.25, y: 0.5,.*", r"Pen\(Pen {.*x: 0.75, y: 0.5,.*"]


def every_input(host):
    log = os.environ["DOUBLE_LOG"]
    before = len(told(log, 0))
    seen = host.stream("one", "frames 5; input; frames 20", "--quit")
    said = [line for line in told(log, before) if "Input(" in line]
    found = [line for line in said if any(re.search(text if "\\" in text else re.escape(text), line) for text in INPUT)]
    promise("keys, text, pointer, wheels, touch and pen arrive as they were sent, in order, and nothing else", seen["fault"] is None and len(found) == len(INPUT) == len(said)
            and all(re.search(text if "\\" in text else re.escape(text), line) for text, line in zip(INPUT, said)), seen["fault"], *said)


def main():
    synthetic, nvenc_host, double = Host("SYNTHETIC"), Host("NVENC"), Host("DOUBLE")
    chosen = sys.argv[1:]
    for act, host in ((pairing, synthetic), (picture_and_sound, synthetic), (life, synthetic), (several, synthetic), (bad_network, synthetic),
                      (wrong_pin, synthetic), (again, nvenc_host), (nvenc, nvenc_host), (in_slices, nvenc_host), (again, double), (codecs, double), (invalidation, double), (every_input, double)):
        if chosen and act not in (pairing, again) and act.__name__ not in chosen:
            continue
        began = time.monotonic()
        subprocess.run(["nft", "flush", "chain", "inet", "moonlight", "arriving"], check=True)
        try:
            act(host)
        except Exception as error:  # one act's fault leaves the others to be seen
            promise(f"{act.__name__} runs to its end", False, repr(error))
        print(f"{act.__name__}: {time.monotonic() - began:.1f} s", flush=True)
    sys.exit(1 if failures else 0)


main()
