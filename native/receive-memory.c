/*
 * The overflow area: the last buffer of every recvmsg(2), for the bytes that do not fit the caller's
 * buffers and that the kernel would otherwise cut. The batch area: the memory of recvmmsg(2).
 *
 * Both are address space. A page is touched only by a long message, and released once the message was
 * copied. With huge pages, a short message in each slot of a batch would occupy 2 MiB.
 *
 * Linux makes no message longer than its largest kmalloc plus 17 pages (4 MiB + 68 KiB with pages of
 * 4 KiB, measured: 4,263,616 bytes). Both grow in proportion to the size of a page.
 */
#include "receive-memory.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "call.h"
#include "exports.h"

/* For pages of 4 KiB. Tests make it smaller, to receive messages that are longer than the area. */
#ifndef LONGEST_MESSAGE
#define LONGEST_MESSAGE ((size_t)9 << 19)
#endif

/* Slots begin at different offsets within a page, so that they do not share the same sets of the cache. */
static const size_t skew = 4096 + 192;

static size_t longest_message(void) { return LONGEST_MESSAGE / 4096 * (size_t)sysconf(_SC_PAGESIZE); }

size_t overflow_size(void) { return longest_message(); }

static size_t batch_stride(void) { return longest_message() + skew; }

static size_t batch_size(void) { return MAX_BATCH * batch_stride(); }

static void *reserve(size_t size) {
  void *area = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (area == MAP_FAILED) return NULL;
  /* Fails only where the kernel has no huge pages at all. */
  (void)madvise(area, size, MADV_NOHUGEPAGE);
  return area;
}

bool reserve_overflow(struct instance *instance) {
  instance->overflow = reserve(overflow_size());
  return instance->overflow != NULL;
}

void free_receive_memory(struct instance *instance) {
  if (instance->overflow != NULL) munmap(instance->overflow, overflow_size());
  instance->overflow = NULL;
  if (instance->batch != NULL) munmap(instance->batch, batch_size());
  instance->batch = NULL;
}

uint8_t *reserve_batch(struct instance *instance, size_t *stride) {
  *stride = batch_stride();
  if (instance->batch == NULL) instance->batch = reserve(batch_size());
  return instance->batch;
}

/* takeBatch(target, results, first, count): copies messages of the last recvmmsg, one after the other */
napi_value js_takeBatch(napi_env env, napi_callback_info info) {
  struct call call = begin_call(env, info);
  size_t room, results_length;
  uint8_t *target = bytes_argument(&call, 0, &room);
  const struct batch_result *results = bytes_argument(&call, 1, &results_length);
  size_t first = (size_t)integer_argument(&call, 2);
  size_t count = (size_t)integer_argument(&call, 3);
  if (call.failed || call.instance->batch == NULL) return arguments_unread(&call);
  const uint8_t *batch = call.instance->batch;
  if (first > MAX_BATCH || count > MAX_BATCH - first || first + count > results_length / sizeof *results)
    return arguments_unread(&call);
  const size_t stride = batch_stride();
  size_t copied = 0;
  for (size_t i = first; i < first + count; i++) {
    size_t length = (size_t)results[i].length;
    if (length > stride - BATCH_CONTROL || length > room - copied) return arguments_unread(&call);
    if (length > 0) memcpy(target + copied, batch + i * stride + BATCH_CONTROL, length);
    copied += length;
  }
  return integer_result(&call, (int64_t)copied);
}

/* releaseBatch(): returns the memory of the batch area to the kernel */
napi_value js_releaseBatch(napi_env env, napi_callback_info info) {
  struct call call = begin_call(env, info);
  if (call.failed || call.instance->batch == NULL) return arguments_unread(&call);
  return outcome(&call, madvise(call.instance->batch, batch_size(), MADV_DONTNEED));
}

/* takeBatchControl(index, results): the control messages of one message of the last recvmmsg */
napi_value js_takeBatchControl(napi_env env, napi_callback_info info) {
  struct call call = begin_call(env, info);
  size_t index = (size_t)integer_argument(&call, 0);
  size_t results_length;
  const struct batch_result *results = bytes_argument(&call, 1, &results_length);
  if (call.failed || call.instance->batch == NULL) return arguments_unread(&call);
  const uint8_t *batch = call.instance->batch;
  struct control_block *control = call.instance->control;
  if (index >= MAX_BATCH || index >= results_length / sizeof *results || control == NULL)
    return arguments_unread(&call);
  size_t length = (size_t)results[index].control_length;
  if (length > BATCH_CONTROL) return arguments_unread(&call);
  control->length = (uint32_t)length;
  control->flags = (uint32_t)results[index].flags;
  memcpy(control->messages, batch + index * batch_stride(), length);
  return integer_result(&call, 0);
}

/* takeOverflow(target): copies the first bytes to the target and empties the area. */
napi_value js_takeOverflow(napi_env env, napi_callback_info info) {
  struct call call = begin_call(env, info);
  size_t length;
  void *target = bytes_argument(&call, 0, &length);
  if (call.failed || length > overflow_size()) return arguments_unread(&call);
  if (length > 0) memcpy(target, call.instance->overflow, length);
  /* Fails only for locked memory (mlockall(2)), which then stays resident. */
  (void)madvise(call.instance->overflow, overflow_size(), MADV_DONTNEED);
  return integer_result(&call, (int64_t)length);
}
