/* Many connections with one server; messages of 64 bytes. Here SIZE is the number of connections. */
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "limit.h"

enum { MESSAGE_SIZE = 64, EVENTS = 1024 };

void many_echo(const struct work *work) {
  allow_many_files();
  int listener = listen_at(work->path, SOCK_SEQPACKET, SOCK_NONBLOCK);
  int poll = (int)check(epoll_create1(EPOLL_CLOEXEC), "epoll_create1");
  struct epoll_event event = {.events = EPOLLIN, .data.fd = listener};
  check(epoll_ctl(poll, EPOLL_CTL_ADD, listener, &event), "epoll_ctl");
  static struct epoll_event events[EVENTS];
  char buffer[MESSAGE_SIZE];
  for (;;) {
    int count = (int)check(epoll_wait(poll, events, EVENTS, -1), "epoll_wait");
    for (int i = 0; i < count; i++) {
      int fd = events[i].data.fd;
      if (fd == listener) {
        event.data.fd = (int)check(accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC), "accept4");
        check(epoll_ctl(poll, EPOLL_CTL_ADD, event.data.fd, &event), "epoll_ctl");
        continue;
      }
      ssize_t length = recv(fd, buffer, sizeof buffer, 0);
      if (length > 0) check(send(fd, buffer, (size_t)length, MSG_NOSIGNAL), "send");
      else close(fd);
    }
  }
}

static void ping(const struct work *work, size_t active) {
  allow_many_files();
  int *fds = memory(work->size * sizeof *fds);
  for (size_t i = 0; i < work->size; i++)
    fds[i] = connect_to(work->path, SOCK_SEQPACKET, 0);
  char buffer[MESSAGE_SIZE];
  struct work messages = *work;
  messages.size = MESSAGE_SIZE;
  struct pace pace;
  pace_open(&pace, &messages);
  size_t turn = 0;
  /* Once over all, so that the server has accepted them. */
  for (size_t i = 0; i < work->size; i++) {
    check(send(fds[i], buffer, sizeof buffer, MSG_NOSIGNAL), "send");
    check(recv(fds[i], buffer, sizeof buffer, 0), "recv");
  }
  for (const char *message; (message = pace_next(&pace)) != NULL; turn = (turn + 1) % active) {
    check(send(fds[turn], message, MESSAGE_SIZE, MSG_NOSIGNAL), "send");
    check(recv(fds[turn], buffer, sizeof buffer, 0), "recv");
  }
  pace_report(&pace, true);
}

void many_ping_all(const struct work *work) { ping(work, work->size); }

void many_ping_one(const struct work *work) { ping(work, 1); }
