/*
 * The descriptors that belong to one environment. Each is recorded in the native call that makes it, so
 * that a worker that is terminated between two instructions of JavaScript leaves none open.
 */
#include "owned-descriptors.h"

#include <unistd.h>

#include "call.h"
#include "exports.h"

enum { WORD_BITS = 64 };

void own_descriptor(struct instance *instance, int fd) {
  if (fd < 0) return;
  size_t word = (size_t)fd / WORD_BITS;
  if (word >= instance->owned_words) {
    size_t words = 2 * word + 2;
    uint64_t *owned = grow_table(instance->owned, sizeof *owned, instance->owned_words, words);
    if (owned == NULL) napi_fatal_error("seqpacket", NAPI_AUTO_LENGTH, "out of memory", NAPI_AUTO_LENGTH);
    instance->owned = owned;
    instance->owned_words = words;
  }
  instance->owned[word] |= UINT64_C(1) << ((size_t)fd % WORD_BITS);
}

void disown_descriptor(struct instance *instance, int fd) {
  if (fd < 0) return;
  size_t word = (size_t)fd / WORD_BITS;
  if (word < instance->owned_words) instance->owned[word] &= ~(UINT64_C(1) << ((size_t)fd % WORD_BITS));
}

void close_owned_descriptors(struct instance *instance) {
  for (size_t word = 0; word < instance->owned_words; word++) {
    for (size_t bit = 0; bit < WORD_BITS; bit++) {
      if (instance->owned[word] >> bit & 1) close((int)(word * WORD_BITS + bit));
    }
    instance->owned[word] = 0;
  }
}

napi_value js_own(napi_env env, napi_callback_info info) {
  struct call call = begin_call(env, info);
  int fd = integer_argument(&call, 0);
  if (!call.failed) own_descriptor(call.instance, fd);
  return NULL;
}

napi_value js_disown(napi_env env, napi_callback_info info) {
  struct call call = begin_call(env, info);
  int fd = integer_argument(&call, 0);
  if (!call.failed) disown_descriptor(call.instance, fd);
  return NULL;
}
