/*
 * The limit: the same work with the same system calls, from C. See bench/README.md for the roles and for
 * what a program reports.
 */
#ifndef LIMIT_H
#define LIMIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct work {
  const char *path;
  size_t size; /* of a message, in bytes; elsewhere a number of connections */
  int64_t warm_up_ns;
  int64_t measure_ns;
};

/* What the first byte of each message says. */
enum phase { WARM_UP, MEASURED, LAST };

/* The sending side: which message comes next, by the clock. */
struct pace {
  char *messages[3]; /* one for each phase */
  size_t size;
  enum phase phase;
  int until_check;
  int check_every;
  int64_t warm_up_ns;
  int64_t measure_ns;
  int64_t began;
  int64_t cpu_us;
  uint64_t count; /* since the measuring began */
};

void pace_open(struct pace *pace, const struct work *work);
const char *pace_slow_next(struct pace *pace);
/* Reports what the sending side used; and, if it also measures, how long it took. */
void pace_report(const struct pace *pace, bool measures);

/* The next message, or NULL after the last. */
static inline const char *pace_next(struct pace *pace) {
  if (--pace->until_check == 0 || pace->phase == LAST) return pace_slow_next(pace);
  pace->count++;
  return pace->messages[pace->phase];
}

/* The receiving side. */
struct meter {
  enum phase phase;
  uint64_t count;
  int64_t began;
  int64_t ended;
  int64_t cpu_us;
};

void meter_change(struct meter *meter, enum phase phase);
void meter_report(const struct meter *meter);

/* Notes a message; false after the last. */
static inline bool meter_saw(struct meter *meter, char phase) {
  meter->count++;
  if ((enum phase)phase != meter->phase) meter_change(meter, (enum phase)phase);
  return meter->phase != LAST;
}

int64_t now_ns(void);
int64_t cpu_us(void);

/* Ends the program with perror's message if the result is negative. */
long check(long result, const char *what);
void *memory(size_t size);

/* Allows as many open files as the hard limit does. */
void allow_many_files(void);
int listen_at(const char *path, int type, int flags);
int accept_one(const struct work *work, int flags);
int connect_to(const char *path, int type, int flags);
/* Tells the bench that the server listens. */
void report_ready(void);

void blocking_echo(const struct work *work);
void blocking_ping(const struct work *work);
void blocking_sink(const struct work *work);
void blocking_flood(const struct work *work);
void epoll_echo(const struct work *work);
void epoll_ping(const struct work *work);
void epoll_sink(const struct work *work);
void epoll_flood(const struct work *work);
void batches_sink(const struct work *work);
void batches_flood(const struct work *work);
void descriptors_sink(const struct work *work);
void descriptors_flood(const struct work *work);
void connections_accept(const struct work *work);
void connections_storm_seqpacket(const struct work *work);
void connections_storm_stream(const struct work *work);
void connections_hold_seqpacket(const struct work *work);
void connections_hold_stream(const struct work *work);
void many_echo(const struct work *work);
void many_ping_all(const struct work *work);
void many_ping_one(const struct work *work);

#endif
