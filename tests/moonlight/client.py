"""A stranger's client: pairs and streams with Moonlight's own library, does the steps that it is told, and prints one line of JSON.

    client.py pair   --port P --identity DIR --pin PIN
    client.py stream --port P --identity DIR [--codec h264] [--mode 640x360x30] [--channels 2] [--steps 'frames 60; idr'] ...

Steps, separated by ";":
    frames N, sound N        wait for so many more
    idr, key-frame           ask for a key frame and wait for it; only wait for one
    input                    every kind of input once
    loss PERMILLE, dark, light, hole BYTES
                             the network, by nftables: lose a share of all datagrams, all, none, the next bytes of the picture
    seconds N                do nothing
    end                      wait until the host ends it
    leave                    die without a word
"""
import argparse
import json
import os
import secrets
import subprocess
import sys
import time

import av
import numpy
from moonlight_python.audio_decoder import build_opus_head
from moonlight_python.discovery import connect_to_server, discover_servers
from moonlight_python.http_client import NvHTTP
from moonlight_python.identity import Identity
from moonlight_python.pairing import pair

import library


def network(*rules):
    """From now on, of what arrives for these ports, what each rule names is dropped."""
    subprocess.run(["nft", "flush", "chain", "inet", "moonlight", "arriving"], check=True)
    for rule in rules:
        subprocess.run(["nft", "add", "rule", "inet", "moonlight", "arriving", *rule.split()], check=True)


def every_input(connection):
    """One of each kind; the numbers are read back from the agent."""
    press, release, down, up = b"\x07", b"\x08", b"\x03", b"\x04"
    a = 0x8041 - 0x10000
    connection.call("LiSendKeyboardEvent2", a, down, b"\x01", b"\0")
    connection.call("LiSendKeyboardEvent2", a, up, b"\x01", b"\0")
    connection.call("LiSendUtf8TextEvent", "é€".encode(), 5)
    connection.call("LiSendMousePositionEvent", 100, 50, 640, 360)
    connection.call("LiSendMouseMoveEvent", 7, -3)
    connection.call("LiSendMouseButtonEvent", press, 1)
    connection.call("LiSendMouseButtonEvent", release, 1)
    connection.call("LiSendHighResScrollEvent", 120)
    connection.call("LiSendHighResHScrollEvent", -60)
    connection.call("LiSendTouchEvent", 1, 9, 0.25, 0.5, 1.0, 0.0, 0.0, 0xFFFF)
    connection.call("LiSendPenEvent", 1, 1, 0, 0.75, 0.5, 0.5, 0.0, 0.0, 90, 30)


def step(connection, words, options):
    verb, number = words[0], int(words[1]) if len(words) > 1 else 0
    if verb == "frames":
        goal = len(connection.frames) + number
        connection.wait(f"{number} more frames", lambda: len(connection.frames) >= goal)
    elif verb == "sound":
        goal = len(connection.sound) + number
        connection.wait(f"{number} more packets of sound", lambda: len(connection.sound) >= goal)
    elif verb in ("idr", "key-frame"):
        had = len(connection.key_frames())
        if verb == "idr":
            connection.request_idr()
        connection.wait("a key frame", lambda: len(connection.key_frames()) > had)
    elif verb == "loss":
        chance = f"numgen random mod 1000 < {number} drop"
        network(f"udp sport {options.media} {chance}", f"udp dport {options.media} {chance}")
    elif verb == "dark":
        network(f"udp sport {options.media} drop", f"udp dport {options.media} drop")
    elif verb == "light":
        network()
    elif verb == "hole":
        network(f"udp sport {options.port + 9} quota until {number} bytes drop")
    elif verb == "seconds":
        time.sleep(number)
    elif verb == "input":
        every_input(connection)
    elif verb == "end":
        connection.wait("the host's end of it", lambda: connection.is_terminated)
    elif verb == "leave":
        os._exit(9)
    else:
        sys.exit(f"no step {verb!r}")


