/* When to measure, and what came of it. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "limit.h"

int64_t now_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

int64_t cpu_us(void) {
  struct rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  return (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * INT64_C(1000000) + usage.ru_utime.tv_usec +
         usage.ru_stime.tv_usec;
}

long check(long result, const char *what) {
  if (result >= 0) return result;
  perror(what);
  exit(1);
}

void *memory(size_t size) {
  void *memory = calloc(1, size);
  if (memory == NULL) check(-1, "calloc");
  return memory;
}

void pace_open(struct pace *pace, const struct work *work) {
  *pace = (struct pace){
      .size = work->size,
      .until_check = 1,
      .check_every = work->size < 16384 ? 64 : 4,
      .warm_up_ns = work->warm_up_ns,
      .measure_ns = work->measure_ns,
  };
  for (int phase = WARM_UP; phase <= LAST; phase++) {
    pace->messages[phase] = memory(work->size);
    memset(pace->messages[phase], phase, work->size);
  }
}

const char *pace_slow_next(struct pace *pace) {
  if (pace->phase == LAST) return NULL;
  int64_t now = now_ns();
  if (pace->began == 0) pace->began = now;
  if (pace->phase == WARM_UP && now - pace->began >= pace->warm_up_ns) {
    pace->phase = MEASURED;
    pace->began = now;
    pace->cpu_us = cpu_us();
    pace->count = 0;
  } else if (pace->phase == MEASURED && now - pace->began >= pace->measure_ns) {
    pace->phase = LAST;
  }
  pace->until_check = pace->check_every;
  pace->count++;
  return pace->messages[pace->phase];
}

static void report(uint64_t count, int64_t ns, int64_t cpu) {
  printf("{\"messages\":%" PRIu64 ",\"seconds\":%.9f,\"cpuSeconds\":%.6f}\n", count, (double)ns / 1e9,
         (double)cpu / 1e6);
  fflush(stdout);
}

void pace_report(const struct pace *pace, bool measures) {
  int64_t cpu = cpu_us() - pace->cpu_us;
  if (measures) {
    report(pace->count, now_ns() - pace->began, cpu);
  } else {
    printf("{\"cpuSeconds\":%.6f}\n", (double)cpu / 1e6);
    fflush(stdout);
  }
}

void meter_change(struct meter *meter, enum phase phase) {
  meter->phase = phase;
  if (phase == MEASURED) {
    meter->began = now_ns();
    meter->cpu_us = cpu_us();
    meter->count = 0;
  } else if (phase == LAST) {
    meter->ended = now_ns();
  }
}

void meter_report(const struct meter *meter) {
  report(meter->count, meter->ended - meter->began, cpu_us() - meter->cpu_us);
}
