/*
 * Messages through shared memory: the format of docs/shared-memory.md, version 1, for Linux.
 *
 * channel_open, channel_send, channel_receive, channel_end and channel_close block, and return -1 with errno set if they
 * fail: EPROTO if the peer has violated the format, EPIPE if it is gone, EMSGSIZE for a message that is too long. One
 * thread at a time may use a channel. Define _GNU_SOURCE before the first #include.
 */
#ifndef CHANNEL_H
#define CHANNEL_H

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum { CHANNEL_HEADER = 4096, CHANNEL_MAX_FDS = 253, CHANNEL_EOF = -2 };
enum { CHANNEL_TAIL = 0, CHANNEL_HEAD = 128, CHANNEL_CONSUMER_SLEEPS = 256, CHANNEL_PRODUCER_SLEEPS = 384 };
enum { CHANNEL_MESSAGE = 1, CHANNEL_MESSAGE_WITH_FDS, CHANNEL_PADDING };
enum { CHANNEL_WAKE_UP = 1, CHANNEL_DESCRIPTORS, CHANNEL_END };

struct channel_region {
  uint8_t *memory;
  uint32_t capacity, own, other; /* the index that this end writes, and the last valid value of the other one */
};

struct channel {
  int socket;
  struct channel_region out, in;
  bool ended, gone, shut; /* the peer sends no more; was closed or has died; this end sends no more */
  int fds[CHANNEL_MAX_FDS]; /* received descriptors; how many belong to each record of kind 2, in order */
  size_t sets[CHANNEL_MAX_FDS], fd_count, set_count;
  struct { uint32_t end; size_t count; } sent[CHANNEL_MAX_FDS]; /* sent ones: the ends of their records, their numbers */
  size_t sent_count;
};

static inline _Atomic uint32_t *channel_word(struct channel_region *region, uint32_t offset) {
  return (_Atomic uint32_t *)(void *)(region->memory + offset);
}
static inline int channel_error(int number) { return errno = number, -1; }
static inline size_t channel_record(size_t length) { return (length + 15) & ~(size_t)7; }

/* Reads the other end's index, which must be between its last value and `limit` bytes after it. */
static inline int channel_read_index(struct channel_region *region, uint32_t offset, uint32_t limit) {
  uint32_t index = atomic_load(channel_word(region, offset));
  if (index - region->other > limit || index % 8 != 0) return channel_error(EPROTO);
  return region->other = index, 0;
}