def stream(options, identity, http, info):
    app = next(app for app in http.get_app_list() if app.name == options.app)
    width, height, fps = map(int, options.mode.split("x"))
    settings = dict(width=width, height=height, fps=fps, kbps=options.kbps, channels=options.channels, encryption=options.encryption)
    key, iv = secrets.token_bytes(16), secrets.token_bytes(4) + bytes(12)
    connection = library.Connection(options)
    query, surround = connection.get_launch_query_params(), library.surround_info(options.channels)
    if options.codec in ("hevc10", "av1-10"):
        query += "&hdrMode=1&clientHdrCapVersion=0&clientHdrCapSupportedFlagsInUint32=0&clientHdrCapDisplayData=0x0x0x0x0x0x0x0x0x0x0"
    if options.resume:
        url = http.resume_app(key, iv, surround, query)
    else:
        url = http.launch_app(app.id, width, height, fps, options.kbps, library.FORMATS[options.codec], key, iv, surround,
                              launch_query_params=query)
    report = dict(fault=None, steps=0)
    try:
        connection.open(options.host, info, url, settings, key, iv)
        connection.wait("the first frame", lambda: connection.frames)
        for words in map(str.split, filter(str.strip, options.steps.split(";"))):
            step(connection, words, options)
            report["steps"] += 1
            print("did", *words, file=sys.stderr, flush=True)
    except Exception as error:
        report["fault"] = str(error)
    ended, hdr = connection.is_terminated, connection.hdr()
    connection.stop()
    if options.quit:
        http.quit_app()
    numbers = [number for number, *_ in connection.frames]
    report.update(
        negotiated=connection.negotiated, frames=len(numbers), pictures=sum(frame[3] for frame in connection.frames),
        size=[connection.picture.width, connection.picture.height] if connection.picture else None,
        undecodable=connection.undecodable[:5], first=numbers[:1], last=numbers[-1:],
        gaps=[[a, b] for a, b in zip(numbers, numbers[1:]) if b != a + 1], key_frames=connection.key_frames(),
        sound=len(connection.sound), sound_lost=connection.audio_loss_stats["lost"],
        channels=connection.opus_config.channel_count if connection.opus_config else None,
        loudest=loudest(connection) if connection.sound else [],
        pixels=connection.picture.format.name if connection.picture else None, hdr=hdr, ended=ended,
        error=connection.termination_error, statuses=connection.statuses, features=connection._lib.LiGetHostFeatureFlags())
    return report


def loudest(connection):
    """The highest sample of each channel, 0 to 1, after a foreign decoder."""
    opus, highest = connection.opus_config, numpy.zeros(connection.opus_config.channel_count, int)
    # Not FFmpeg's own decoder, which Debian 12's binding to Python crashes at eight channels.
    decoder = av.CodecContext.create("libopus", "r")
    decoder.extradata = build_opus_head(opus.sample_rate, opus.channel_count, opus.streams, opus.coupled_streams, opus.mapping)
    for packet in connection.sound:
        for samples in decoder.decode(av.Packet(packet.opus_data)):
            highest = numpy.maximum(highest, abs(samples.to_ndarray().reshape(-1, opus.channel_count).astype(int)).max(axis=0))
    return [round(peak / 32768, 3) for peak in highest.tolist()]


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("verb", choices=["pair", "stream", "info", "discover"])
    arguments.add_argument("--host", default="127.0.0.1")
    arguments.add_argument("--port", type=int, default=47989)
    arguments.add_argument("--identity", required=True)
    arguments.add_argument("--pin")
    arguments.add_argument("--app", default="Desktop")
    arguments.add_argument("--codec", default="h264", choices=list(library.FORMATS))
    arguments.add_argument("--mode", default="640x360x30")
    arguments.add_argument("--kbps", type=int, default=8000)
    arguments.add_argument("--channels", type=int, default=2, choices=list(library.SOUND))
    arguments.add_argument("--encryption", type=int, default=-1)
    arguments.add_argument("--slices", type=int, default=0, help="a decoder that takes so many slices at a time")
    arguments.add_argument("--invalidation", action="store_true")
    arguments.add_argument("--resume", action="store_true")
    arguments.add_argument("--quit", action="store_true")
    arguments.add_argument("--steps", default="frames 30")
    arguments.add_argument("--blind", action="store_true", help="decode no pictures")
    arguments.add_argument("--log", action="store_true", help="print what the library says")
    options = arguments.parse_args()
    options.media = f"{options.port + 9}-{options.port + 11}"
    identity = Identity(options.identity)
    if options.verb == "discover":
        print(json.dumps([server.hostname for server in discover_servers(identity, 2.0)]))
        return
    # What the package would keep of a host itself: its certificate, from pairing on.
    pinned = os.path.join(options.identity, f"host-{options.port}.pem")
    server = connect_to_server(options.host, identity, options.port)
    http = NvHTTP(options.host, identity, http_port=options.port, https_port=server.https_port)
    if options.verb == "pair":
        certificate = pair(http, identity, options.pin, server)
        with open(pinned, "wb") as file:
            file.write(certificate)
        print(json.dumps(dict(paired=True)))
        return
    if os.path.exists(pinned):
        http.server_cert_pem = open(pinned, "rb").read()
    info = http.parse_server_info(http.get_server_info(use_https=True))
    if options.verb == "info":
        print(json.dumps(dict(state=info.state, game=info.current_game, codecs=info.server_codec_mode_support, paired=info.paired)))
        return
    print(json.dumps(stream(options, identity, http, info)))


main()
