/* One function per system call. Each returns what the call returned, or the negative errno. */
#include "addon.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77
#endif
#ifndef SCM_PIDFD
#define SCM_PIDFD 4
#endif

/* Repeats a call that a signal interrupted. */
#define RETRY(result, call) \
  do {                      \
    (result) = (call);      \
  } while ((result) == -1 && errno == EINTR)

/*
 * Not those of the C library: musl's copies what is sent beside a message, and has no room there for as
 * many descriptors as fit one; and it sends many messages one by one.
 */
static ssize_t send_message(int fd, const struct msghdr *message, int flags) {
  return syscall(SYS_sendmsg, fd, message, flags);
}

static int send_messages(int fd, struct mmsghdr *messages, unsigned int count, int flags) {
  return (int)syscall(SYS_sendmmsg, fd, messages, count, flags);
}

static napi_value outcome(napi_env env, int64_t result) {
  return integer_result(env, result == -1 ? -errno : result);
}

static napi_value new_descriptor(napi_env env, struct instance *instance, int fd) {
  if (fd == -1) return outcome(env, -1);
  own_descriptor(instance, fd);
  return integer_result(env, fd);
}

/* socket(domain, type, protocol) */
napi_value js_socket(napi_env env, napi_callback_info info) {
  struct arguments arguments = read_arguments(env, info);
  int domain = integer_argument(env, arguments.values[0]);
  int type = integer_argument(env, arguments.values[1]);
  int protocol = integer_argument(env, arguments.values[2]);
  return new_descriptor(env, arguments.instance, socket(domain, type, protocol));
}

/* socketpair(domain, type, protocol, ends: Int32Array of 2) */
napi_value js_socketpair(napi_env env, napi_callback_info info) {
  struct arguments arguments = read_arguments(env, info);
  int domain = integer_argument(env, arguments.values[0]);
  int type = integer_argument(env, arguments.values[1]);
  int protocol = integer_argument(env, arguments.values[2]);
  size_t length;
  int *ends = bytes_argument(env, arguments.values[3], &length);
  if (ends == NULL || length < 2 * sizeof *ends) return integer_result(env, -EFAULT);
  int result = socketpair(domain, type, protocol, ends);
  if (result == -1) return outcome(env, result);
  own_descriptor(arguments.instance, ends[0]);
  own_descriptor(arguments.instance, ends[1]);
  return integer_result(env, result);
}

/* bind(fd, address: sockaddr) */
napi_value js_bind(napi_env env, napi_callback_info info) {
  struct arguments arguments = read_arguments(env, info);
  int fd = integer_argument(env, arguments.values[0]);
  size_t length;
  const void *address = bytes_argument(env, arguments.values[1], &length);
  return outcome(env, bind(fd, address, (socklen_t)length));
}

/* listen(fd, backlog) */
napi_value js_listen(napi_env env, napi_callback_info info) {
  struct arguments arguments = read_arguments(env, info);
  int fd = integer_argument(env, arguments.values[0]);
  int backlog = integer_argument(env, arguments.values[1]);
  return outcome(env, listen(fd, backlog));
}

/* accept4(fd, flags) */
napi_value js_accept4(napi_env env, napi_callback_info info) {
  struct arguments arguments = read_arguments(env, info);
  int fd = integer_argument(env, arguments.values[0]);
  int flags = integer_argument(env, arguments.values[1]);
  int accepted;
  RETRY(accepted, accept4(fd, NULL, NULL, flags));
  return new_descriptor(env, arguments.instance, accepted);
}

/* connect(fd, address: sockaddr) */
napi_value js_connect(napi_env env, napi_callback_info info) {
  struct arguments arguments = read_arguments(env, info);
  int fd = integer_argument(env, arguments.values[0]);
  size_t length;
  const void *address = bytes_argument(env, arguments.values[1], &length);
  int result;
  RETRY(result, connect(fd, address, (socklen_t)length));
  return outcome(env, result);
}

/* shutdown(fd, how) */
napi_value js_shutdown(napi_env env, napi_callback_info info) {
  struct arguments arguments = read_arguments(env, info);
  int fd = integer_argument(env, arguments.values[0]);
  int how = integer_argument(env, arguments.values[1]);
  return outcome(env, shutdown(fd, how));
}

