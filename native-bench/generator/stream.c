// A stream's messages, both ways.
#include "stream.h"
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>
#include "../wire/websocket.h"
#include "message.h"
#include "upgrade.h"

// Of one message, half a second.
#define MESSAGE_FRAMES_MAX 25
#define MESSAGE_MAX 1024
#define FIRST_TIMESTAMP_MS 100
// Bytes after which a turn is full: the longest message still fits behind them.
#define TURN_FULL (UNSENT_MAX - MESSAGE_MAX)
// A chord that has come back is no frame that is out: a young one has come again, an old one is nobody's.
#define REPEATED_WITHIN 64
// Stands in for the time at which a frame was sent, once that is of no use any more.
#define RETURNED 0

// A mask need not be secret here, only a different one each time (xorshift).
static uint32_t next_mask(void) {
  static uint32_t state;
  if (state == 0 && getrandom(&state, sizeof state, 0) != sizeof state) state = 1;
  state ^= state << 13;
  state ^= state >> 17;
  state ^= state << 5;
  return state;
}

static void put_frame(struct stream *stream, enum opcode opcode, const uint8_t *body, size_t length) {
  uint8_t mask[4];
  const uint32_t bits = next_mask();
  memcpy(mask, &bits, sizeof mask);
  assert(stream->unsent_bytes + HEADER_MAX + length <= UNSENT_MAX);
  uint8_t *const to = stream->unsent + stream->unsent_bytes;
  const size_t header_bytes = write_header(to, opcode, length, mask);
  memcpy(to + header_bytes, body, length);
  apply_mask(to + header_bytes, length, mask);
  stream->unsent_bytes += header_bytes + length;
}

__attribute__((format(printf, 2, 3))) static void put_text(struct stream *stream, const char *format, ...) {
  char text[MESSAGE_MAX - HEADER_MAX];
  __builtin_va_list arguments;
  __builtin_va_start(arguments, format);
  const int length = vsnprintf(text, sizeof text, format, arguments);
  __builtin_va_end(arguments);
  assert(length < (int)sizeof text);
  put_frame(stream, OPCODE_TEXT, (const uint8_t *)text, (size_t)length);
}

static void put_beginning(struct stream *stream) {
  const struct target *const target = stream->target;
  put_text(stream, "{\"event\":\"connected\",\"protocol\":\"Call\",\"version\":\"1.0.0\"}");
  put_text(stream,
           "{\"event\":\"start\",\"sequenceNumber\":\"%u\",\"start\":{\"accountSid\":\"%s\",\"streamSid\":\"%s\","
           "\"callSid\":\"%s\",\"tracks\":[\"inbound\"],\"mediaFormat\":{\"encoding\":\"audio/x-mulaw\","
           "\"sampleRate\":8000,\"channels\":1},\"customParameters\":{}},\"streamSid\":\"%s\"}",
           ++stream->sequence, target->account_sid, stream->stream_sid, target->call_sid, stream->stream_sid);
}

static void put_mark(struct stream *stream, const uint8_t *name, size_t length) {
  put_text(stream, "{\"event\":\"mark\",\"sequenceNumber\":\"%u\",\"streamSid\":\"%s\",\"mark\":{\"name\":\"%.*s\"}}",
           ++stream->sequence, stream->stream_sid, (int)length, (const char *)name);
}

static void put_media(struct stream *stream) {
  const uint64_t number = stream->sent;
  put_text(stream,
           "{\"event\":\"media\",\"sequenceNumber\":\"%u\",\"media\":{\"track\":\"inbound\",\"chunk\":\"%llu\","
           "\"timestamp\":\"%llu\",\"payload\":\"%.*s\"},\"streamSid\":\"%s\"}",
           ++stream->sequence, (unsigned long long)number + 1,
           (unsigned long long)(FIRST_TIMESTAMP_MS + number * FRAME_MS), PAYLOAD_CHARACTERS,
           (const char *)frame_payload(&stream->walk, number), stream->stream_sid);
}

static void over(struct stream *stream, uint64_t *count) {
  close(stream->fd);
  stream->fd = -1;
  ++*count;
}

// What the socket doesn't take now waits for the stream's next turn.
static void flush(struct stream *stream, struct tally *tally) {
  const ssize_t taken = send(stream->fd, stream->unsent, stream->unsent_bytes, MSG_NOSIGNAL);
  if (taken < 0 && errno != EAGAIN && errno != EINTR) return over(stream, &tally->closed);
  if (taken <= 0) return;
  stream->unsent_bytes -= (size_t)taken;
  if (stream->unsent_bytes > 0) memmove(stream->unsent, stream->unsent + taken, stream->unsent_bytes);
}

