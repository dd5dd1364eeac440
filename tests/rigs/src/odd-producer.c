/* odd-producer HOW: a PipeWire node "odd" of 640x360 whose buffers are as a compositor's can be, good and bad. Runs until killed.
 *   gpu         offers GPU memory of two layouts (LINEAR, and one that no consumer of ours imports first), left open and fixated by it
 *               as compositors do, and shared memory. "GPU memory" are memfds declared as DMA-BUFs: the negotiation is what is tested
 *   gpu-only    the same without shared memory
 *   cursor      a still picture and, between its rare repetitions, a pointer that moves over it in metadata and then is hidden
 *   truncate    every second buffer's memory is cut off after it was handed over to PipeWire, before the consumer is told
 *   wrong       of five pictures four have a stride, an offset, a size or a flag that makes no sense
 *   still       90 pictures, marked as damaged every tenth time only
 * A picture is grey 40 with a bar of 220 that moves by 8 pixels each time; its lines are padded by 64 bytes. 240 pictures a second. */
#define _GNU_SOURCE
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <spa/param/video/format-utils.h>
#include <pipewire/pipewire.h>
enum { W = 640, H = 360, STRIDE = W * 4 + 64, SIZE = STRIDE * H };
static const int64_t TILED = 0x0100000000000002, LINEAR = 0;
static struct { struct pw_main_loop *loop; struct pw_stream *st; const char *how; int streaming, gpu; uint64_t n; } d;
static int is(const char *how) { return !strcmp(d.how, how); }
/* modifier: -1 none, -2 both and open, else this one */
static const struct spa_pod *fmt(struct spa_pod_builder *b, int64_t modifier) {
  struct spa_pod_frame f[2]; spa_pod_builder_push_object(b, &f[0], SPA_TYPE_OBJECT_Format, SPA_PARAM_EnumFormat);
  spa_pod_builder_add(b, SPA_FORMAT_mediaType, SPA_POD_Id(SPA_MEDIA_TYPE_video), SPA_FORMAT_mediaSubtype, SPA_POD_Id(SPA_MEDIA_SUBTYPE_raw),
    SPA_FORMAT_VIDEO_format, SPA_POD_Id(SPA_VIDEO_FORMAT_BGRx), 0);
  if (modifier == -2) { spa_pod_builder_prop(b, SPA_FORMAT_VIDEO_modifier, SPA_POD_PROP_FLAG_MANDATORY | SPA_POD_PROP_FLAG_DONT_FIXATE);
    spa_pod_builder_push_choice(b, &f[1], SPA_CHOICE_Enum, 0); spa_pod_builder_long(b, TILED); spa_pod_builder_long(b, TILED); spa_pod_builder_long(b, LINEAR); spa_pod_builder_pop(b, &f[1]);
  } else if (modifier != -1) { spa_pod_builder_prop(b, SPA_FORMAT_VIDEO_modifier, SPA_POD_PROP_FLAG_MANDATORY); spa_pod_builder_long(b, modifier); }
  spa_pod_builder_add(b, SPA_FORMAT_VIDEO_size, SPA_POD_Rectangle(&SPA_RECTANGLE(W, H)), SPA_FORMAT_VIDEO_framerate, SPA_POD_Fraction(&SPA_FRACTION(0, 1)),
    SPA_FORMAT_VIDEO_maxFramerate, SPA_POD_CHOICE_RANGE_Fraction(&SPA_FRACTION(60, 1), &SPA_FRACTION(1, 1), &SPA_FRACTION(240, 1)), 0);
  return spa_pod_builder_pop(b, &f[0]); }
static int offers(struct spa_pod_builder *b, const struct spa_pod **ps, int64_t fixed) { int n = 0;
  if (fixed != -1) ps[n++] = fmt(b, fixed); if (!strncmp(d.how, "gpu", 3)) ps[n++] = fmt(b, -2); if (!is("gpu-only")) ps[n++] = fmt(b, -1); return n; }
