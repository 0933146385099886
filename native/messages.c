/* Receiving and sending: one function per system call. */
#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "call.h"
#include "exports.h"
#include "owned-descriptors.h"
#include "receive-memory.h"

#ifndef SCM_PIDFD
#define SCM_PIDFD 4
#endif

/*
 * Direct system calls. The sendmsg of musl copies the control messages into a buffer that is too small for
 * 253 descriptors, and its sendmmsg sends the messages one by one.
 */
static ssize_t send_message(int fd, const struct msghdr *message, int flags) {
  return syscall(SYS_sendmsg, fd, message, flags);
}

static int send_messages(int fd, struct mmsghdr *messages, unsigned int count, int flags) {
  return (int)syscall(SYS_sendmmsg, fd, messages, count, flags);
}

/* Returns the number of descriptors. */
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

/*
 * recvmsg(fd, parts, flags, controlRoom): the bytes received; those past the parts are in the overflow area.
 * The control block gets the control messages, up to controlRoom bytes.
 */
napi_value js_recvmsg(napi_env env, napi_callback_info info) {
  struct call call = begin_call(env, info);
  struct iovec parts[IOV_MAX];
  int fd = integer_argument(&call, 0);
  int count = read_parts(&call, call.values[1], parts, IOV_MAX - 1);
  int flags = integer_argument(&call, 2);
  size_t room = (size_t)integer_argument(&call, 3);
  if (call.failed || call.instance->control == NULL) return arguments_unread(&call);
  if (count < 0) return integer_result(&call, -EMSGSIZE);
  struct instance *instance = call.instance;
  struct control_block *control = instance->control;

  size_t parts_room = 0;
  for (int i = 0; i < count; i++)
    parts_room += parts[i].iov_len;
  parts[count++] = (struct iovec){.iov_base = instance->overflow, .iov_len = overflow_size()};
  struct msghdr message = {
      .msg_iov = parts,
      .msg_iovlen = (size_t)count,
      .msg_control = control->messages,
      .msg_controllen = room < instance->control_capacity ? room : instance->control_capacity,
  };
  ssize_t result;
  RETRY(result, recvmsg(fd, &message, flags));
  if (result == -1) return outcome(&call, result);
  control->length = (uint32_t)message.msg_controllen;
  control->flags = (uint32_t)message.msg_flags;
  control->room = parts_room > INT32_MAX ? INT32_MAX : (uint32_t)parts_room;
  if (message.msg_controllen != 0) own_received_descriptors(instance, &message);
  return integer_result(&call, result);
}

/* controlBlock(block): the memory for the control messages of every recvmsg */
napi_value js_controlBlock(napi_env env, napi_callback_info info) {
  struct call call = begin_call(env, info);
  size_t length;
  struct control_block *control = bytes_argument(&call, 0, &length);
  if (call.failed || length < sizeof *control + BATCH_CONTROL) return arguments_unread(&call);
  /* The reference keeps the memory until the environment ends. */
  struct instance *instance = call.instance;
  if (napi_create_reference(env, call.values[0], 1, &instance->control_reference) != napi_ok)
    return integer_result(&call, -ENOMEM);
  instance->control = control;
  instance->control_capacity = length - sizeof *control;
  return integer_result(&call, 0);
}

/* send(fd, data, flags): one buffer without control messages; cheaper than sendmsg(2) */
napi_value js_send(napi_env env, napi_callback_info info) {
  struct call call = begin_call(env, info);
  int fd = integer_argument(&call, 0);
  size_t length;
  const void *data = bytes_argument(&call, 1, &length);
  int flags = integer_argument(&call, 2);
  if (call.failed) return arguments_unread(&call);
  ssize_t result;
  RETRY(result, send(fd, data, length, flags));
  return outcome(&call, result);
}

/* sendmsg(fd, parts, control | null, flags) */
napi_value js_sendmsg(napi_env env, napi_callback_info info) {
  struct call call = begin_call(env, info);
  struct iovec parts[IOV_MAX];
  int fd = integer_argument(&call, 0);
  int count = read_parts(&call, call.values[1], parts, IOV_MAX);
  size_t length;
  struct control_block *control = optional_bytes_argument(&call, 2, &length);
  int flags = integer_argument(&call, 3);
  if (call.failed) return arguments_unread(&call);
  if (count < 0) return integer_result(&call, -EMSGSIZE);

  struct msghdr message = {.msg_iov = parts, .msg_iovlen = (size_t)count};
  if (control != NULL) {
    if (length < sizeof *control || length - sizeof *control < control->length)
      return arguments_unread(&call);
    message.msg_control = control->messages;
    message.msg_controllen = control->length;
  }
  ssize_t result;
  RETRY(result, send_message(fd, &message, flags));
  return outcome(&call, result);
}

/*
 * recvmmsg(fd, max, results, flags, controlRoom, slots | null, slotBytes): the number of messages. The n-th
 * is received into the n-th slot, and the rest of it into the batch area; without slots, all of it into the
 * area. Of each, `results` gets the length, the flags, the bytes of control messages, and the number of
 * descriptors.
 */
