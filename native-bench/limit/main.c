// The limit: a server in C that does an echo call's work on one thread of epoll. What it costs is what the machine's
// kernel and the arithmetic cost; whatever Linecard takes beyond is the price of being Linecard.
//   limit <port>     listens on 127.0.0.1 and prints "listening <port>"
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>
#include "connection.h"

#define BACKLOG 4096
#define EVENTS_MAX 512

static int failed(const char *what) {
  perror(what);
  return EXIT_FAILURE;
}

static int listen_on(int port) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  const int on = 1;
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) < 0 ||
      bind(fd, (struct sockaddr *)&address, sizeof address) < 0 || listen(fd, BACKLOG) < 0)
    return -1;
  return fd;
}

static void accept_all(int poll, int listener) {
  for (;;) {
    const int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) return;
    const int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    struct connection *const connection = connection_open(fd);
    struct epoll_event event = {.events = EPOLLIN | EPOLLET, .data.ptr = connection};
    if (connection == NULL)
      close(fd);
    else if (epoll_ctl(poll, EPOLL_CTL_ADD, fd, &event) < 0)
      connection_close(connection);
  }
}

int main(int count, char **arguments) {
  const int port = count == 2 ? atoi(arguments[1]) : 0;
  if (port < 1 || port > 65535) {
    fputs("usage: limit <port>\n", stderr);
    return 2;
  }
  struct rlimit descriptors;
  if (getrlimit(RLIMIT_NOFILE, &descriptors) == 0) {
    descriptors.rlim_cur = descriptors.rlim_max;
    setrlimit(RLIMIT_NOFILE, &descriptors);
  }
  const int listener = listen_on(port);
  if (listener < 0) return failed("listen");
  const int poll = epoll_create1(EPOLL_CLOEXEC);
  struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
  if (poll < 0 || epoll_ctl(poll, EPOLL_CTL_ADD, listener, &event) < 0) return failed("epoll");
  printf("listening %d\n", port);
  fflush(stdout);

  struct epoll_event events[EVENTS_MAX];
  for (;;) {
    const int ready = epoll_wait(poll, events, EVENTS_MAX, -1);
    if (ready < 0 && errno != EINTR) return failed("epoll_wait");
    for (int i = 0; i < ready; i++) {
      struct connection *const connection = events[i].data.ptr;
      if (connection == NULL)
        accept_all(poll, listener);
      else if (!connection_serve(connection))
        connection_close(connection);
    }
  }
}