static void param(void *u, uint32_t id, const struct spa_pod *p) {
  struct spa_video_info_raw f; const struct spa_pod_prop *m; uint8_t mem[4096]; struct spa_pod_builder b = SPA_POD_BUILDER_INIT(mem, sizeof mem); const struct spa_pod *ps[4];
  if (!p || id != SPA_PARAM_Format || spa_format_video_raw_parse(p, &f) < 0) return;
  m = spa_pod_find_prop(p, NULL, SPA_FORMAT_VIDEO_modifier); d.gpu = m != NULL;
  if (m && (m->flags & SPA_POD_PROP_FLAG_DONT_FIXATE)) { /* the first of what is left that can be allocated here: all of them */
    const int64_t *v = SPA_POD_BODY(SPA_POD_CHOICE_CHILD(&m->value)); fprintf(stderr, "fixated %llx\n", (long long)v[0]);
    int64_t one = v[0]; int n = offers(&b, ps, one); pw_stream_update_params(d.st, ps, n); return; }
  ps[0] = spa_pod_builder_add_object(&b, SPA_TYPE_OBJECT_ParamBuffers, SPA_PARAM_Buffers, SPA_PARAM_BUFFERS_buffers, SPA_POD_CHOICE_RANGE_Int(6, 2, 8), SPA_PARAM_BUFFERS_blocks, SPA_POD_Int(1),
    SPA_PARAM_BUFFERS_size, SPA_POD_Int(SIZE), SPA_PARAM_BUFFERS_stride, SPA_POD_Int(STRIDE), SPA_PARAM_BUFFERS_dataType, SPA_POD_CHOICE_FLAGS_Int(1 << (d.gpu ? SPA_DATA_DmaBuf : SPA_DATA_MemFd)));
  ps[1] = spa_pod_builder_add_object(&b, SPA_TYPE_OBJECT_ParamMeta, SPA_PARAM_Meta, SPA_PARAM_META_type, SPA_POD_Id(SPA_META_Header), SPA_PARAM_META_size, SPA_POD_Int(sizeof(struct spa_meta_header)));
  ps[2] = spa_pod_builder_add_object(&b, SPA_TYPE_OBJECT_ParamMeta, SPA_PARAM_Meta, SPA_PARAM_META_type, SPA_POD_Id(SPA_META_VideoDamage), SPA_PARAM_META_size, SPA_POD_CHOICE_RANGE_Int(64, 16, 256));
  ps[3] = spa_pod_builder_add_object(&b, SPA_TYPE_OBJECT_ParamMeta, SPA_PARAM_Meta, SPA_PARAM_META_type, SPA_POD_Id(SPA_META_Cursor), SPA_PARAM_META_size, SPA_POD_Int(48 + 16 * 16 * 4));
  pw_stream_update_params(d.st, ps, is("cursor") ? 4 : is("still") ? 3 : 2); fprintf(stderr, "format %s\n", d.gpu ? "gpu" : "shared"); }