napi_value js_recvmmsg(napi_env env, napi_callback_info info) {
  struct call call = begin_call(env, info);
  int fd = integer_argument(&call, 0);
  size_t max = (size_t)integer_argument(&call, 1);
  size_t length, stride;
  struct batch_result *results = bytes_argument(&call, 2, &length);
  int flags = integer_argument(&call, 3);
  size_t room = (size_t)integer_argument(&call, 4);
  size_t slots_length;
  uint8_t *slots = optional_bytes_argument(&call, 5, &slots_length);
  size_t slot_bytes = (size_t)integer_argument(&call, 6);
  if (call.failed || room > BATCH_CONTROL) return arguments_unread(&call);
  if (max > MAX_BATCH) max = MAX_BATCH;
  if (length < max * sizeof *results || slot_bytes > slots_length / (max == 0 ? 1 : max))
    return arguments_unread(&call);
  uint8_t *area = reserve_batch(call.instance, &stride);
  if (area == NULL) return integer_result(&call, -ENOMEM);

  struct iovec parts[MAX_BATCH][2];
  struct mmsghdr messages[MAX_BATCH];
  for (size_t i = 0; i < max; i++) {
    uint8_t *place = area + i * stride;
    parts[i][0] =
        (struct iovec){.iov_base = slots == NULL ? NULL : slots + i * slot_bytes, .iov_len = slot_bytes};
    parts[i][1] = (struct iovec){.iov_base = place + BATCH_CONTROL, .iov_len = stride - BATCH_CONTROL};
    messages[i] = (struct mmsghdr){.msg_hdr = {.msg_iov = slots == NULL ? &parts[i][1] : parts[i],
                                               .msg_iovlen = slots == NULL ? 1 : 2,
                                               .msg_control = place,
                                               .msg_controllen = room}};
  }
  int count;
  RETRY(count, recvmmsg(fd, messages, (unsigned int)max, flags, NULL));
  for (int i = 0; i < count; i++) {
    struct msghdr *message = &messages[i].msg_hdr;
    results[i] = (struct batch_result){
        .length = (int32_t)messages[i].msg_len,
        .flags = message->msg_flags,
        .control_length = (int32_t)message->msg_controllen,
        .descriptors = message->msg_controllen == 0 ? 0 : own_received_descriptors(call.instance, message),
    };
  }
  return outcome(&call, count);
}

/* sendmmsg(fd, messages: array of parts, start, flags): the number of messages sent, from start on */
napi_value js_sendmmsg(napi_env env, napi_callback_info info) {
  struct call call = begin_call(env, info);
  int fd = integer_argument(&call, 0);
  uint32_t start = (uint32_t)integer_argument(&call, 2);
  int flags = integer_argument(&call, 3);
  struct iovec parts[IOV_MAX];
  struct mmsghdr messages[MAX_BATCH];
  uint32_t length = 0;
  if (call.failed || napi_get_array_length(env, call.values[1], &length) != napi_ok)
    return arguments_unread(&call);
  uint32_t used = 0;
  unsigned int count = 0;
  for (uint32_t i = start; i < length && count < MAX_BATCH && used < IOV_MAX; i++) {
    napi_value message = NULL;
    if (napi_get_element(env, call.values[1], i, &message) != napi_ok) return arguments_unread(&call);
    int taken = read_parts(&call, message, parts + used, IOV_MAX - used);
    if (call.failed) return arguments_unread(&call);
    if (taken < 0) break;
    messages[count++] = (struct mmsghdr){.msg_hdr = {.msg_iov = parts + used, .msg_iovlen = (size_t)taken}};
    used += (uint32_t)taken;
  }
  int result;
  RETRY(result, send_messages(fd, messages, count, flags));
  return outcome(&call, result);
}

/*
 * sendSlots(fd, slots, slotBytes, lengths: Int32Array, start, count, flags): sendmmsg(2) of the first bytes
 * of each slot from start on; the number of messages sent
 */
napi_value js_sendSlots(napi_env env, napi_callback_info info) {
  struct call call = begin_call(env, info);
  int fd = integer_argument(&call, 0);
  size_t slots_length, lengths_length;
  uint8_t *slots = bytes_argument(&call, 1, &slots_length);
  size_t slot_bytes = (size_t)integer_argument(&call, 2);
  const int32_t *lengths = bytes_argument(&call, 3, &lengths_length);
  size_t start = (size_t)integer_argument(&call, 4);
  size_t count = (size_t)integer_argument(&call, 5);
  int flags = integer_argument(&call, 6);
  if (call.failed || slot_bytes == 0) return arguments_unread(&call);
  if (count > MAX_BATCH) count = MAX_BATCH;
  size_t numbers = lengths_length / sizeof *lengths, capacity = slots_length / slot_bytes;
  if (capacity > numbers) capacity = numbers;
  if (start > capacity || count > capacity - start) return arguments_unread(&call);
  struct iovec parts[MAX_BATCH];
  struct mmsghdr messages[MAX_BATCH];
  for (size_t i = 0; i < count; i++) {
    size_t length = (size_t)lengths[start + i];
    if (length > slot_bytes) return arguments_unread(&call);
    parts[i] = (struct iovec){.iov_base = slots + (start + i) * slot_bytes, .iov_len = length};
    messages[i] = (struct mmsghdr){.msg_hdr = {.msg_iov = &parts[i], .msg_iovlen = 1}};
  }
  int result;
  RETRY(result, send_messages(fd, messages, (unsigned int)count, flags));
  return outcome(&call, result);
}