/* The memory of one Uint8Array or of an array of them, as iovecs; -1 if there are more than fit. */
static int read_parts(napi_env env, napi_value value, struct iovec *parts, uint32_t capacity) {
  parts[0].iov_base = bytes_argument(env, value, &parts[0].iov_len);
  bool is_array = false;
  if (parts[0].iov_base != NULL || napi_is_array(env, value, &is_array) != napi_ok || !is_array) return 1;
  uint32_t count = 0;
  napi_get_array_length(env, value, &count);
  if (count > capacity) return -1;
  for (uint32_t i = 0; i < count; i++) {
    napi_value part = NULL;
    napi_get_element(env, value, i, &part);
    parts[i].iov_base = bytes_argument(env, part, &parts[i].iov_len);
  }
  return (int)count;
}

/* Returns how many there were. */
static int own_received_descriptors(struct instance *instance, struct msghdr *message) {
  int count = 0;
  for (struct cmsghdr *header = CMSG_FIRSTHDR(message); header != NULL;
       header = CMSG_NXTHDR(message, header)) {
    bool carries_descriptors = header->cmsg_level == SOL_SOCKET &&
                               (header->cmsg_type == SCM_RIGHTS || header->cmsg_type == SCM_PIDFD);
    if (!carries_descriptors) continue;
    size_t bytes = header->cmsg_len - CMSG_LEN(0);
    for (size_t at = 0; at + sizeof(int) <= bytes; at += sizeof(int)) {
      int fd;
      memcpy(&fd, CMSG_DATA(header) + at, sizeof fd);
      own_descriptor(instance, fd);
      count++;
    }
  }
  return count;
}

/* recvmsg(fd, parts, flags): the bytes received, of which those past the parts are spilled. */
napi_value js_recvmsg(napi_env env, napi_callback_info info) {
  struct arguments arguments = read_arguments(env, info);
  struct iovec parts[IOV_MAX];
  int fd = integer_argument(env, arguments.values[0]);
  int count = read_parts(env, arguments.values[1], parts, IOV_MAX - 1);
  int flags = integer_argument(env, arguments.values[2]);
  struct control_block *control = arguments.instance->control;
  if (count < 0) return integer_result(env, -EMSGSIZE);
  if (control == NULL) return integer_result(env, -EFAULT);

  parts[count++] = (struct iovec){.iov_base = arguments.instance->spill, .iov_len = spill_size};
  struct msghdr message = {
      .msg_iov = parts,
      .msg_iovlen = (size_t)count,
      .msg_control = control->messages,
      .msg_controllen = arguments.instance->control_capacity,
  };
  ssize_t result;
  RETRY(result, recvmsg(fd, &message, flags));
  if (result == -1) return outcome(env, result);
  control->length = (uint32_t)message.msg_controllen;
  control->flags = (uint32_t)message.msg_flags;
  if (message.msg_controllen != 0) own_received_descriptors(arguments.instance, &message);
  return integer_result(env, result);
}

/* sendmsg(fd, parts, control | null, flags) */
napi_value js_sendmsg(napi_env env, napi_callback_info info) {
  struct arguments arguments = read_arguments(env, info);
  struct iovec parts[IOV_MAX];
  int fd = integer_argument(env, arguments.values[0]);
  int count = read_parts(env, arguments.values[1], parts, IOV_MAX);
  size_t length;
  struct control_block *control = bytes_argument(env, arguments.values[2], &length);
  int flags = integer_argument(env, arguments.values[3]);
  if (count < 0) return integer_result(env, -EMSGSIZE);

  struct msghdr message = {.msg_iov = parts, .msg_iovlen = (size_t)count};
  if (control != NULL) {
    if (length < sizeof *control || length - sizeof *control < control->length) {
      return integer_result(env, -EFAULT);
    }
    message.msg_control = control->messages;
    message.msg_controllen = control->length;
  }
  ssize_t result;
  RETRY(result, send_message(fd, &message, flags));
  return outcome(env, result);
}

/* controlBlock(block): where every recvmsg puts what comes beside a message */
napi_value js_controlBlock(napi_env env, napi_callback_info info) {
  struct arguments arguments = read_arguments(env, info);
  struct instance *instance = arguments.instance;
  size_t length;
  struct control_block *control = bytes_argument(env, arguments.values[0], &length);
  if (control == NULL || length < sizeof *control + BATCH_CONTROL) return integer_result(env, -EFAULT);
  /* The reference keeps the memory for as long as the environment. */
  if (napi_create_reference(env, arguments.values[0], 1, &instance->control_reference) != napi_ok)
    return integer_result(env, -ENOMEM);
  instance->control = control;
  instance->control_capacity = length - sizeof *control;
  return integer_result(env, 0);
}

