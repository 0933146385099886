/*
 * The last buffer of every recvmsg(2): what does not fit the caller's buffers lands here instead of
 * being cut by the kernel. Address space only: no page is touched until a message is too long, and
 * pages that were touched are given back as soon as the message has been fetched from here.
 *
 * Linux makes no message longer than its largest kmalloc plus 17 pages (4 MiB + 68 KiB with pages of
 * 4 KiB, measured: 4,263,616 bytes), so this is room enough.
 */
#include "addon.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

const size_t spill_size = (size_t)64 << 20;

static const size_t longest_message = (size_t)9 << 19;
/* Slots do not begin at the same place of a page, or the processor's cache would hold only a few of them. */
static const size_t skew = 4096 + 192;
static const size_t batch_size = MAX_BATCH * (((size_t)9 << 19) + 4096 + 192);

bool reserve_spill(struct instance *instance) {
  void *area =
      mmap(NULL, spill_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (area == MAP_FAILED) return false;
  instance->spill = area;
  return true;
}

void free_spill(struct instance *instance) {
  if (instance->spill != NULL) munmap(instance->spill, spill_size);
  instance->spill = NULL;
  if (instance->batch != NULL) munmap(instance->batch, batch_size);
  instance->batch = NULL;
}

uint8_t *reserve_batch(struct instance *instance, size_t *stride, size_t *capacity) {
  /* Longer messages are possible only where pages are larger. */
  *stride = longest_message * (size_t)sysconf(_SC_PAGESIZE) / 4096 + skew;
  *capacity = batch_size / *stride;
  if (instance->batch == NULL) {
    void *area =
        mmap(NULL, batch_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (area == MAP_FAILED) return NULL;
    instance->batch = area;
  }
  return instance->batch;
}

/* takeBatch(target, results, first, count): copies messages of the last recvmmsg, one behind the other */
napi_value js_takeBatch(napi_env env, napi_callback_info info) {
  struct arguments arguments = read_arguments(env, info);
  size_t room, results_length, stride, capacity;
  uint8_t *target = bytes_argument(env, arguments.values[0], &room);
  const struct batch_result *results = bytes_argument(env, arguments.values[1], &results_length);
  size_t first = (size_t)integer_argument(env, arguments.values[2]);
  size_t count = (size_t)integer_argument(env, arguments.values[3]);
  const uint8_t *batch = reserve_batch(arguments.instance, &stride, &capacity);
  if (batch == NULL || target == NULL || results == NULL) return NULL;
  if (first > capacity || count > capacity - first) return NULL;
  if (first + count > results_length / sizeof *results) return NULL;
  size_t copied = 0;
  for (size_t i = first; i < first + count; i++) {
    size_t length = (size_t)results[i].length;
    if (length > stride - BATCH_CONTROL || length > room - copied) break;
    if (length > 0) memcpy(target + copied, batch + i * stride + BATCH_CONTROL, length);
    copied += length;
  }
  return NULL;
}

/* releaseBatch(): gives back the memory of the area that recvmmsg receives into */
napi_value js_releaseBatch(napi_env env, napi_callback_info info) {
  struct arguments arguments = read_arguments(env, info);
  (void)env;
  if (arguments.instance->batch != NULL) madvise(arguments.instance->batch, batch_size, MADV_DONTNEED);
  return NULL;
}

/* takeBatchControl(index, results): what came beside one message of the last recvmmsg, as recvmsg leaves it
 */
napi_value js_takeBatchControl(napi_env env, napi_callback_info info) {
  struct arguments arguments = read_arguments(env, info);
  size_t index = (size_t)integer_argument(env, arguments.values[0]);
  size_t results_length, stride, capacity;
  const struct batch_result *results = bytes_argument(env, arguments.values[1], &results_length);
  struct control_block *control = arguments.instance->control;
  const uint8_t *batch = reserve_batch(arguments.instance, &stride, &capacity);
  if (batch == NULL || control == NULL) return NULL;
  if (index >= capacity || index >= results_length / sizeof *results) return NULL;
  size_t length = (size_t)results[index].control_length;
  if (length > BATCH_CONTROL) return NULL;
  control->length = (uint32_t)length;
  control->flags = (uint32_t)results[index].flags;
  memcpy(control->messages, batch + index * stride, length);
  return NULL;
}

/* takeSpilled(target): copies the first bytes to the target and empties the area. */
napi_value js_takeSpilled(napi_env env, napi_callback_info info) {
  struct arguments arguments = read_arguments(env, info);
  size_t length;
  void *target = bytes_argument(env, arguments.values[0], &length);
  if (length > spill_size) length = spill_size;
  if (target != NULL) memcpy(target, arguments.instance->spill, length);
  madvise(arguments.instance->spill, spill_size, MADV_DONTNEED);
  return NULL;
}
