/* limit KIND ROLE PATH SIZE WARM_UP_MS MEASURE_MS */
#include "limit.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
  const char *kind;
  const char *role;
  void (*run)(const struct work *work);
} programs[] = {
    {"blocking", "echo", blocking_echo},
    {"blocking", "ping", blocking_ping},
    {"blocking", "sink", blocking_sink},
    {"blocking", "flood", blocking_flood},
    {"epoll", "echo", epoll_echo},
    {"epoll", "ping", epoll_ping},
    {"epoll", "sink", epoll_sink},
    {"epoll", "flood", epoll_flood},
    {"batches", "sink", batches_sink},
    {"batches", "flood", batches_flood},
    {"descriptors", "sink", descriptors_sink},
    {"descriptors", "flood", descriptors_flood},
    {"connections", "accept", connections_accept},
    {"seqpacket", "storm", connections_storm_seqpacket},
    {"stream", "storm", connections_storm_stream},
    {"seqpacket", "hold", connections_hold_seqpacket},
    {"stream", "hold", connections_hold_stream},
    {"many", "echo", many_echo},
    {"many", "ping-all", many_ping_all},
    {"many", "ping-one", many_ping_one},
};

int main(int count, char **arguments) {
  if (count != 7) {
    fprintf(stderr, "usage: limit KIND ROLE PATH SIZE WARM_UP_MS MEASURE_MS\n");
    return 2;
  }
  struct work work = {
      .path = arguments[3],
      .size = strtoul(arguments[4], NULL, 10),
      .warm_up_ns = strtol(arguments[5], NULL, 10) * 1000000,
      .measure_ns = strtol(arguments[6], NULL, 10) * 1000000,
  };
  signal(SIGPIPE, SIG_IGN);
  for (size_t i = 0; i < sizeof programs / sizeof *programs; i++) {
    if (strcmp(programs[i].kind, arguments[1]) != 0 || strcmp(programs[i].role, arguments[2]) != 0) continue;
    programs[i].run(&work);
    return 0;
  }
  fprintf(stderr, "limit: no %s %s\n", arguments[1], arguments[2]);
  return 2;
}
