/* Lives of connections: connect, accept, close at both ends. Here SIZE is a number of connections. */
#include <sys/socket.h>
#include <unistd.h>

#include "limit.h"

void connections_accept(const struct work *work) {
  int listener = listen_at(work->path, SOCK_SEQPACKET, 0);
  for (;;)
    close((int)check(accept4(listener, NULL, NULL, SOCK_CLOEXEC), "accept4"));
}

/* Opens connections in groups, and closes each when the server has. */
static void storm(const struct work *work, int type) {
  enum { GROUP = 64 };
  int fds[GROUP];
  struct work measured = *work;
  measured.size = 1;
  struct pace pace;
  pace_open(&pace, &measured);
  for (bool more = true; more;) {
    int count = 0;
    for (; count < GROUP && (more = pace_next(&pace) != NULL); count++)
      fds[count] = connect_to(work->path, type, 0);
    for (int i = 0; i < count; i++) {
      char end;
      check(recv(fds[i], &end, sizeof end, 0), "recv");
      close(fds[i]);
    }
  }
  pace_report(&pace, true);
}

void connections_storm_seqpacket(const struct work *work) { storm(work, SOCK_SEQPACKET); }

void connections_storm_stream(const struct work *work) { storm(work, SOCK_STREAM); }

/* Opens the given number of connections, and keeps them until the server ends. */
static void hold(const struct work *work, int type) {
  allow_many_files();
  int fd = -1;
  for (size_t i = 0; i < work->size; i++)
    fd = connect_to(work->path, type, 0);
  char end;
  while (recv(fd, &end, sizeof end, 0) > 0) {
  }
}

void connections_hold_seqpacket(const struct work *work) { hold(work, SOCK_SEQPACKET); }

void connections_hold_stream(const struct work *work) { hold(work, SOCK_STREAM); }