/* send(fd, data, flags): for what is one buffer and nothing beside it, cheaper than sendmsg(2) */
napi_value js_send(napi_env env, napi_callback_info info) {
  struct arguments arguments = read_arguments(env, info);
  int fd = integer_argument(env, arguments.values[0]);
  size_t length;
  const void *data = bytes_argument(env, arguments.values[1], &length);
  int flags = integer_argument(env, arguments.values[2]);
  ssize_t result;
  RETRY(result, send(fd, data, length, flags));
  return outcome(env, result);
}

/*
 * recvmmsg(fd, max, results, flags): the number of messages, received into the batch area. Of each,
 * `results` gets the length, the flags, the bytes of control messages, and the number of descriptors.
 */
napi_value js_recvmmsg(napi_env env, napi_callback_info info) {
  struct arguments arguments = read_arguments(env, info);
  int fd = integer_argument(env, arguments.values[0]);
  size_t max = (size_t)integer_argument(env, arguments.values[1]);
  size_t length, stride, capacity;
  struct batch_result *results = bytes_argument(env, arguments.values[2], &length);
  int flags = integer_argument(env, arguments.values[3]);
  uint8_t *area = reserve_batch(arguments.instance, &stride, &capacity);
  if (area == NULL) return integer_result(env, -ENOMEM);
  if (max > capacity) max = capacity;
  if (max > MAX_BATCH) max = MAX_BATCH;
  if (results == NULL || length < max * sizeof *results) return integer_result(env, -EFAULT);

  struct iovec parts[MAX_BATCH];
  struct mmsghdr messages[MAX_BATCH];
  for (size_t i = 0; i < max; i++) {
    uint8_t *slot = area + i * stride;
    parts[i] = (struct iovec){.iov_base = slot + BATCH_CONTROL, .iov_len = stride - BATCH_CONTROL};
    messages[i] = (struct mmsghdr){
        .msg_hdr = {
            .msg_iov = &parts[i], .msg_iovlen = 1, .msg_control = slot, .msg_controllen = BATCH_CONTROL}};
  }
  int count;
  RETRY(count, recvmmsg(fd, messages, (unsigned int)max, flags, NULL));
  for (int i = 0; i < count; i++) {
    struct msghdr *message = &messages[i].msg_hdr;
    results[i] = (struct batch_result){
        .length = (int32_t)messages[i].msg_len,
        .flags = message->msg_flags,
        .control_length = (int32_t)message->msg_controllen,
        .descriptors =
            message->msg_controllen == 0 ? 0 : own_received_descriptors(arguments.instance, message),
    };
  }
  return outcome(env, count);
}

/* sendmmsg(fd, messages: array of parts, start, flags): how many of those from start on were sent */
napi_value js_sendmmsg(napi_env env, napi_callback_info info) {
  struct arguments arguments = read_arguments(env, info);
  int fd = integer_argument(env, arguments.values[0]);
  uint32_t start = (uint32_t)integer_argument(env, arguments.values[2]);
  int flags = integer_argument(env, arguments.values[3]);
  struct iovec parts[IOV_MAX];
  struct mmsghdr messages[MAX_BATCH];
  uint32_t length = 0;
  napi_get_array_length(env, arguments.values[1], &length);
  uint32_t used = 0;
  unsigned int count = 0;
  for (uint32_t i = start; i < length && count < MAX_BATCH && used < IOV_MAX; i++) {
    napi_value message = NULL;
    napi_get_element(env, arguments.values[1], i, &message);
    int taken = read_parts(env, message, parts + used, IOV_MAX - used);
    if (taken < 0) break;
    messages[count++] = (struct mmsghdr){.msg_hdr = {.msg_iov = parts + used, .msg_iovlen = (size_t)taken}};
    used += (uint32_t)taken;
  }
  int result;
  RETRY(result, send_messages(fd, messages, count, flags));
  return outcome(env, result);
}

