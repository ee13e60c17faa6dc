// One stream of the limit server: bytes in, bytes out. Knows no epoll.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "../sound/halfband.h"

// Unread bytes that a stream keeps: no message and no request is longer.
#define UNREAD_MAX 4096

struct connection {
  int fd;
  bool is_upgraded;
  struct upsampler up;
  struct downsampler down;
  size_t unread_bytes;
  uint8_t unread[UNREAD_MAX];
};

struct connection *connection_open(int fd);
void connection_close(struct connection *connection);

// Reads all there is and answers it. False: it is over, and to be closed.
bool connection_serve(struct connection *connection);