static void add(void *u, struct pw_buffer *b) { struct spa_data *s = &b->buffer->datas[0]; int fd = memfd_create("odd-producer", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  if (fd < 0 || ftruncate(fd, SIZE)) exit(1); s->type = d.gpu ? SPA_DATA_DmaBuf : SPA_DATA_MemFd; s->flags = SPA_DATA_FLAG_READWRITE; s->fd = fd; s->mapoffset = 0; s->maxsize = SIZE; s->data = NULL; }
static void rem(void *u, struct pw_buffer *b) { close(b->buffer->datas[0].fd); }
static void paint(int fd, uint64_t n) { static uint8_t line[STRIDE], all[SIZE]; unsigned bar = n * 8 % W, l = W - bar < 32 ? W - bar : 32; memset(line, 40, STRIDE); memset(line + bar * 4, 220, l * 4);
  for (int y = 0; y < H; y++) memcpy(all + y * STRIDE, line, STRIDE); if (pwrite(fd, all, SIZE, 0) != SIZE) exit(1); }
static void pointer(struct spa_meta *m, uint64_t n) { struct spa_meta_cursor *c = m->data; struct spa_meta_bitmap *i = SPA_PTROFF(c, sizeof *c, void); memset(c, 0, sizeof *c);
  if (n >= 120) return; c->id = 1; c->position = SPA_POINT(20 + n, 100); c->hotspot = SPA_POINT(4, 4); c->bitmap_offset = n ? 0 : sizeof *c;
  i->format = SPA_VIDEO_FORMAT_RGBA; i->size = SPA_RECTANGLE(16, 16); i->stride = 64; i->offset = sizeof *i;
  for (int p = 0; p < 256; p++) memcpy((uint8_t *)(i + 1) + p * 4, "\xff\x00\x00\xff", 4); }
static void process(void *u) {
  struct pw_buffer *b = pw_stream_dequeue_buffer(d.st); if (!b) return; struct spa_data *s = &b->buffer->datas[0]; uint64_t n = d.n++;
  struct spa_meta_header *h = spa_buffer_find_meta_data(b->buffer, SPA_META_Header, sizeof *h); if (h) memset(h, 0, sizeof *h), h->pts = -1, h->seq = n;
  if (ftruncate(s->fd, SIZE)) exit(1);
  s->chunk->offset = 0; s->chunk->stride = STRIDE; s->chunk->size = SIZE; s->chunk->flags = 0;
  if (is("cursor")) { struct spa_meta *m = spa_buffer_find_meta(b->buffer, SPA_META_Cursor); if (m) pointer(m, n); if (n % 60) s->chunk->size = 0; else paint(s->fd, 0); }
  else paint(s->fd, is("still") ? n / 10 : n);
  if (is("still")) { struct spa_meta_region *r = spa_buffer_find_meta_data(b->buffer, SPA_META_VideoDamage, sizeof *r); if (r) r->region = n % 10 ? SPA_REGION(0, 0, 0, 0) : SPA_REGION(0, 0, W, H); }
  if (is("wrong")) switch (n % 5) { case 1: s->chunk->stride = W; break; case 2: s->chunk->offset = SIZE / 2; break; case 3: s->chunk->size = W; break; case 4: s->chunk->stride = -STRIDE; }
  if (is("truncate") && n % 2 && ftruncate(s->fd, SIZE / 2)) exit(1);
  pw_stream_queue_buffer(d.st, b); }
static void tick(void *u, uint64_t x) { if (d.streaming && !(is("still") && d.n >= 90)) pw_stream_trigger_process(d.st); }
static void state(void *u, enum pw_stream_state o, enum pw_stream_state s, const char *e) { d.streaming = s == PW_STREAM_STATE_STREAMING; if (s == PW_STREAM_STATE_PAUSED) d.n = 0; if (s == PW_STREAM_STATE_ERROR) fprintf(stderr, "error %s\n", e ? e : ""); }
static const struct pw_stream_events ev = { PW_VERSION_STREAM_EVENTS, .state_changed = state, .param_changed = param, .add_buffer = add, .remove_buffer = rem, .process = process };
static void quit(void *u, int s) { pw_main_loop_quit(d.loop); }
int main(int c, char **v) {
  d.how = c > 1 ? v[1] : "gpu"; pw_init(&c, &v); d.loop = pw_main_loop_new(NULL); struct pw_loop *l = pw_main_loop_get_loop(d.loop); pw_loop_add_signal(l, SIGTERM, quit, NULL);
  d.st = pw_stream_new_simple(l, "odd", pw_properties_new(PW_KEY_MEDIA_CLASS, "Video/Source", NULL), &ev, NULL); if (!d.st) return 1;
  uint8_t m[4096]; struct spa_pod_builder b = SPA_POD_BUILDER_INIT(m, sizeof m); const struct spa_pod *ps[4]; int n = offers(&b, ps, -1);
  if (pw_stream_connect(d.st, PW_DIRECTION_OUTPUT, PW_ID_ANY, PW_STREAM_FLAG_DRIVER | PW_STREAM_FLAG_ALLOC_BUFFERS, ps, n) < 0) return 1;
  struct spa_source *t = pw_loop_add_timer(l, tick, NULL); struct timespec i = { 0, 1000000000l / 240 }; pw_loop_update_timer(l, t, &i, &i, false);
  pw_main_loop_run(d.loop); pw_stream_destroy(d.st); return 0; }
