/* Readiness of descriptors, reported by libuv, or by a thread of the addon where libuv is missing. */
#ifndef SEQPACKET_READINESS_H
#define SEQPACKET_READINESS_H

#include "instance.h"

/* The directions of src/waiting/operation-queue.ts, watched and reported. */
enum { READABLE = 1, WRITABLE = 2 };
/* Also reported: an error has stopped the poll. */
enum { STOPPED = 1 << 16 };

/* What JavaScript and the addon share while readiness is reported; an Int32Array in src/waiting/readiness.ts.
 */
struct report {
  int32_t active;           /* whether a report is being made */
  int32_t keeps_loop_alive; /* whether the reported poll does so from then on */
  int32_t turn;             /* changes with each turn of the event loop; 0 if unknown */
};

/* libuv-readiness.c. The end of the environment then waits until all polls are closed. */
bool wait_for_polls_at_end(struct instance *instance);
void close_all_polls(struct instance *instance);
/* addon.c. Called when the last poll was closed after the environment began to end. */
void environment_is_clean(struct instance *instance);

/* thread-readiness.c. Ends the thread, if it runs. A cleanup hook; its argument is the instance. */
void stop_watcher(void *instance);

#endif
