/*
 * The addon in one environment: the main thread, or a worker. Node.js may load it in any number of them.
 *
 * The addon is a thin layer: one function per system call, each returning the call's result or the
 * negative errno, and readiness. All policy is in TypeScript. src/system/operating-system.ts describes every
 * exported function.
 */
#ifndef SEQPACKET_INSTANCE_H
#define SEQPACKET_INSTANCE_H

#define NAPI_VERSION 8
#include <node_api.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct poll;
struct watcher;

struct instance {
  napi_env env;
  napi_async_cleanup_hook_handle cleanup;
  bool ending;
  bool waits_for_polls; /* at the end of the environment, see addon.c */

  /* owned-descriptors.c: the descriptors that end with the environment, one bit each. */
  uint64_t *owned;
  size_t owned_words;

  /* Shared by both kinds of readiness. */
  napi_ref on_ready;
  struct report *report;
  napi_ref report_reference;

  /* libuv-readiness.c */
  struct poll **polls; /* by descriptor */
  size_t polls_capacity;
  size_t live_polls;      /* whose close callback has not run yet */
  struct poll *reporting; /* none once it is closed */

  /* thread-readiness.c */
  struct watcher *watcher; /* none until it is needed */

  /* messages.c: the memory for the control messages of recvmsg, and its capacity. */
  struct control_block *control;
  napi_ref control_reference;
  size_t control_capacity;

  /* receive-memory.c */
  uint8_t *overflow; /* for the bytes of a message that do not fit the caller's buffers */
  uint8_t *batch;    /* for the messages of recvmmsg; reserved on first use */
};

/* Extends a table from `from` to `to` items. New items are zero. NULL without memory. */
void *grow_table(void *table, size_t item, size_t from, size_t to);

#endif
