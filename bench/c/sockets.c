#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "limit.h"

static struct sockaddr_un address_of(const char *path) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
  return address;
}

void report_ready(void) {
  puts("{\"ready\":true}");
  fflush(stdout);
}

void allow_many_files(void) {
  struct rlimit limit;
  check(getrlimit(RLIMIT_NOFILE, &limit), "getrlimit");
  limit.rlim_cur = limit.rlim_max;
  check(setrlimit(RLIMIT_NOFILE, &limit), "setrlimit");
}

int listen_at(const char *path, int type, int flags) {
  struct sockaddr_un address = address_of(path);
  int listener = (int)check(socket(AF_UNIX, type | flags | SOCK_CLOEXEC, 0), "socket");
  check(bind(listener, (struct sockaddr *)&address, sizeof address), "bind");
  check(listen(listener, 511), "listen");
  report_ready();
  return listener;
}

int accept_one(const struct work *work, int flags) {
  int listener = listen_at(work->path, SOCK_SEQPACKET, 0);
  return (int)check(accept4(listener, NULL, NULL, flags | SOCK_CLOEXEC), "accept4");
}

int connect_to(const char *path, int type, int flags) {
  struct sockaddr_un address = address_of(path);
  int fd = (int)check(socket(AF_UNIX, type | flags | SOCK_CLOEXEC, 0), "socket");
  check(connect(fd, (struct sockaddr *)&address, sizeof address), "connect");
  return fd;
}
