/*
 * Messages through shared memory: the format of docs/shared-memory.md, version 1, for Linux and C11 with _GNU_SOURCE.
 *
 * channel_open, _send, _receive and _end block, and return -1 with errno set if they fail: EPROTO if the peer has violated
 * the format, EPIPE if it is gone, EMSGSIZE, and others. One thread at a time may use a channel.
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

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ && ATOMIC_INT_LOCK_FREE == 2, "the words of the header are both");
enum { CHANNEL_HEADER = 4096, CHANNEL_MAX_FDS = 253, CHANNEL_EOF = -2 };
enum { CHANNEL_TAIL = 0, CHANNEL_HEAD = 128, CHANNEL_CONSUMER_SLEEPS = 256, CHANNEL_PRODUCER_SLEEPS = 384 };
enum { CHANNEL_MESSAGE = 1, CHANNEL_MESSAGE_WITH_FDS, CHANNEL_PADDING, CHANNEL_WAKE_UP = 1, CHANNEL_DESCRIPTORS, CHANNEL_END };
enum { CHANNEL_SEALS = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL, CHANNEL_WRONG_SEALS = F_SEAL_WRITE | 0x10 /* FUTURE_WRITE */ };

struct channel_region {
  uint8_t *memory;
  uint32_t capacity, own, other; /* the index that this end writes, and the last valid value of the other one */
};

struct channel {
  int socket;
  struct channel_region out, in;
  bool failed, ended, gone, shut; /* violated; the peer sends no more; it cannot be reached; this end sends no more */
  int fds[CHANNEL_MAX_FDS]; /* received descriptors, and how many belong to each record of kind 2, in order */
  size_t sets[CHANNEL_MAX_FDS], fd_count, set_count;
  uint64_t written, fds_sent, fd_ends[CHANNEL_MAX_FDS]; /* all bytes; the ends of the records of the last descriptors */
};

/* A message of the socket: its first bytes, its whole length, and its descriptors. */
struct channel_packet {
  struct channel_hello { char magic[8]; uint32_t version, capacity; } data;
  ssize_t length;
  int fds[CHANNEL_MAX_FDS], flags;
  size_t fd_count;
};

static inline _Atomic uint32_t *channel_word(struct channel_region *r, uint32_t at) { return (void *)(r->memory + at); }
static inline int channel_error(int number) { return errno = number, -1; }
static inline uint32_t channel_record(size_t length) { return (uint32_t)(length + 15) & ~7u; } /* its length */
static inline bool channel_is_capacity(uint32_t n) { return n >= 4096 && n <= 1u << 30 && (n & (n - 1)) == 0; }
static inline void channel_close_all(const int *fds, size_t count) { /* leaves errno */
  for (int error = errno; count > 0; errno = error) close(fds[--count]);
}
static inline int channel_violated(struct channel *c) { /* ends the channel */
  return c->failed = true, shutdown(c->socket, SHUT_RDWR), channel_error(EPROTO);
}

/* Reads the other end's index once. It must be between its last value and `limit` bytes after it. */
static inline int channel_read_index(struct channel *c, struct channel_region *region, uint32_t offset, uint32_t limit) {
  uint32_t index = atomic_load(channel_word(region, offset));
  if (index - region->other > limit || index % 8 != 0) return channel_violated(c);
  return region->other = index, 0;
}

static inline int channel_send_packet(struct channel *c, const void *data, size_t size, const int *fds, size_t count) {
  _Alignas(struct cmsghdr) char control[CMSG_SPACE(CHANNEL_MAX_FDS * sizeof(int))];
  struct iovec part = {(void *)(uintptr_t)data, size};
  struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
  if (count > 0) {
    message.msg_control = control, message.msg_controllen = CMSG_SPACE(count * sizeof(int));
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    header->cmsg_len = CMSG_LEN(count * sizeof(int)), header->cmsg_level = SOL_SOCKET, header->cmsg_type = SCM_RIGHTS;
    memcpy(CMSG_DATA(header), fds, count * sizeof(int));
  }
  return sendmsg(c->socket, &message, MSG_NOSIGNAL | MSG_DONTWAIT) == -1 ? -1 : 0;
}