const char *stream_open(struct stream *stream, const struct target *target, size_t number, enum marks marks) {
  const char *problem;
  stream->target = target;
  stream->marks = marks;
  stream->walk = walk_of((uint32_t)number);
  snprintf(stream->stream_sid, sizeof stream->stream_sid, "MZ%032zx", number);
  stream->fd = upgrade(target, &problem);
  if (problem != NULL) return problem;
  put_beginning(stream);
  const size_t length = stream->unsent_bytes;
  stream->unsent_bytes = 0;
  return send(stream->fd, stream->unsent, length, MSG_NOSIGNAL) == (ssize_t)length ? NULL : "its start was not taken";
}

void stream_send(struct stream *stream, struct tally *tally, uint64_t due_ns) {
  if (stream->fd < 0) return;
  if (stream->unsent_bytes > 0) {
    flush(stream, tally);
    if (stream->fd < 0) return;
    if (stream->unsent_bytes > 0) {
      tally->blocked++;
      return;
    }
  }
  const uint64_t now_ns = monotonic_ns();
  const struct waiting_mark *mark;
  while (stream->unsent_bytes < TURN_FULL && (mark = playback_due(&stream->playback, now_ns)) != NULL)
    put_mark(stream, (const uint8_t *)mark->name, mark->length);
  put_media(stream);
  const uint64_t sent_ns = wall_ns();
  stream->sent_ns[stream->sent++ % REMEMBERED_FRAMES] = sent_ns;
  if (is_measured(tally, sent_ns)) {
    tally->sent++;
    if (due_ns > 0) histogram_add(&tally->lateness, now_ns - due_ns);
  }
  flush(stream, tally);
}

// Which frame has come back, and when it was sent.
static void take_frame(struct stream *stream, struct tally *tally, const uint8_t *codes, uint64_t arrived_ns) {
  const int code = recognise(&stream->walk, codes);
  if (code < 0 || stream->sent == 0) {
    tally->wrong++;
    return;
  }
  const uint64_t newest = stream->sent - 1;
  const uint64_t age = (newest % CODES + CODES - (uint64_t)code) % CODES;
  uint64_t *const sent_ns = &stream->sent_ns[(newest - age) % REMEMBERED_FRAMES];
  if (age > newest || age >= REMEMBERED_FRAMES) {
    tally->foreign++;
    return;
  }
  if (*sent_ns == RETURNED) {
    ++*(age <= REPEATED_WITHIN ? &tally->repeated : &tally->foreign);
    return;
  }
  if (newest - age < stream->awaited)
    tally->overtaken++;
  else
    stream->awaited = newest - age + 1;
  if (is_measured(tally, *sent_ns)) {
    const uint64_t round_trip_ns = arrived_ns > *sent_ns ? arrived_ns - *sent_ns : 0;
    tally->returned++;
    histogram_add(&tally->round_trip, round_trip_ns);
    if (round_trip_ns > LATE_NS) tally->late++;
  }
  *sent_ns = RETURNED;
}

// A message is one frame, or a few that a server sends ahead of their time.
static void take_media(struct stream *stream, struct tally *tally, const struct message *message, uint64_t arrived_ns) {
  uint8_t codes[MESSAGE_FRAMES_MAX * FRAME_SAMPLES];
  const int bytes = base64_decode(message->text, message->length, codes, sizeof codes);
  if (bytes <= 0 || bytes % FRAME_SAMPLES != 0) {
    tally->wrong++;
    return;
  }
  for (int at = 0; at < bytes; at += FRAME_SAMPLES) take_frame(stream, tally, codes + at, arrived_ns);
}

static void take_text(struct stream *stream, struct tally *tally, const uint8_t *body, size_t length, uint64_t arrived_ns) {
  const uint64_t now_ns = monotonic_ns();
  const struct message message = read_message(body, length);
  switch (message.event) {
    case EVENT_MEDIA:
      take_media(stream, tally, &message, arrived_ns);
      playback_media(&stream->playback, now_ns, (unsigned)(message.length / 4 * 3 / (RATE_HZ / 1000)));
      return;
    case EVENT_MARK:
      tally->marks++;
      if (stream->marks == MARKS_AT_ONCE && stream->unsent_bytes == 0 && message.length <= MARK_CHARACTERS) {
        put_mark(stream, message.text, message.length);
        return flush(stream, tally);
      }
      if (!playback_mark(&stream->playback, now_ns, message.text, message.length)) tally->marks_unkept++;
      return;
    case EVENT_CLEAR:
      tally->clears++;
      return playback_clear(&stream->playback, now_ns);
    case EVENT_UNKNOWN:
      tally->unknown++;
  }
}

