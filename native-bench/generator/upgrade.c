// A real upgrade as Twilio makes it, one at a time and waiting: setting streams up is not what is measured. What comes
// out is a socket that never waits and whose arrivals the kernel stamps.
#include "upgrade.h"
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>
#include "../wire/base64.h"
#include "../wire/websocket.h"

#define PATIENCE_S 10
#define REQUEST_MAX 2048
#define ANSWER_MAX 2048
#define KEY_BYTES 16

static size_t write_request(char request[REQUEST_MAX], const struct target *target, const char key[KEY_CHARACTERS]) {
  char host[INET_ADDRSTRLEN];
  inet_ntop(AF_INET, &target->address.sin_addr, host, sizeof host);
  const bool is_signed = target->signature[0] != '\0';
  const int length = snprintf(
      request, REQUEST_MAX,
      "GET %s HTTP/1.1\r\nHost: %s:%u\r\nUser-Agent: Twilio.TmeWs/1.0\r\nConnection: Upgrade\r\n"
      "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: %.*s\r\n%s%s%s\r\n",
      target->path, host, ntohs(target->address.sin_port), KEY_CHARACTERS, key,
      is_signed ? "X-Twilio-Signature: " : "", target->signature, is_signed ? "\r\n" : "");
  return (size_t)length;
}

// The answer's head, and nothing after it: a server says nothing before `start` on a media stream.
static const char *read_answer(int fd, const char key[KEY_CHARACTERS]) {
  char answer[ANSWER_MAX + 1];
  size_t length = 0;
  while (length < 4 || memcmp(answer + length - 4, "\r\n\r\n", 4) != 0) {
    if (length == ANSWER_MAX) return "the answer to the upgrade is too long";
    const ssize_t got = recv(fd, answer + length, ANSWER_MAX - length, 0);
    if (got <= 0) return "the upgrade was not answered";
    length += (size_t)got;
  }
  answer[length] = '\0';
  if (strncmp(answer, "HTTP/1.1 101 ", 13) != 0) return "the upgrade was refused";
  char accept[ACCEPT_CHARACTERS];
  accept_of(key, accept);
  static const char NAME[] = "\r\nsec-websocket-accept:";
  const char *said = strcasestr(answer, NAME);
  if (said == NULL) return "the upgrade's answer has no Sec-WebSocket-Accept";
  said += strlen(NAME);
  while (*said == ' ') said++;
  return strncmp(said, accept, ACCEPT_CHARACTERS) == 0 ? NULL : "Sec-WebSocket-Accept is wrong";
}

static const char *handshake(int fd, const struct target *target) {
  const struct timeval patience = {.tv_sec = PATIENCE_S};
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
  if (connect(fd, (const struct sockaddr *)&target->address, sizeof target->address) < 0) return "nobody listens there";
  uint8_t random[KEY_BYTES];
  char key[KEY_CHARACTERS], request[REQUEST_MAX];
  if (getrandom(random, sizeof random, 0) != sizeof random) return "there are no random bytes";
  base64_encode(random, sizeof random, (uint8_t *)key);
  const size_t length = write_request(request, target, key);
  if (send(fd, request, length, MSG_NOSIGNAL) != (ssize_t)length) return "the upgrade could not be sent";
  return read_answer(fd, key);
}

int upgrade(const struct target *target, const char **problem) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) {
    *problem = "there are no descriptors left";
    return -1;
  }
  *problem = handshake(fd, target);
  const int on = 1;
  if (*problem == NULL && (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) < 0 ||
                           fcntl(fd, F_SETFL, O_NONBLOCK) < 0))
    *problem = "the socket could not be set up";
  if (*problem != NULL) {
    close(fd);
    return -1;
  }
  // Where it is not to be had, arrivals count from when they were read, and the result says so.
  setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof on);
  return fd;
}
