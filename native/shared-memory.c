/* Files in memory that processes share, and their mappings as ArrayBuffers. One function per system call. */
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "call.h"
#include "exports.h"

/* memfd_create(name, flags). By its number, because older C libraries have no function for it. */
napi_value js_memfdCreate(napi_env env, napi_callback_info info) {
  struct call call = begin_call(env, info);
  size_t length;
  const char *name = bytes_argument(&call, 0, &length);
  unsigned flags = (unsigned)integer_argument(&call, 1);
  if (call.failed || length == 0 || name[length - 1] != '\0') return arguments_unread(&call);
  return new_descriptor(&call, (int)syscall(SYS_memfd_create, name, flags));
}

/* ftruncate(fd, length) */
napi_value js_ftruncate(napi_env env, napi_callback_info info) {
  struct call call = begin_call(env, info);
  int fd = integer_argument(&call, 0);
  int length = integer_argument(&call, 1);
  if (call.failed) return arguments_unread(&call);
  int result;
  RETRY(result, ftruncate(fd, length));
  return outcome(&call, result);
}

/* lseek(fd, offset, whence). The position can be greater than 2^31. */
napi_value js_lseek(napi_env env, napi_callback_info info) {
  struct call call = begin_call(env, info);
  int fd = integer_argument(&call, 0);
  int offset = integer_argument(&call, 1);
  int whence = integer_argument(&call, 2);
  if (call.failed) return arguments_unread(&call);
  off_t position = lseek(fd, offset, whence);
  if (position == -1) return outcome(&call, -1);
  napi_value result = NULL;
  return napi_create_int64(env, position, &result) == napi_ok ? result : NULL;
}

/* fallocate(fd, mode, offset, length) */
napi_value js_fallocate(napi_env env, napi_callback_info info) {
  struct call call = begin_call(env, info);
  int fd = integer_argument(&call, 0);
  int mode = integer_argument(&call, 1);
  int offset = integer_argument(&call, 2);
  int length = integer_argument(&call, 3);
  if (call.failed) return arguments_unread(&call);
  int result;
  RETRY(result, fallocate(fd, mode, offset, length));
  return outcome(&call, result);
}

/* The length of the mapping is the hint, so that it is known when the ArrayBuffer has been detached. */
static void unmap(napi_env env, void *data, void *hint) {
  (void)env;
  munmap(data, (size_t)(uintptr_t)hint);
}

/* mmap(fd, length), shared, readable and writable: an ArrayBuffer, or the negative errno */
napi_value js_mmap(napi_env env, napi_callback_info info) {
  struct call call = begin_call(env, info);
  int fd = integer_argument(&call, 0);
  int length = integer_argument(&call, 1);
  if (call.failed || length <= 0) return arguments_unread(&call);
  void *hint = (void *)(uintptr_t)length;
  void *memory = mmap(NULL, (size_t)length, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (memory == MAP_FAILED) return outcome(&call, -1);
  napi_value result = NULL;
  napi_status status = napi_create_external_arraybuffer(env, memory, (size_t)length, unmap, hint, &result);
  if (status == napi_ok) return result;
  munmap(memory, (size_t)length);
  /* The runtime may have thrown. Its exception is not for the caller, which gets a number. */
  napi_value exception;
  (void)napi_get_and_clear_last_exception(env, &exception);
  return integer_result(&call, status == napi_no_external_buffers_allowed ? -ENOTSUP : -ENOMEM);
}

/* munmap(memory): detaches the ArrayBuffer, whose memory is then unmapped */
napi_value js_munmap(napi_env env, napi_callback_info info) {
  struct call call = begin_call(env, info);
  if (call.failed || napi_detach_arraybuffer(env, call.values[0]) != napi_ok) return arguments_unread(&call);
  return integer_result(&call, 0);
}