// Takes every whole frame that has come.
static void take_frames(struct stream *stream, struct tally *tally, uint64_t arrived_ns) {
  size_t at = 0;
  struct frame_header header;
  while (stream->fd >= 0) {
    const uint8_t *const start = stream->unread + at;
    const size_t left = stream->unread_bytes - at;
    const enum header_reading reading = read_header(start, left, &header);
    if (reading == HEADER_PARTIAL) break;
    const size_t whole = reading == HEADER_WHOLE ? header.header_bytes + header.body_bytes : UNREAD_MAX + 1;
    if (whole > UNREAD_MAX || !header.is_final || header.is_masked) return over(stream, &tally->broken);
    if (left < whole) break;
    const uint8_t *const body = start + header.header_bytes;
    if (header.opcode == OPCODE_CLOSE) return over(stream, &tally->closed);
    if (header.opcode == OPCODE_TEXT) take_text(stream, tally, body, header.body_bytes, arrived_ns);
    if (header.opcode == OPCODE_PING && header.body_bytes < 126 && stream->unsent_bytes == 0)
      put_frame(stream, OPCODE_PONG, body, header.body_bytes);
    at += whole;
  }
  stream->unread_bytes -= at;
  memmove(stream->unread, stream->unread + at, stream->unread_bytes);
}

// When the kernel received the last of what was read, by the wall clock.
static uint64_t arrival_ns(struct msghdr *read, struct tally *tally) {
  for (struct cmsghdr *control = CMSG_FIRSTHDR(read); control != NULL; control = CMSG_NXTHDR(read, control)) {
    if (control->cmsg_level != SOL_SOCKET || control->cmsg_type != SCM_TIMESTAMPNS) continue;
    struct timespec stamp;
    memcpy(&stamp, CMSG_DATA(control), sizeof stamp);
    tally->stamped++;
    return (uint64_t)stamp.tv_sec * NS_PER_S + (uint64_t)stamp.tv_nsec;
  }
  tally->unstamped++;
  return wall_ns();
}

void stream_read(struct stream *stream, struct tally *tally) {
  while (stream->fd >= 0) {
    char control[CMSG_SPACE(sizeof(struct timespec))];
    const size_t room = sizeof stream->unread - stream->unread_bytes;
    struct iovec into = {.iov_base = stream->unread + stream->unread_bytes, .iov_len = room};
    struct msghdr read = {
        .msg_iov = &into, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    const ssize_t got = recvmsg(stream->fd, &read, 0);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (got <= 0) return over(stream, &tally->closed);
    stream->unread_bytes += (size_t)got;
    take_frames(stream, tally, arrival_ns(&read, tally));
    // Less than there was room for: the socket is empty, and what comes from now on is told anew.
    if ((size_t)got < room) return;
  }
}

void stream_stop(struct stream *stream) {
  if (stream->fd < 0) return;
  if (stream->unsent_bytes == 0) {
    const struct target *const target = stream->target;
    put_text(stream,
             "{\"event\":\"stop\",\"sequenceNumber\":\"%u\",\"streamSid\":\"%s\",\"stop\":{\"accountSid\":\"%s\","
             "\"callSid\":\"%s\"}}",
             ++stream->sequence, stream->stream_sid, target->account_sid, target->call_sid);
    static const uint8_t NORMAL[] = {1000 >> 8, 1000 & 0xff};
    put_frame(stream, OPCODE_CLOSE, NORMAL, sizeof NORMAL);
    send(stream->fd, stream->unsent, stream->unsent_bytes, MSG_NOSIGNAL);
  }
  close(stream->fd);
  stream->fd = -1;
}

void stream_reset(struct stream *stream, struct tally *tally) {
  if (stream->fd < 0) return;
  for (unsigned i = 0; i < REMEMBERED_FRAMES; i++)
    if (is_measured(tally, stream->sent_ns[i])) tally->abandoned++;
  const struct linger cut = {.l_onoff = 1, .l_linger = 0};
  setsockopt(stream->fd, SOL_SOCKET, SO_LINGER, &cut, sizeof cut);
  over(stream, &tally->reset);
}
