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

const size_t spill_size = (size_t)64 << 20;

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
