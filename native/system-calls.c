/* One function per system call. Each returns what the call returned, or the negative errno. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "call.h"
#include "exports.h"
#include "owned-descriptors.h"

#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77
#endif

/* socket(domain, type, protocol) */
napi_value js_socket(napi_env env, napi_callback_info info) {
  struct call call = begin_call(env, info);
  int domain = integer_argument(&call, 0);
  int type = integer_argument(&call, 1);
  int protocol = integer_argument(&call, 2);
  if (call.failed) return arguments_unread(&call);
  return new_descriptor(&call, socket(domain, type, protocol));
}

/* socketpair(domain, type, protocol, ends: Int32Array of 2) */
napi_value js_socketpair(napi_env env, napi_callback_info info) {
  struct call call = begin_call(env, info);
  int domain = integer_argument(&call, 0);
  int type = integer_argument(&call, 1);
  int protocol = integer_argument(&call, 2);
  size_t length;
  int *ends = bytes_argument(&call, 3, &length);
  if (call.failed || length < 2 * sizeof *ends) return arguments_unread(&call);
  int result = socketpair(domain, type, protocol, ends);
  if (result == -1) return outcome(&call, result);
  own_descriptor(call.instance, ends[0]);
  own_descriptor(call.instance, ends[1]);
  return integer_result(&call, result);
}

/* bind(fd, address: sockaddr) */
napi_value js_bind(napi_env env, napi_callback_info info) {
  struct call call = begin_call(env, info);
  int fd = integer_argument(&call, 0);
  size_t length;
  const void *address = bytes_argument(&call, 1, &length);
  if (call.failed) return arguments_unread(&call);
  return outcome(&call, bind(fd, address, (socklen_t)length));
}

/* listen(fd, backlog) */
napi_value js_listen(napi_env env, napi_callback_info info) {
  struct call call = begin_call(env, info);
  int fd = integer_argument(&call, 0);
  int backlog = integer_argument(&call, 1);
  if (call.failed) return arguments_unread(&call);
  return outcome(&call, listen(fd, backlog));
}

/* accept4(fd, flags) */
napi_value js_accept4(napi_env env, napi_callback_info info) {
  struct call call = begin_call(env, info);
  int fd = integer_argument(&call, 0);
  int flags = integer_argument(&call, 1);
  if (call.failed) return arguments_unread(&call);
  int accepted;
  RETRY(accepted, accept4(fd, NULL, NULL, flags));
  return new_descriptor(&call, accepted);
}

/* connect(fd, address: sockaddr) */
napi_value js_connect(napi_env env, napi_callback_info info) {
  struct call call = begin_call(env, info);
  int fd = integer_argument(&call, 0);
  size_t length;
  const void *address = bytes_argument(&call, 1, &length);
  if (call.failed) return arguments_unread(&call);
  int result;
  RETRY(result, connect(fd, address, (socklen_t)length));
  return outcome(&call, result);
}

/* shutdown(fd, how) */
napi_value js_shutdown(napi_env env, napi_callback_info info) {
  struct call call = begin_call(env, info);
  int fd = integer_argument(&call, 0);
  int how = integer_argument(&call, 1);
  if (call.failed) return arguments_unread(&call);
  return outcome(&call, shutdown(fd, how));
}

/* getsockopt(fd, level, name, value): the length of the value */
napi_value js_getsockopt(napi_env env, napi_callback_info info) {
  struct call call = begin_call(env, info);
  int fd = integer_argument(&call, 0);
  int level = integer_argument(&call, 1);
  int name = integer_argument(&call, 2);
  size_t length;
  void *value = bytes_argument(&call, 3, &length);
  if (call.failed) return arguments_unread(&call);
  socklen_t used = (socklen_t)length;
  int result = getsockopt(fd, level, name, value, &used);
  if (result == 0 && value != NULL && level == SOL_SOCKET && name == SO_PEERPIDFD && used == sizeof(int)) {
    int pidfd;
    memcpy(&pidfd, value, sizeof pidfd);
    own_descriptor(call.instance, pidfd);
  }
  return outcome(&call, result == -1 ? -1 : (int64_t)used);
}

