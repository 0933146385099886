/* Readiness of descriptors: reported by libuv where there is one, or else by a thread of the addon's own. */
#ifndef SEQPACKET_READINESS_H
#define SEQPACKET_READINESS_H

#include "instance.h"

/* The directions of src/waiting/operation-queue.ts: what is watched and what is reported. */
enum { READABLE = 1, WRITABLE = 2 };
/* Reported besides: an error has stopped the poll. */
enum { STOPPED = 1 << 16 };

/* What JavaScript and the addon share while readiness is reported; an Int32Array in src/waiting/readiness.ts.
 */
struct report {
  int32_t active;           /* whether a report is being made */
  int32_t keeps_loop_alive; /* whether its poll shall do that from then on */
  int32_t turn;             /* changes with each turn of the event loop; 0 where that is not known */
};

/* libuv-readiness.c. Makes the environment wait at its end until all polls are gone. */
bool wait_for_polls_at_end(struct instance *instance);
void close_all_polls(struct instance *instance);
/* addon.c. The last poll is gone after the environment began to end. */
void environment_is_clean(struct instance *instance);

/* thread-readiness.c. Ends the thread, if there is one; a cleanup hook, which takes the instance. */
void stop_watcher(void *instance);

#endif