/* getsockopt(fd, level, name, value): the length of the value */
napi_value js_getsockopt(napi_env env, napi_callback_info info) {
  struct arguments arguments = read_arguments(env, info);
  int fd = integer_argument(env, arguments.values[0]);
  int level = integer_argument(env, arguments.values[1]);
  int name = integer_argument(env, arguments.values[2]);
  size_t length;
  void *value = bytes_argument(env, arguments.values[3], &length);
  socklen_t used = (socklen_t)length;
  int result = getsockopt(fd, level, name, value, &used);
  if (result == 0 && value != NULL && level == SOL_SOCKET && name == SO_PEERPIDFD && used == sizeof(int)) {
    int pidfd;
    memcpy(&pidfd, value, sizeof pidfd);
    own_descriptor(arguments.instance, pidfd);
  }
  return outcome(env, result == -1 ? -1 : (int64_t)used);
}

/* setsockopt(fd, level, name, value) */
napi_value js_setsockopt(napi_env env, napi_callback_info info) {
  struct arguments arguments = read_arguments(env, info);
  int fd = integer_argument(env, arguments.values[0]);
  int level = integer_argument(env, arguments.values[1]);
  int name = integer_argument(env, arguments.values[2]);
  size_t length;
  const void *value = bytes_argument(env, arguments.values[3], &length);
  return outcome(env, setsockopt(fd, level, name, value, (socklen_t)length));
}

typedef int (*name_call)(int fd, struct sockaddr *address, socklen_t *length);

static napi_value socket_name(napi_env env, napi_callback_info info, name_call call) {
  struct arguments arguments = read_arguments(env, info);
  int fd = integer_argument(env, arguments.values[0]);
  size_t length;
  void *address = bytes_argument(env, arguments.values[1], &length);
  socklen_t used = (socklen_t)length;
  int result = call(fd, address, &used);
  return outcome(env, result == -1 ? -1 : (int64_t)used);
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

/* ioctl(fd, request), for requests that answer with one int: that int */
napi_value js_ioctl(napi_env env, napi_callback_info info) {
  struct arguments arguments = read_arguments(env, info);
  int fd = integer_argument(env, arguments.values[0]);
  int request = integer_argument(env, arguments.values[1]);
  int answer = 0;
  int result = ioctl(fd, (unsigned long)request, &answer);
  return outcome(env, result == -1 ? -1 : answer);
}

/* fcntl(fd, command, argument), for commands that make no descriptor */
napi_value js_fcntl(napi_env env, napi_callback_info info) {
  struct arguments arguments = read_arguments(env, info);
  int fd = integer_argument(env, arguments.values[0]);
  int command = integer_argument(env, arguments.values[1]);
  int argument = integer_argument(env, arguments.values[2]);
  return outcome(env, fcntl(fd, command, argument));
}

/* dup(fd): fcntl(2) with F_DUPFD_CLOEXEC, which is dup(2) with close-on-exec from the start */
napi_value js_dup(napi_env env, napi_callback_info info) {
  struct arguments arguments = read_arguments(env, info);
  int fd = integer_argument(env, arguments.values[0]);
  return new_descriptor(env, arguments.instance, fcntl(fd, F_DUPFD_CLOEXEC, 0));
}

/* fchmod(fd, mode) */
napi_value js_fchmod(napi_env env, napi_callback_info info) {
  struct arguments arguments = read_arguments(env, info);
  int fd = integer_argument(env, arguments.values[0]);
  int mode = integer_argument(env, arguments.values[1]);
  return outcome(env, fchmod(fd, (mode_t)mode));
}

/* flock(fd, operation) */
napi_value js_flock(napi_env env, napi_callback_info info) {
  struct arguments arguments = read_arguments(env, info);
  int fd = integer_argument(env, arguments.values[0]);
  int operation = integer_argument(env, arguments.values[1]);
  int result;
  RETRY(result, flock(fd, operation));
  return outcome(env, result);
}

/* close(fd). On Linux an interrupted close(2) has closed the descriptor: never repeated. */
napi_value js_close(napi_env env, napi_callback_info info) {
  struct arguments arguments = read_arguments(env, info);
  int fd = integer_argument(env, arguments.values[0]);
  disown_descriptor(arguments.instance, fd);
  int result = close(fd);
  return outcome(env, result == -1 && errno == EINTR ? 0 : result);
}
