/*
 * What the files of the addon share.
 *
 * The addon is a thin layer: one function per system call, each returning the call's result or the
 * negative errno, and one readiness object (poll.c). It decides nothing; src/os.ts describes every
 * function that it exports, and all policy is in TypeScript.
 */
#ifndef SEQPACKET_ADDON_H
#define SEQPACKET_ADDON_H

#define NAPI_VERSION 8
#include <node_api.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct poll;
struct watcher;

/* One per environment (main thread or worker); Node.js may load the addon in any number of them. */
struct instance {
  napi_env env;
  napi_async_cleanup_hook_handle cleanup;
  bool ending;
  bool waits_for_polls; /* at the end of the environment, see addon.c */

  /* owned.c: the descriptors that must not outlive the environment, one bit each. */
  uint64_t *owned;
  size_t owned_words;

  /* poll.c */
  napi_ref on_ready;
  struct report *report;
  napi_ref report_reference;
  struct poll **polls; /* by descriptor */
  size_t polls_capacity;
  size_t live_polls;      /* whose close callback has not run yet */
  struct poll *reporting; /* none once it is closed */

  /* thread-poll.c */
  struct watcher *watcher; /* none until it is needed */

  /* system-calls.c: where recvmsg puts what comes beside a message; and how much there may be. */
  struct control_block *control;
  napi_ref control_reference;
  size_t control_capacity;

  /* spill.c: where the part of a message lands that its receiver has no room for. */
  uint8_t *spill;
  uint8_t *batch; /* the same for whole messages received many at a time; reserved when first used */
};

#define MAX_ARGUMENTS 4

struct arguments {
  struct instance *instance;
  napi_value values[MAX_ARGUMENTS];
};

struct arguments read_arguments(napi_env env, napi_callback_info info);

static inline int32_t integer_argument(napi_env env, napi_value value) {
  int32_t result = -1;
  napi_get_value_int32(env, value, &result);
  return result;
}

/* The memory of a Uint8Array or an Int32Array; none (and length 0) for anything else. */
static inline void *bytes_argument(napi_env env, napi_value value, size_t *length) {
  void *data = NULL;
  napi_typedarray_type type = napi_uint8_array;
  *length = 0;
  if (napi_get_typedarray_info(env, value, &type, length, &data, NULL, NULL) != napi_ok) return NULL;
  if (type == napi_int32_array) *length *= sizeof(int32_t);
  return data;
}

/* Lengths are those of messages and names: far below 2^31. */
static inline napi_value integer_result(napi_env env, int64_t value) {
  napi_value result = NULL;
  napi_create_int32(env, (int32_t)value, &result);
  return result;
}

/* A table of `to` items in place of one of `from`, whose new items are zero; NULL if there is no memory. */
void *grown(void *table, size_t item, size_t from, size_t to);

void own_descriptor(struct instance *instance, int fd);
void disown_descriptor(struct instance *instance, int fd);
void close_owned_descriptors(struct instance *instance);

/* Called by poll.c before it makes the first poll. */
bool wait_for_polls_at_end(struct instance *instance);
void close_all_polls(struct instance *instance);
/* Ends the thread of thread-poll.c, if there is one; a cleanup hook, which takes the instance. */
void stop_watcher(void *instance);
/* Called by poll.c when the last poll is gone after the environment began to end. */
void environment_is_clean(struct instance *instance);

/* What JavaScript and poll.c share while readiness is reported; an Int32Array in src/readiness.ts. */
struct report {
  int32_t active;           /* whether a report is being made */
  int32_t keeps_loop_alive; /* whether its poll shall do that from then on */
};

bool reserve_spill(struct instance *instance);
void free_spill(struct instance *instance);
extern const size_t spill_size;

#define MAX_BATCH 64
/* What recvmmsg tells of one message. */
struct batch_result {
  int32_t length;
  int32_t flags;
  int32_t control_length;
  int32_t descriptors;
};
/* The control messages of a message come first in its slot, its data behind them. */
#define BATCH_CONTROL 1280
/*
 * A control block, as src/ancillary-data.ts lays it out: two numbers, then the control messages.
 * For sendmsg `length` says how many bytes of them there are; recvmsg fills in both.
 */
struct control_block {
  uint32_t length;
  uint32_t flags;
  uint8_t messages[];
};
/* Slots for a number of messages of any length, the n-th at n times the stride; NULL if there is no room. */
uint8_t *reserve_batch(struct instance *instance, size_t *stride, size_t *capacity);

/* Every exported function, by the file that holds it. */
#define SYSTEM_CALLS(X) \
  X(socket)             \
  X(socketpair)         \
  X(bind)               \
  X(listen)             \
  X(accept4)            \
  X(connect)            \
  X(shutdown)           \
  X(recvmsg)            \
  X(controlBlock)       \
  X(send)               \
  X(sendmsg)            \
  X(recvmmsg)           \
  X(sendmmsg)           \
  X(getsockopt)         \
  X(setsockopt)         \
  X(getsockname)        \
  X(getpeername)        \
  X(ioctl)              \
  X(fcntl)              \
  X(dup)                \
  X(fchmod)             \
  X(flock)              \
  X(close)
#define OWNERSHIP(X) \
  X(own)             \
  X(disown)
#define SPILL(X)  \
  X(takeSpilled)  \
  X(takeBatch)    \
  X(releaseBatch) \
  X(takeBatchControl)
#define READINESS(X) \
  X(onReady)         \
  X(pollOpen)        \
  X(pollWatch)       \
  X(pollRef)         \
  X(pollClose)
#define THREAD_READINESS(X) \
  X(threadPollOpen)         \
  X(threadPollWatch)        \
  X(threadPollRef)          \
  X(threadPollClose)
#define EXPORTED(X) SYSTEM_CALLS(X) OWNERSHIP(X) SPILL(X) READINESS(X) THREAD_READINESS(X)

#define DECLARE(name) napi_value js_##name(napi_env env, napi_callback_info info);
EXPORTED(DECLARE)
#undef DECLARE

#endif
