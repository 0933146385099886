/* One call of send(2) or recv(2) after the other, each of which waits. */
#include <sys/socket.h>

#include "limit.h"

/* The length of the longest message for which the default send buffer has room. */
enum { LONGEST_BY_DEFAULT = 212960 };

static void allow_size(int fd, const struct work *work) {
  int buffer = (int)work->size;
  if (work->size > LONGEST_BY_DEFAULT)
    check(setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &buffer, sizeof buffer), "setsockopt");
}

void blocking_echo(const struct work *work) {
  int fd = accept_one(work, 0);
  allow_size(fd, work);
  char *buffer = memory(work->size);
  struct meter meter = {0};
  for (bool more = true; more;) {
    size_t length = (size_t)check(recv(fd, buffer, work->size, 0), "recv");
    more = meter_saw(&meter, buffer[0]);
    check(send(fd, buffer, length, MSG_NOSIGNAL), "send");
  }
  meter_report(&meter);
}

void blocking_ping(const struct work *work) {
  int fd = connect_to(work->path, SOCK_SEQPACKET, 0);
  allow_size(fd, work);
  char *buffer = memory(work->size);
  struct pace pace;
  pace_open(&pace, work);
  for (const char *message; (message = pace_next(&pace)) != NULL;) {
    check(send(fd, message, work->size, MSG_NOSIGNAL), "send");
    check(recv(fd, buffer, work->size, 0), "recv");
  }
  pace_report(&pace, true);
}

void blocking_sink(const struct work *work) {
  int fd = accept_one(work, 0);
  char *buffer = memory(work->size);
  struct meter meter = {0};
  do
    check(recv(fd, buffer, work->size, 0), "recv");
  while (meter_saw(&meter, buffer[0]));
  meter_report(&meter);
}

void blocking_flood(const struct work *work) {
  int fd = connect_to(work->path, SOCK_SEQPACKET, 0);
  allow_size(fd, work);
  struct pace pace;
  pace_open(&pace, work);
  for (const char *message; (message = pace_next(&pace)) != NULL;)
    check(send(fd, message, work->size, MSG_NOSIGNAL), "send");
  pace_report(&pace, false);
}
