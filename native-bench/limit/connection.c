// What Linecard does for a frame of an echo call, and nothing else: unmask, scan, base64, mu-law, 8 to 16 kHz, 16 to
// 8 kHz, mu-law, base64, one text frame back. No admission, no pacing, no marks, no second thread.
#include "connection.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "../wire/base64.h"
#include "../wire/scan.h"
#include "../wire/websocket.h"

#define ANSWER_MAX 1024
#define PREFIX "{\"event\":\"media\",\"streamSid\":\""
#define MIDDLE "\",\"media\":{\"payload\":\""
#define SUFFIX "\"}}"

struct connection *connection_open(int fd) {
  struct connection *connection = calloc(1, sizeof *connection);
  if (connection != NULL) connection->fd = fd;
  return connection;
}

void connection_close(struct connection *connection) {
  close(connection->fd);
  free(connection);
}

// A peer that doesn't read until the kernel's buffers are full is not served: nothing here is measured with one.
static bool send_all(const struct connection *connection, const void *bytes, size_t length) {
  return send(connection->fd, bytes, length, MSG_NOSIGNAL) == (ssize_t)length;
}

// Answers the upgrade once it is whole; returns the bytes it took, 0 while it isn't, -1 when it is none.
static int upgrade(struct connection *connection) {
  const char *const request = (const char *)connection->unread;
  const char *const end = memmem(request, connection->unread_bytes, "\r\n\r\n", 4);
  if (end == NULL) return 0;
  static const char KEY[] = "\r\nSec-WebSocket-Key: ";
  const char *const key = memmem(request, (size_t)(end - request), KEY, sizeof KEY - 1);
  if (key == NULL || end - key < (ptrdiff_t)sizeof KEY - 1 + KEY_CHARACTERS) return -1;
  char accept[ACCEPT_CHARACTERS], answer[ANSWER_MAX];
  accept_of(key + sizeof KEY - 1, accept);
  const int length = snprintf(answer, sizeof answer,
                              "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                              "Sec-WebSocket-Accept: %.*s\r\n\r\n",
                              ACCEPT_CHARACTERS, accept);
  if (!send_all(connection, answer, (size_t)length)) return -1;
  connection->is_upgraded = true;
  return (int)(end + 4 - request);
}

static uint8_t *append(uint8_t *to, const void *bytes, size_t length) {
  memcpy(to, bytes, length);
  return to + length;
}

static bool echo(struct connection *connection, const uint8_t *message, const struct media_frame *frame) {
  uint8_t codes[FRAME_SAMPLES];
  int16_t narrow[FRAME_SAMPLES], wide[WIDE_SAMPLES];
  const size_t payload_length = frame->payload_end - frame->payload_start;
  // One frame a message, as Twilio sends them.
  if (base64_decode(message + frame->payload_start, payload_length, codes, sizeof codes) != FRAME_SAMPLES) return false;
  mulaw_decode(codes, narrow, FRAME_SAMPLES);
  upsample(&connection->up, narrow, wide);
  downsample(&connection->down, wide, narrow);
  mulaw_encode(narrow, codes, FRAME_SAMPLES);

  uint8_t answer[ANSWER_MAX], body[ANSWER_MAX];
  uint8_t *to = append(body, PREFIX, sizeof PREFIX - 1);
  to = append(to, message + frame->stream_sid_start, frame->stream_sid_end - frame->stream_sid_start);
  to = append(to, MIDDLE, sizeof MIDDLE - 1);
  to += base64_encode(codes, sizeof codes, to);
  to = append(to, SUFFIX, sizeof SUFFIX - 1);
  const size_t body_length = (size_t)(to - body);
  const size_t header_length = write_header(answer, OPCODE_TEXT, body_length, NULL);
  memcpy(answer + header_length, body, body_length);
  return send_all(connection, answer, header_length + body_length);
}

// Takes every whole frame; returns the bytes they took, -1 when the stream is over.
static int take_frames(struct connection *connection) {
  size_t at = 0;
  struct frame_header header;
  for (;;) {
    uint8_t *const start = connection->unread + at;
    const size_t left = connection->unread_bytes - at;
    const enum header_reading reading = read_header(start, left, &header);
    if (reading == HEADER_TOO_LONG) return -1;
    if (reading == HEADER_PARTIAL || left < header.header_bytes + header.body_bytes) return (int)at;
    uint8_t *const body = start + header.header_bytes;
    apply_mask(body, header.body_bytes, header.mask);
    if (header.opcode == OPCODE_CLOSE || !header.is_final || !header.is_masked) return -1;
    struct media_frame frame;
    // What isn't media asks for no answer.
    if (header.opcode == OPCODE_TEXT && scan_media(body, header.body_bytes, &frame) &&
        !echo(connection, body, &frame))
      return -1;
    at += header.header_bytes + header.body_bytes;
  }
}

bool connection_serve(struct connection *connection) {
  for (;;) {
    const size_t room = sizeof connection->unread - connection->unread_bytes;
    if (room == 0) return false;
    const ssize_t got = recv(connection->fd, connection->unread + connection->unread_bytes, room, 0);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return true;
    if (got <= 0) return false;
    connection->unread_bytes += (size_t)got;
    int taken = connection->is_upgraded ? take_frames(connection) : upgrade(connection);
    if (taken < 0) return false;
    connection->unread_bytes -= (size_t)taken;
    if (taken > 0) memmove(connection->unread, connection->unread + taken, connection->unread_bytes);
    // Less than there was room for: the socket is empty, and what comes from now on is told anew.
    if ((size_t)got < room) return true;
  }
}