/* Receives a message of the socket, and its descriptors. ECONNRESET: older messages can follow. */
static inline int channel_receive_packet(struct channel *c, struct channel_packet *packet, int flags) {
  _Alignas(struct cmsghdr) char control[CMSG_SPACE(CHANNEL_MAX_FDS * sizeof(int))];
  struct iovec part = {&packet->data, sizeof packet->data};
  struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
  do packet->length = recvmsg(c->socket, &message, MSG_CMSG_CLOEXEC | MSG_TRUNC | flags);
  while (packet->length == -1 && (errno == EINTR || errno == ECONNRESET));
  if (packet->length == -1) return -1;
  packet->flags = message.msg_flags, packet->fd_count = 0;
  for (struct cmsghdr *h = CMSG_FIRSTHDR(&message); h != NULL; h = CMSG_NXTHDR(&message, h))
    if (h->cmsg_level == SOL_SOCKET && h->cmsg_type == SCM_RIGHTS)
      memcpy(packet->fds, CMSG_DATA(h), (packet->fd_count = (h->cmsg_len - CMSG_LEN(0)) / sizeof(int)) * sizeof(int));
  return 0;
}

static inline void channel_wake(struct channel *c, struct channel_region *region, uint32_t offset) {
  if (atomic_load(channel_word(region, offset)) != 1 || atomic_exchange(channel_word(region, offset), 0) != 1) return;
  if (channel_send_packet(c, &(uint8_t){CHANNEL_WAKE_UP}, 1, NULL, 0) == -1 && (errno == EPIPE || errno == ECONNRESET))
    c->gone = true; /* EAGAIN: the peer has messages to receive, and needs no wake-up. */
}

/* "Messages on the socket": receives the next one, and returns 1. Returns 0 at the end of file, and with MSG_DONTWAIT if
 * there is none. Without MSG_DONTWAIT, makes steps 3 and 4 of "Waiting", which are the same for both sides. */
static inline int channel_control(struct channel *c, int flags) {
  struct channel_packet packet;
  if (flags == 0) channel_wake(c, &c->in, CHANNEL_PRODUCER_SLEEPS);
  if (channel_receive_packet(c, &packet, flags) == -1) return errno == EAGAIN ? 0 : -1;
  size_t count = packet.fd_count;
  uint8_t kind = packet.length == 1 ? (uint8_t)packet.data.magic[0] : 0;
  if (kind == CHANNEL_DESCRIPTORS && (count > 0 || (packet.flags & MSG_CTRUNC) != 0) &&
      c->fd_count + count <= CHANNEL_MAX_FDS && c->set_count < CHANNEL_MAX_FDS) {
    memcpy(c->fds + c->fd_count, packet.fds, count * sizeof(int));
    c->fd_count += c->sets[c->set_count++] = count;
    return 1;
  }
  channel_close_all(packet.fds, count);
  if (packet.length == 0) return c->ended = c->gone = true, 0;
  if (count > 0 || (kind != CHANNEL_WAKE_UP && kind != CHANNEL_END)) return channel_violated(c);
  return c->ended |= kind == CHANNEL_END, 1;
}

/* Sends a message of the socket. Receives those of the peer if there is no room: the peer may wait for that. */
static inline int channel_send_control(struct channel *c, uint8_t kind, const int *fds, size_t count) {
  while (channel_send_packet(c, &kind, 1, fds, count) == -1) {
    struct pollfd ready = {c->socket, POLLIN | POLLOUT, 0};
    if (errno == ECONNRESET) continue; /* The next error is EPIPE. */
    if (errno == EPIPE) c->gone = true;
    if (errno != EAGAIN || (poll(&ready, 1, -1) == -1 && errno != EINTR)) return -1;
    if ((ready.revents & POLLIN) != 0 && channel_control(c, MSG_DONTWAIT) == -1) return -1;
  }
  return 0;
}

static inline void channel_close(struct channel *c) {
  channel_close_all(c->fds, c->fd_count);
  if (c->in.memory != NULL) atomic_store(channel_word(&c->in, CHANNEL_CONSUMER_SLEEPS), 1); /* "End of file on the socket" */
  if (c->in.memory != NULL) munmap(c->in.memory, CHANNEL_HEADER + (size_t)c->in.capacity);
  if (c->out.memory != NULL) munmap(c->out.memory, CHANNEL_HEADER + (size_t)c->out.capacity);
  channel_close_all(&c->socket, 1);
}