/* setsockopt(fd, level, name, value) */
napi_value js_setsockopt(napi_env env, napi_callback_info info) {
  struct call call = begin_call(env, info);
  int fd = integer_argument(&call, 0);
  int level = integer_argument(&call, 1);
  int name = integer_argument(&call, 2);
  size_t length;
  const void *value = bytes_argument(&call, 3, &length);
  if (call.failed) return arguments_unread(&call);
  return outcome(&call, setsockopt(fd, level, name, value, (socklen_t)length));
}

typedef int (*name_call)(int fd, struct sockaddr *address, socklen_t *length);

static napi_value socket_name(napi_env env, napi_callback_info info, name_call name) {
  struct call call = begin_call(env, info);
  int fd = integer_argument(&call, 0);
  size_t length;
  void *address = bytes_argument(&call, 1, &length);
  if (call.failed) return arguments_unread(&call);
  socklen_t used = (socklen_t)length;
  int result = name(fd, address, &used);
  return outcome(&call, result == -1 ? -1 : (int64_t)used);
}

static int own_name(int fd, struct sockaddr *address, socklen_t *length) {
  return getsockname(fd, address, length);
}

static int peer_name(int fd, struct sockaddr *address, socklen_t *length) {
  return getpeername(fd, address, length);
}

/* getsockname(fd, address): the length of the address */
napi_value js_getsockname(napi_env env, napi_callback_info info) { return socket_name(env, info, own_name); }

/* getpeername(fd, address): the length of the address */
napi_value js_getpeername(napi_env env, napi_callback_info info) { return socket_name(env, info, peer_name); }

/* ioctl(fd, request), for requests that return one int: that int */
napi_value js_ioctl(napi_env env, napi_callback_info info) {
  struct call call = begin_call(env, info);
  int fd = integer_argument(&call, 0);
  int request = integer_argument(&call, 1);
  if (call.failed) return arguments_unread(&call);
  int answer = 0;
  int result = ioctl(fd, (unsigned long)request, &answer);
  return outcome(&call, result == -1 ? -1 : answer);
}

/* fcntl(fd, command, argument), for commands that do not make a descriptor */
napi_value js_fcntl(napi_env env, napi_callback_info info) {
  struct call call = begin_call(env, info);
  int fd = integer_argument(&call, 0);
  int command = integer_argument(&call, 1);
  int argument = integer_argument(&call, 2);
  if (call.failed) return arguments_unread(&call);
  return outcome(&call, fcntl(fd, command, argument));
}

/* dup(fd): fcntl(2) with F_DUPFD_CLOEXEC, which is dup(2) with close-on-exec from the start */
napi_value js_dup(napi_env env, napi_callback_info info) {
  struct call call = begin_call(env, info);
  int fd = integer_argument(&call, 0);
  if (call.failed) return arguments_unread(&call);
  return new_descriptor(&call, fcntl(fd, F_DUPFD_CLOEXEC, 0));
}

/* fchmod(fd, mode) */
napi_value js_fchmod(napi_env env, napi_callback_info info) {
  struct call call = begin_call(env, info);
  int fd = integer_argument(&call, 0);
  int mode = integer_argument(&call, 1);
  if (call.failed) return arguments_unread(&call);
  return outcome(&call, fchmod(fd, (mode_t)mode));
}

/* poll(fd, events, milliseconds): the events, or 0. Not repeated after a signal, when less time is left. */
napi_value js_poll(napi_env env, napi_callback_info info) {
  struct call call = begin_call(env, info);
  int fd = integer_argument(&call, 0);
  int events = integer_argument(&call, 1);
  int milliseconds = integer_argument(&call, 2);
  if (call.failed) return arguments_unread(&call);
  struct pollfd polled = {.fd = fd, .events = (short)events};
  int result = poll(&polled, 1, milliseconds);
  return outcome(&call, result == -1 ? -1 : polled.revents);
}

/* close(fd). On Linux an interrupted close(2) has closed the descriptor: never repeated. */
napi_value js_close(napi_env env, napi_callback_info info) {
  struct call call = begin_call(env, info);
  int fd = integer_argument(&call, 0);
  if (call.failed) return arguments_unread(&call);
  disown_descriptor(call.instance, fd);
  int result = close(fd);
  return outcome(&call, result == -1 && errno == EINTR ? 0 : result);
}
