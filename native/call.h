/*
 * The arguments and the result of one call from JavaScript.
 *
 * Any function of Node-API may fail once another thread has begun to terminate this one. A failure is
 * noted in the call. Each function checks `failed` before its system call, so that nothing reaches the
 * kernel that was not read whole.
 */
#ifndef SEQPACKET_CALL_H
#define SEQPACKET_CALL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "instance.h"

enum { MAX_ARGUMENTS = 7 };

struct call {
  napi_env env;
  struct instance *instance;
  napi_value values[MAX_ARGUMENTS];
  bool failed;
};

struct call begin_call(napi_env env, napi_callback_info info);

int32_t integer_argument(struct call *call, size_t index);
bool boolean_argument(struct call *call, size_t index);

/* The memory of a Uint8Array or an Int32Array, and its length in bytes. NULL for one of length 0. */
void *bytes_argument(struct call *call, size_t index, size_t *length);

/* As bytes_argument; NULL for null. */
void *optional_bytes_argument(struct call *call, size_t index, size_t *length);

/* The memory of one Uint8Array, or of each in an array of them; -1 if there are more than the capacity. */
int read_parts(struct call *call, napi_value value, struct iovec *parts, uint32_t capacity);

/* The result of a call whose arguments could not be read: -EFAULT. */
napi_value arguments_unread(struct call *call);

/* Results are descriptors and the lengths of messages and names: far below 2^31. */
napi_value integer_result(struct call *call, int64_t value);

/* The result of a system call, or the negative errno. */
napi_value outcome(struct call *call, int64_t result);

/* The same for a call that makes a descriptor, which the environment owns from here on. */
napi_value new_descriptor(struct call *call, int fd);

/* Repeats a call that a signal interrupted. */
#define RETRY(result, call) \
  do {                      \
    (result) = (call);      \
  } while ((result) == -1 && errno == EINTR)

#endif