static inline ssize_t channel_send_message(struct channel *c, const void *data, size_t size, const int *fds, size_t count, int flags) {
  _Alignas(struct cmsghdr) char control[CMSG_SPACE(CHANNEL_MAX_FDS * sizeof(int))];
  struct iovec part = {(void *)(uintptr_t)data, size};
  struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
  if (count > 0) {
    message.msg_control = control, message.msg_controllen = CMSG_SPACE(count * sizeof(int));
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    *header = (struct cmsghdr){.cmsg_len = CMSG_LEN(count * sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
    memcpy(CMSG_DATA(header), fds, count * sizeof(int));
  }
  return sendmsg(c->socket, &message, MSG_NOSIGNAL | flags);
}

/* Receives one message of the socket, and its descriptors. */
static inline ssize_t channel_receive_message(struct channel *c, void *data, size_t size, int *fds, size_t *count) {
  _Alignas(struct cmsghdr) char control[CMSG_SPACE(CHANNEL_MAX_FDS * sizeof(int))];
  struct iovec part = {data, size};
  struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
  ssize_t length = recvmsg(c->socket, &message, MSG_CMSG_CLOEXEC);
  *count = 0;
  for (struct cmsghdr *h = length < 0 ? NULL : CMSG_FIRSTHDR(&message); h != NULL; h = CMSG_NXTHDR(&message, h)) {
    if (h->cmsg_level != SOL_SOCKET || h->cmsg_type != SCM_RIGHTS) continue;
    *count = (h->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    memcpy(fds, CMSG_DATA(h), *count * sizeof(int));
  }
  if (length >= 0 && (message.msg_flags & MSG_TRUNC) != 0) length = (ssize_t)size + 1;
  return length;
}

/* "Messages on the socket": receives the next one. */
static inline int channel_control(struct channel *c) {
  uint8_t data[2];
  int fds[CHANNEL_MAX_FDS];
  size_t count;
  ssize_t length = channel_receive_message(c, data, sizeof data, fds, &count);
  if (length == -1) return errno == EINTR || errno == ECONNRESET ? 0 : -1;
  if (length == 0) c->ended = c->gone = true;
  bool is_fds = length == 1 && data[0] == CHANNEL_DESCRIPTORS;
  if (is_fds && c->fd_count + count <= CHANNEL_MAX_FDS && c->set_count < CHANNEL_MAX_FDS) {
    memcpy(c->fds + c->fd_count, fds, count * sizeof(int));
    c->fd_count += c->sets[c->set_count++] = count;
    return 0;
  }
  for (size_t i = 0; i < count; i++) close(fds[i]);
  if (length == 1 && count == 0 && data[0] == CHANNEL_END) c->ended = true;
  else if (length != 0 && (length != 1 || count > 0 || data[0] != CHANNEL_WAKE_UP)) return channel_error(EPROTO);
  return 0;
}

static inline void channel_wake(struct channel *c, struct channel_region *region, uint32_t offset) {
  if (atomic_load(channel_word(region, offset)) != 1 || atomic_exchange(channel_word(region, offset), 0) != 1) return;
  if (channel_send_message(c, &(uint8_t){CHANNEL_WAKE_UP}, 1, NULL, 0, MSG_DONTWAIT) == -1 && errno == EPIPE)
    c->gone = true; /* EAGAIN: the peer has messages to receive, and needs no wake-up. */
}

static inline void channel_close(struct channel *c) {
  for (size_t i = 0; i < c->fd_count; i++) close(c->fds[i]);
  if (c->in.memory != NULL) atomic_store(channel_word(&c->in, CHANNEL_CONSUMER_SLEEPS), 1);
  if (c->in.memory != NULL) munmap(c->in.memory, CHANNEL_HEADER + (size_t)c->in.capacity);
  if (c->out.memory != NULL) munmap(c->out.memory, CHANNEL_HEADER + (size_t)c->out.capacity);
  close(c->socket);
}

/* "The region": maps it, if it is as the page requires. */
static inline int channel_map(struct channel_region *region, int fd) {
  const int wanted = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL, unwanted = F_SEAL_WRITE | 0x10 /* FUTURE_WRITE */;
  uint32_t capacity = region->capacity;
  struct stat file;
  int seals = fcntl(fd, F_GET_SEALS), mode = fcntl(fd, F_GETFL);
  if (capacity < 4096 || capacity > 1u << 30 || (capacity & (capacity - 1)) != 0 || seals == -1 ||
      (seals & wanted) != wanted || (seals & unwanted) != 0 || (mode & O_ACCMODE) != O_RDWR ||
      fstat(fd, &file) == -1 || file.st_size != (off_t)CHANNEL_HEADER + capacity)
    return channel_error(EPROTO);
  void *memory = mmap(NULL, (size_t)file.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  return memory == MAP_FAILED ? -1 : (region->memory = memory, 0);
}

static inline int channel_hand_shake(struct channel *c) {
  struct { char magic[8]; uint32_t version, capacity; } hello = {"SQPKTSHM", 1, c->out.capacity}, theirs;
  off_t size = CHANNEL_HEADER + (off_t)c->out.capacity;
  int own = memfd_create("channel", MFD_CLOEXEC | MFD_ALLOW_SEALING), fds[CHANNEL_MAX_FDS], result = -1;
  size_t count = 0;
  if (own == -1) return -1;
  if (ftruncate(own, size) == 0 && fallocate(own, 0, 0, size) == 0 &&
      fcntl(own, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) == 0 && channel_map(&c->out, own) == 0 &&
      channel_send_message(c, &hello, sizeof hello, &own, 1, 0) == sizeof hello) {
    ssize_t length = channel_receive_message(c, &theirs, sizeof theirs, fds, &count);
    if (length == sizeof theirs && memcmp(theirs.magic, hello.magic, 8) == 0 && theirs.version == 1 && count == 1) {
      c->in.capacity = theirs.capacity;
      result = channel_map(&c->in, fds[0]);
    } else if (length >= 0) errno = EPROTO;
  }
  int error = errno;
  for (size_t i = 0; i < count; i++) close(fds[i]);
  return close(own), errno = error, result;
}

/* Takes ownership of the socket. `capacity`: a power of two from 4,096 to 2^30. */
static inline int channel_open(struct channel *c, int socket, uint32_t capacity) {
  *c = (struct channel){.socket = socket, .out = {.capacity = capacity}};
  int result = channel_hand_shake(c), error = errno;
  return result == -1 ? (channel_close(c), channel_error(error)) : 0;
}

/* Whether the consumer has left room for a record, and descriptors may be sent; -1 for a wrong index. */
static inline int channel_has_room(struct channel *c, size_t needed, size_t fds) {
  struct channel_region *out = &c->out;
  if (channel_read_index(out, CHANNEL_HEAD, out->own - out->other) == -1) return -1;
  size_t passed = 0, on_their_way = 0;
  while (passed < c->sent_count && out->own - out->other <= out->own - c->sent[passed].end) passed++;
  memmove(c->sent, c->sent + passed, (c->sent_count -= passed) * sizeof *c->sent);
  for (size_t i = 0; i < c->sent_count; i++) on_their_way += c->sent[i].count;
  return out->capacity - (out->own - out->other) >= needed && (fds == 0 || on_their_way + fds <= CHANNEL_MAX_FDS);
}

static inline int channel_send(struct channel *c, const void *data, size_t length, const int *fds, size_t count) {
  struct channel_region *out = &c->out;
  if (length > out->capacity / 2 - 8 || count > CHANNEL_MAX_FDS) return channel_error(EMSGSIZE);
  uint32_t at = out->own & (out->capacity - 1), to_end = out->capacity - at;
  uint32_t padding = channel_record(length) > to_end ? to_end : 0;
  for (int room = 0; room == 0 && !c->gone && !c->shut;) {
    if ((room = channel_has_room(c, channel_record(length) + padding, count)) == 0) {
      atomic_store(channel_word(out, CHANNEL_PRODUCER_SLEEPS), 1);
      room = channel_has_room(c, channel_record(length) + padding, count);
    }
    if (room == -1 || (room == 0 && channel_control(c) == -1)) return -1;
  }
  atomic_store(channel_word(out, CHANNEL_PRODUCER_SLEEPS), 0);
  if (c->gone || c->shut) return channel_error(EPIPE);
  if (count > 0 && channel_send_message(c, &(uint8_t){CHANNEL_DESCRIPTORS}, 1, fds, count, 0) == -1) return -1;
  if (padding > 0) memcpy(out->memory + CHANNEL_HEADER + at, (uint32_t[]){padding - 8, CHANNEL_PADDING}, 8), at = 0;
  uint32_t header[] = {(uint32_t)length, count > 0 ? CHANNEL_MESSAGE_WITH_FDS : CHANNEL_MESSAGE};
  memcpy(out->memory + CHANNEL_HEADER + at, header, 8);
  if (length > 0) memcpy(out->memory + CHANNEL_HEADER + at + 8, data, length);
  out->own += padding + (uint32_t)channel_record(length);
  if (count > 0) c->sent[c->sent_count].end = out->own, c->sent[c->sent_count++].count = count;
  atomic_store(channel_word(out, CHANNEL_TAIL), out->own);
  channel_wake(c, out, CHANNEL_CONSUMER_SLEEPS);
  return 0;
}

/* Ends sending. The peer receives what was sent before, and then the end of file. */
static inline int channel_end(struct channel *c) {
  c->shut = true;
  return channel_send_message(c, &(uint8_t){CHANNEL_END}, 1, NULL, 0, 0) == 1 ? 0 : -1;
}

/* Receives one message, and at most 253 descriptors, which the caller closes. Returns its length, or CHANNEL_EOF.
 * EMSGSIZE: the message is longer than the buffer, and the next call receives it. */
static inline ssize_t channel_receive(struct channel *c, void *buffer, size_t size, int *fds, size_t *count) {
  struct channel_region *in = &c->in;
  *count = 0;
  for (;;) {
    bool ended = c->ended;
    if (channel_read_index(in, CHANNEL_TAIL, in->own + in->capacity - in->other) == -1) return -1;
    if (in->other == in->own) {
      if (ended) return CHANNEL_EOF;
      atomic_store(channel_word(in, CHANNEL_CONSUMER_SLEEPS), 1);
      if (atomic_load(channel_word(in, CHANNEL_TAIL)) == in->own) {
        channel_wake(c, in, CHANNEL_PRODUCER_SLEEPS);
        if (channel_control(c) == -1) return -1;
      }
      atomic_store(channel_word(in, CHANNEL_CONSUMER_SLEEPS), 0);
      continue;
    }
    uint32_t at = in->own & (in->capacity - 1), to_end = in->capacity - at, available = in->other - in->own;
    uint32_t length = atomic_load(channel_word(in, CHANNEL_HEADER + at));
    uint32_t kind = atomic_load(channel_word(in, CHANNEL_HEADER + at + 4));
    if (kind == CHANNEL_PADDING && at > 0 && length == to_end - 8 && to_end <= available) {
      in->own += to_end;
      continue;
    }
    if (kind < CHANNEL_MESSAGE || kind > CHANNEL_MESSAGE_WITH_FDS || length > in->capacity / 2 - 8 ||
        channel_record(length) > available || channel_record(length) > to_end)
      return channel_error(EPROTO);
    if (length > size) return channel_error(EMSGSIZE);
    if (kind == CHANNEL_MESSAGE_WITH_FDS) {
      while (c->set_count == 0) { /* They were sent before the record was. */
        if (poll(&(struct pollfd){c->socket, POLLIN, 0}, 1, 0) != 1 || c->gone) return channel_error(EPROTO);
        if (channel_control(c) == -1) return -1;
      }
      *count = c->sets[0];
      memcpy(fds, c->fds, *count * sizeof(int));
      memmove(c->fds, c->fds + *count, (c->fd_count -= *count) * sizeof(int));
      memmove(c->sets, c->sets + 1, --c->set_count * sizeof *c->sets);
    }
    if (length > 0) memcpy(buffer, in->memory + CHANNEL_HEADER + at + 8, length);
    in->own += (uint32_t)channel_record(length);
    atomic_store(channel_word(in, CHANNEL_HEAD), in->own);
    if (in->other - in->own <= in->capacity / 2) channel_wake(c, in, CHANNEL_PRODUCER_SLEEPS);
    return (ssize_t)length;
  }
}

#endif
