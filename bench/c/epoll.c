/* An event loop: epoll_wait(2), then what can be done without waiting. */
#include <errno.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "limit.h"

static int watch(int fd, uint32_t events) {
  int poll = (int)check(epoll_create1(EPOLL_CLOEXEC), "epoll_create1");
  struct epoll_event event = {.events = events};
  check(epoll_ctl(poll, EPOLL_CTL_ADD, fd, &event), "epoll_ctl");
  return poll;
}

static void wait_for(int poll) {
  struct epoll_event event;
  check(epoll_wait(poll, &event, 1, -1), "epoll_wait");
}

void epoll_echo(const struct work *work) {
  int fd = accept_one(work, SOCK_NONBLOCK);
  int poll = watch(fd, EPOLLIN);
  char *buffer = memory(work->size);
  struct meter meter = {0};
  for (bool more = true; more;) {
    wait_for(poll);
    size_t length = (size_t)check(recv(fd, buffer, work->size, 0), "recv");
    more = meter_saw(&meter, buffer[0]);
    check(send(fd, buffer, length, MSG_NOSIGNAL), "send");
  }
  meter_report(&meter);
}

void epoll_ping(const struct work *work) {
  int fd = connect_to(work->path, SOCK_SEQPACKET, SOCK_NONBLOCK);
  int poll = watch(fd, EPOLLIN);
  char *buffer = memory(work->size);
  struct pace pace;
  pace_open(&pace, work);
  for (const char *message; (message = pace_next(&pace)) != NULL;) {
    check(send(fd, message, work->size, MSG_NOSIGNAL), "send");
    wait_for(poll);
    check(recv(fd, buffer, work->size, 0), "recv");
  }
  pace_report(&pace, true);
}

void epoll_sink(const struct work *work) {
  int fd = accept_one(work, SOCK_NONBLOCK);
  int poll = watch(fd, EPOLLIN);
  char *buffer = memory(work->size);
  struct meter meter = {0};
  for (bool more = true; more;) {
    ssize_t length = recv(fd, buffer, work->size, 0);
    if (length < 0 && errno == EAGAIN) {
      wait_for(poll);
      continue;
    }
    check(length, "recv");
    more = meter_saw(&meter, buffer[0]);
  }
  meter_report(&meter);
}

void epoll_flood(const struct work *work) {
  int fd = connect_to(work->path, SOCK_SEQPACKET, SOCK_NONBLOCK);
  int poll = watch(fd, EPOLLOUT);
  struct pace pace;
  pace_open(&pace, work);
  for (const char *message; (message = pace_next(&pace)) != NULL;) {
    ssize_t sent;
    while ((sent = send(fd, message, work->size, MSG_NOSIGNAL)) < 0 && errno == EAGAIN)
      wait_for(poll);
    check(sent, "send");
  }
  pace_report(&pace, false);
}
