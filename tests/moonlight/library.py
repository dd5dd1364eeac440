"""One connection of Moonlight's own library (moonlight-common-c), as it is packed for Python: nothing of it is replaced, only its callbacks
are listened to. One connection a process: the library keeps its state in globals."""
import ctypes
import threading
import time

import av
from moonlight_python import stream
from moonlight_python.config import StreamConfig, _surroundaudioinfo

# Of the library's public header, what the package itself does not call.
MORE = """
int LiSendMousePositionEvent(short x, short y, short width, short height);
int LiSendMouseButtonEvent(char action, int button);
int LiSendKeyboardEvent2(short code, char action, char modifiers, char flags);
int LiSendUtf8TextEvent(const char *text, unsigned int length);
int LiSendMultiControllerEvent(short number, short mask, int buttons, unsigned char left, unsigned char right,
    short lx, short ly, short rx, short ry);
int LiSendHighResScrollEvent(short amount);
int LiSendHighResHScrollEvent(short amount);
int LiSendTouchEvent(uint8_t type, uint32_t id, float x, float y, float pressure, float major, float minor, uint16_t rotation);
int LiSendPenEvent(uint8_t type, uint8_t tool, uint8_t buttons, float x, float y, float pressure, float major, float minor,
    uint16_t rotation, uint8_t tilt);
uint32_t LiGetHostFeatureFlags(void);
bool LiGetCurrentHostDisplayHdrMode(void);
bool LiGetHdrMetadata(uint16_t *words);
"""
SOUND = {2: 0x3, 6: 0x3F, 8: 0x63F}
CODECS = {0x1: "h264", 0x100: "hevc", 0x1000: "av1", 0x200: "hevc10", 0x2000: "av1-10"}
FORMATS = {name: number for number, name in CODECS.items()}
# FFmpeg's own decoder of AV1 needs a graphics card.
DECODERS = {"h264": "h264", "hevc": "hevc", "av1": "libdav1d", "hevc10": "hevc", "av1-10": "libdav1d"}
# What a client's decoder may say of itself: that it takes frames after an invalidation of references.
INVALIDATION = {"h264": 0x2, "hevc": 0x4, "av1": 0x40, "hevc10": 0x4, "av1-10": 0x40}
KEY_FRAME = 1


class Connection(stream.StreamingSession):
    """Counts and decodes what comes. All times are seconds since the object was made."""

    def __init__(self, options):
        super().__init__()
        self._ffi.cdef(MORE)
        self.codec, self.invalidation, self.log, self.blind = options.codec, options.invalidation, options.log, options.blind
        self.slices = options.slices
        self.began = time.monotonic()
        self.changed = threading.Condition()
        self.frames, self.undecodable, self.sound = [], [], []
        self.decoder = self.picture = self.negotiated = None
        self.statuses = []

    def now(self):
        return round(time.monotonic() - self.began, 3)

    def call(self, name, *arguments):
        """A call of the library by its name; its refusals are faults here."""
        result = getattr(self._lib, name)(*arguments)
        if isinstance(result, int) and result != 0:
            raise RuntimeError(f"{name} failed: {result}")

    def open(self, address, info, url, settings, key, iv):
        """Returns when the library calls the connection started."""
        stream.ENCFLG_ALL = settings["encryption"]
        config = StreamConfig(
            width=settings["width"], height=settings["height"], fps=settings["fps"], bitrate_kbps=settings["kbps"],
            audio_configuration=sound_configuration(settings["channels"]), supported_video_formats=FORMATS[self.codec])
        self.start(address, info.app_version, info.gfe_version, info.server_codec_mode_support, url, config, key, iv, capture_audio=True)
        threading.Thread(target=self._listen, daemon=True).start()

    def wait(self, what, condition, limit=30):
        """Until `condition()`; the connection's end or the limit is a fault."""
        with self.changed:
            self.changed.wait_for(lambda: condition() or self.is_terminated, limit)
            if not condition():
                ended = f"the connection ended ({self.termination_error:#x})" if self.is_terminated else f"not within {limit} s"
                raise RuntimeError(f"{what}: {ended}")

    def hdr(self):
        """Primaries and white (x, y in 1/50000), light in nits, as the host said; None without HDR."""
        words = self._ffi.new("uint16_t[13]")
        there = self._lib.LiGetCurrentHostDisplayHdrMode() and self._lib.LiGetHdrMetadata(words)
        return list(words) if there else None

    def key_frames(self):
        return [number for number, kind, *_ in self.frames if kind == KEY_FRAME]

    def _make_connection_callbacks(self):
        callbacks = super()._make_connection_callbacks()

        @self._ffi.callback("void(int)")
        def status(value):
            self.statuses.append((self.now(), value))

        self._callbacks.append(status)
        callbacks.connectionStatusUpdate = status
        if self.log:  # what the library says, on standard output: a callback of C's own printf, whose arguments cannot be known here
            printf = ctypes.cast(ctypes.CDLL(None).printf, ctypes.c_void_p).value
            callbacks.logMessage = self._ffi.cast("void(*)(const char *, ...)", printf)
        return callbacks

    def _make_video_callbacks(self):
        callbacks = self._ffi.new("DECODER_RENDERER_CALLBACKS*")
        self._lib.LiInitializeVideoCallbacks(callbacks)

        @self._ffi.callback("int(int, int, int, int, void*, int)")
        def setup(video_format, width, height, rate, _context, _flags):
            self.negotiated = (CODECS.get(video_format, hex(video_format)), width, height, rate)
            return 0

        @self._ffi.callback("int(DECODE_UNIT*)")
        def submit(unit):
            data, entry = bytearray(), unit.bufferList
            while entry != self._ffi.NULL:
                data += self._ffi.buffer(entry.data, entry.length)
                entry = entry.next
            return self._decode(unit.frameNumber, unit.frameType, bytes(data))

        self._callbacks += [setup, submit]
        callbacks.setup = self._ffi.cast("void*", setup)
        callbacks.submitDecodeUnit = self._ffi.cast("void*", submit)
        # The upper eight bits tell how many slices the decoder takes at a time.
        callbacks.capabilities = (INVALIDATION[self.codec] if self.invalidation else 0) | self.slices << 24
        return callbacks

    def _decode(self, number, kind, data):
        pictures, well = 0, True
        if self.decoder is None and not self.blind:
            self.decoder = av.CodecContext.create(DECODERS[self.negotiated[0]], "r")
            self.decoder.thread_count = 1
        try:
            for picture in self.decoder.decode(av.Packet(data)) if self.decoder else ():
                pictures, self.picture = pictures + 1, picture
        except Exception as error:  # whatever the decoder dislikes
            self.undecodable.append((number, str(error)))
            well = False
        with self.changed:
            self.frames.append((number, kind, len(data), pictures, self.now()))
            self.changed.notify_all()
        return 0 if well else -1

    def _listen(self):
        while not self.is_terminated:
            packet = self.pull_audio_packet(0.2)
            with self.changed:
                if packet is not None:
                    self.sound.append(packet)
                self.changed.notify_all()


def sound_configuration(channels):
    return SOUND[channels] << 16 | channels << 8 | 0xCA


def surround_info(channels):
    return _surroundaudioinfo(sound_configuration(channels))