/* "The region": maps it, if it is as the page requires. */
static inline int channel_map(struct channel_region *region, int fd) {
  struct stat file;
  int seals = fcntl(fd, F_GET_SEALS), mode = fcntl(fd, F_GETFL);
  if (!channel_is_capacity(region->capacity) || seals == -1 || (seals & (CHANNEL_SEALS | CHANNEL_WRONG_SEALS)) != CHANNEL_SEALS ||
      (mode & O_ACCMODE) != O_RDWR || fstat(fd, &file) == -1 || file.st_size != (off_t)CHANNEL_HEADER + region->capacity)
    return channel_error(EPROTO);
  void *memory = mmap(NULL, (size_t)file.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  return memory == MAP_FAILED ? -1 : (region->memory = memory, 0);
}

/* "Hand-shake". Takes ownership of a connected socket, also if it fails. `capacity`: a power of two from 4,096 to 2^30. */
static inline int channel_open(struct channel *c, int socket, uint32_t capacity) {
  struct channel_hello hello = {"SQPKTSHM", 1, capacity};
  struct channel_packet packet = {0};
  off_t size = CHANNEL_HEADER + (off_t)capacity;
  int own = memfd_create("channel", MFD_CLOEXEC | MFD_ALLOW_SEALING), result = -1;
  *c = (struct channel){.socket = socket, .out = {.capacity = capacity}};
  if (!channel_is_capacity(capacity)) errno = EINVAL;
  else if (own != -1 && ftruncate(own, size) != -1 && fallocate(own, 0, 0, size) != -1 &&
           fcntl(own, F_ADD_SEALS, CHANNEL_SEALS) != -1 && channel_map(&c->out, own) != -1 &&
           fcntl(socket, F_SETFL, fcntl(socket, F_GETFL) & ~O_NONBLOCK) != -1 &&
           channel_send_packet(c, &hello, sizeof hello, &own, 1) != -1 && channel_receive_packet(c, &packet, 0) != -1) {
    bool valid = packet.length == sizeof hello && memcmp(&packet.data, &hello, 12) == 0 && packet.fd_count > 0;
    c->in.capacity = packet.data.capacity;
    result = valid ? channel_map(&c->in, packet.fds[0]) : channel_error(packet.length == 0 ? ECONNRESET : EPROTO);
  }
  channel_close_all(packet.fds, packet.fd_count), channel_close_all(&own, own != -1);
  return result == -1 ? (channel_close(c), -1) : 0;
}

/* Whether the consumer has left room for a record, and descriptors may be sent; -1 if the channel has ended. */
static inline int channel_has_room(struct channel *c, size_t needed, size_t fds) {
  struct channel_region *out = &c->out;
  if (c->failed || c->gone || c->shut) return channel_error(c->failed ? EPROTO : EPIPE);
  if (channel_read_index(c, out, CHANNEL_HEAD, out->own - out->other) == -1) return -1;
  uint32_t unread = out->own - out->other;
  uint64_t all = c->fds_sent + fds, passed = c->written - unread;
  bool many = fds > 0 && all > CHANNEL_MAX_FDS && c->fd_ends[(all - CHANNEL_MAX_FDS - 1) % CHANNEL_MAX_FDS] > passed;
  return out->capacity - unread >= needed && !many;
}

/* Sends one message, with at most 253 descriptors, which remain open. */
static inline int channel_send(struct channel *c, const void *data, size_t length, const int *fds, size_t count) {
  struct channel_region *out = &c->out;
  if (length > out->capacity / 2 - 8 || count > CHANNEL_MAX_FDS) return channel_error(EMSGSIZE);
  uint32_t at = out->own & (out->capacity - 1), to_end = out->capacity - at, bytes = channel_record(length);
  uint32_t padding = bytes > to_end ? to_end : 0;
  for (int room; (room = channel_has_room(c, bytes + padding, count)) != 1;) {
    if (room == -1) return -1;
    atomic_store(channel_word(out, CHANNEL_PRODUCER_SLEEPS), 1);
    if (channel_has_room(c, bytes + padding, count) == 0 && channel_control(c, 0) == -1) return -1;
    atomic_store(channel_word(out, CHANNEL_PRODUCER_SLEEPS), 0);
  }
  if (count > 0 && channel_send_control(c, CHANNEL_DESCRIPTORS, fds, count) == -1) return -1;
  uint8_t *ring = out->memory + CHANNEL_HEADER;
  if (padding > 0) memcpy(ring + at, (uint32_t[]){padding - 8, CHANNEL_PADDING}, 8), at = 0;
  memcpy(ring + at, (uint32_t[]){(uint32_t)length, count > 0 ? CHANNEL_MESSAGE_WITH_FDS : CHANNEL_MESSAGE}, 8);
  if (length > 0) memcpy(ring + at + 8, data, length);
  out->own += padding + bytes, c->written += padding + bytes;
  while (count-- > 0) c->fd_ends[c->fds_sent++ % CHANNEL_MAX_FDS] = c->written;
  atomic_store(channel_word(out, CHANNEL_TAIL), out->own);
  return channel_wake(c, out, CHANNEL_CONSUMER_SLEEPS), 0;
}

/* Ends sending. The peer receives what was sent before, and then the end of file. */
static inline int channel_end(struct channel *c) {
  return c->shut ? 0 : (c->shut = true, channel_send_control(c, CHANNEL_END, NULL, 0));
}

/* Receives one message, and at most 253 descriptors, which the caller closes. Returns its length, or CHANNEL_EOF.
 * EMSGSIZE: the message is longer than the buffer, and the next call receives it. */
static inline ssize_t channel_receive(struct channel *c, void *buffer, size_t size, int *fds, size_t *count) {
  struct channel_region *in = &c->in;
  for (*count = 0;;) {
    bool ended = c->ended; /* Before the tail is read, which is then the last one. */
    if (c->failed) return channel_error(EPROTO);
    if (channel_read_index(c, in, CHANNEL_TAIL, in->own + in->capacity - in->other) == -1) return -1;
    uint32_t at = in->own & (in->capacity - 1), to_end = in->capacity - at, available = in->other - in->own;
    if (available == 0) {
      if (ended) return CHANNEL_EOF;
      atomic_store(channel_word(in, CHANNEL_CONSUMER_SLEEPS), 1);
      if (atomic_load(channel_word(in, CHANNEL_TAIL)) == in->own && channel_control(c, 0) == -1) return -1;
      atomic_store(channel_word(in, CHANNEL_CONSUMER_SLEEPS), 0);
      continue;
    }
    uint32_t length = atomic_load(channel_word(in, CHANNEL_HEADER + at));
    uint32_t kind = atomic_load(channel_word(in, CHANNEL_HEADER + at + 4)), bytes = channel_record(length);
    if (kind == CHANNEL_PADDING && at > 0 && length == to_end - 8 && to_end <= available) { in->own += to_end; continue; }
    if ((kind != CHANNEL_MESSAGE && kind != CHANNEL_MESSAGE_WITH_FDS) || length > in->capacity / 2 - 8 ||
        bytes > available || bytes > to_end)
      return channel_violated(c);
    if (length > size) return channel_error(EMSGSIZE);
    if (kind == CHANNEL_MESSAGE_WITH_FDS) {
      for (int received; c->set_count == 0;) /* They were sent before the record. */
        if ((received = channel_control(c, MSG_DONTWAIT)) < 1) return received == 0 ? channel_violated(c) : -1;
      memcpy(fds, c->fds, (*count = c->sets[0]) * sizeof(int));
      memmove(c->fds, c->fds + *count, (c->fd_count -= *count) * sizeof(int));
      memmove(c->sets, c->sets + 1, --c->set_count * sizeof *c->sets);
    }
    if (length > 0) memcpy(buffer, in->memory + CHANNEL_HEADER + at + 8, length);
    in->own += bytes;
    atomic_store(channel_word(in, CHANNEL_HEAD), in->own);
    if (in->other - in->own <= in->capacity / 2) channel_wake(c, in, CHANNEL_PRODUCER_SLEEPS);
    return (ssize_t)length;
  }
}

#endif
