/* Reads arguments and makes results; see call.h. */
#include "call.h"

#include <errno.h>

#include "owned-descriptors.h"

struct call begin_call(napi_env env, napi_callback_info info) {
  struct call call = {.env = env};
  size_t count = MAX_ARGUMENTS;
  void *instance = NULL;
  call.failed = napi_get_cb_info(env, info, &count, call.values, NULL, &instance) != napi_ok;
  call.instance = instance;
  return call;
}

int32_t integer_argument(struct call *call, size_t index) {
  int32_t result = -1;
  if (call->failed || napi_get_value_int32(call->env, call->values[index], &result) != napi_ok)
    call->failed = true;
  return result;
}

bool boolean_argument(struct call *call, size_t index) {
  bool result = false;
  if (call->failed || napi_get_value_bool(call->env, call->values[index], &result) != napi_ok)
    call->failed = true;
  return result;
}

static napi_status bytes_of(napi_env env, napi_value value, void **data, size_t *length) {
  napi_typedarray_type type = napi_uint8_array;
  napi_status status = napi_get_typedarray_info(env, value, &type, length, data, NULL, NULL);
  if (status != napi_ok) return status;
  if (type == napi_int32_array) *length *= sizeof(int32_t);
  else if (type != napi_uint8_array) return napi_invalid_arg;
  return napi_ok;
}

void *bytes_argument(struct call *call, size_t index, size_t *length) {
  void *data = NULL;
  *length = 0;
  if (call->failed || bytes_of(call->env, call->values[index], &data, length) != napi_ok) {
    call->failed = true;
    *length = 0;
    return NULL;
  }
  return data;
}

void *optional_bytes_argument(struct call *call, size_t index, size_t *length) {
  napi_valuetype type = napi_null;
  *length = 0;
  if (call->failed || napi_typeof(call->env, call->values[index], &type) != napi_ok) {
    call->failed = true;
    return NULL;
  }
  return type == napi_null ? NULL : bytes_argument(call, index, length);
}

int read_parts(struct call *call, napi_value value, struct iovec *parts, uint32_t capacity) {
  if (call->failed) return 0;
  napi_env env = call->env;
  napi_status status = bytes_of(env, value, &parts[0].iov_base, &parts[0].iov_len);
  if (status == napi_ok) return 1;
  uint32_t count = 0;
  call->failed = status != napi_invalid_arg || napi_get_array_length(env, value, &count) != napi_ok;
  if (call->failed) return 0;
  if (count > capacity) return -1;
  for (uint32_t i = 0; i < count; i++) {
    napi_value part = NULL;
    if (napi_get_element(env, value, i, &part) != napi_ok ||
        bytes_of(env, part, &parts[i].iov_base, &parts[i].iov_len) != napi_ok) {
      call->failed = true;
      return 0;
    }
  }
  return (int)count;
}

napi_value arguments_unread(struct call *call) { return integer_result(call, -EFAULT); }

napi_value integer_result(struct call *call, int64_t value) {
  napi_value result = NULL;
  return napi_create_int32(call->env, (int32_t)value, &result) == napi_ok ? result : NULL;
}

napi_value outcome(struct call *call, int64_t result) {
  return integer_result(call, result == -1 ? -errno : result);
}

napi_value new_descriptor(struct call *call, int fd) {
  if (fd == -1) return outcome(call, -1);
  own_descriptor(call->instance, fd);
  return integer_result(call, fd);
}
