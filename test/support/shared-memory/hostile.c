/*
 * A hostile peer: hostile PATH SEED CORRUPTIONS CAPACITY
 *
 * Connects to a server again and again, makes a correct hand-shake, and then writes random and adversarial
 * values into both regions and to the socket, among correct messages, until the server closes the connection.
 * Ends after the given number of corruptions, and prints it.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { HEADER = 4096, TAIL = 0, HEAD = 128, CONSUMER_SLEEPS = 256, PRODUCER_SLEEPS = 384 };

static uint32_t state;

static uint32_t next_random(void) {
  state ^= state << 13;
  state ^= state >> 17;
  state ^= state << 5;
  return state;
}

static uint32_t below(uint32_t limit) { return next_random() % limit; }

struct region {
  uint8_t *memory;
  uint32_t capacity;
  int fd;
};

static uint32_t *word(struct region *region, uint32_t offset) { return (uint32_t *)(region->memory + offset); }

static uint32_t load(struct region *region, uint32_t offset) {
  return __atomic_load_n(word(region, offset), __ATOMIC_SEQ_CST);
}

static void store(struct region *region, uint32_t offset, uint32_t value) {
  __atomic_store_n(word(region, offset), value, __ATOMIC_SEQ_CST);
}

static void fail(const char *what) {
  perror(what);
  exit(2);
}

static struct region create_region(uint32_t capacity) {
  int fd = memfd_create("hostile", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  if (fd == -1 || ftruncate(fd, HEADER + capacity) == -1 || fallocate(fd, 0, 0, HEADER + capacity) == -1)
    fail("memfd_create");
  if (fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) == -1) fail("F_ADD_SEALS");
  uint8_t *memory = mmap(NULL, HEADER + capacity, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (memory == MAP_FAILED) fail("mmap");
  return (struct region){memory, capacity, fd};
}

static ssize_t send_message(int socket, const void *data, size_t length, const int *fds, size_t count) {
  char control[CMSG_SPACE(253 * sizeof(int))];
  struct iovec part = {(void *)data, length};
  struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
  if (count > 0) {
    message.msg_control = control;
    message.msg_controllen = CMSG_SPACE(count * sizeof(int));
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(count * sizeof(int));
    memcpy(CMSG_DATA(header), fds, count * sizeof(int));
  }
  return sendmsg(socket, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static int shake_hands(int socket, struct region *outgoing, struct region *incoming) {
  uint8_t hello[16] = "SQPKTSHM";
  uint32_t numbers[2] = {1, outgoing->capacity};
  memcpy(hello + 8, numbers, sizeof numbers);
  if (send_message(socket, hello, sizeof hello, &outgoing->fd, 1) != sizeof hello) return -1;
  char control[CMSG_SPACE(sizeof(int))];
  struct iovec part = {hello, sizeof hello};
  struct msghdr message = {
      .msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
  if (recvmsg(socket, &message, MSG_CMSG_CLOEXEC) != sizeof hello) return -1;
  struct cmsghdr *header = CMSG_FIRSTHDR(&message);
  if (header == NULL) return -1;
  memcpy(&incoming->fd, CMSG_DATA(header), sizeof(int));
  memcpy(numbers, hello + 8, sizeof numbers);
  incoming->capacity = numbers[1];
  incoming->memory =
      mmap(NULL, HEADER + incoming->capacity, PROT_READ | PROT_WRITE, MAP_SHARED, incoming->fd, 0);
  if (incoming->memory == MAP_FAILED) fail("mmap of the other region");
  return 0;
}

/* Values near all limits that a check could get wrong. */
static uint32_t adversarial(uint32_t capacity) {
  const uint32_t values[] = {0,
                             1,
                             4,
                             7,
                             8,
                             16,
                             capacity,
                             capacity - 1,
                             capacity - 8,
                             capacity + 8,
                             capacity / 2,
                             capacity / 2 - 8,
                             capacity / 2 - 7,
                             capacity / 2 + 8,
                             0x7fffffff,
                             0x80000000,
                             0x80000008,
                             0xffffffff,
                             0xfffffff8,
                             0xfffffff0,
                             next_random()};
  return values[below(sizeof values / sizeof *values)];
}

/* A correct message, after which the channel goes on. */
static void send_correctly(int socket, struct region *out, uint32_t *tail) {
  uint32_t capacity = out->capacity;
  uint32_t length = below(4) == 0 ? below(capacity / 2 - 8) : below(100);
  uint32_t bytes = (length + 15) & ~7u;
  uint32_t at = *tail & (capacity - 1);
  uint32_t to_end = capacity - at;
  uint32_t needed = bytes <= to_end ? bytes : bytes + to_end;
  if (capacity - (*tail - load(out, HEAD)) < needed) return;
  int has_fds = below(8) == 0;
  if (has_fds) {
    static const int fds[3];
    if (send_message(socket, "\2", 1, fds, 1 + below(3)) != 1) return;
  }
  if (bytes > to_end) {
    store(out, HEADER + at, to_end - 8);
    store(out, HEADER + at + 4, 3);
    *tail += to_end;
    at = 0;
  }
  store(out, HEADER + at, length);
  store(out, HEADER + at + 4, has_fds ? 2 : 1);
  *tail += bytes;
  store(out, TAIL, *tail);
  store(out, CONSUMER_SLEEPS, 0);
  (void)send_message(socket, "\1", 1, NULL, 0);
}

/* Reads all that was sent, so that the other end can go on. */
static void receive_correctly(int socket, struct region *in) {
  char control[CMSG_SPACE(253 * sizeof(int))], byte[8];
  struct iovec part = {byte, sizeof byte};
  struct msghdr message = {
      .msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
  while (recvmsg(socket, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC) > 0) {
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    size_t count = header == NULL ? 0 : (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (size_t i = 0; i < count; i++) close(((int *)CMSG_DATA(header))[i]);
    message.msg_controllen = sizeof control;
  }
  store(in, HEAD, load(in, TAIL));
  store(in, PRODUCER_SLEEPS, 0);
  (void)send_message(socket, "\1", 1, NULL, 0);
}

static void send_wrong_message(int socket) {
  static const int fds[253];
  char bytes[64];
  for (size_t i = 0; i < sizeof bytes; i++) bytes[i] = (char)next_random();
  switch (below(8)) {
    case 0: (void)send_message(socket, bytes, 1 + below(sizeof bytes), NULL, 0); break;
    case 1: (void)send_message(socket, "\2", 1, fds, 1 + below(253)); break;
    case 2: (void)send_message(socket, "\2", 1, NULL, 0); break;
    case 3: (void)send_message(socket, "\1", 1, fds, 1); break;
    case 4: (void)send_message(socket, "\3", 1, NULL, 0); break;
    case 5: (void)send_message(socket, "", 0, NULL, 0); break;
    case 6: (void)send_message(socket, "\4", 1, fds, below(3)); break;
    default:
      for (int i = 0; i < 50; i++) (void)send_message(socket, "\1", 1, NULL, 0);
  }
}

static void corrupt(int socket, struct region *out, struct region *in, unsigned kind) {
  struct region *region = below(2) ? out : in;
  uint32_t capacity = region->capacity;
  switch (kind) {
    case 0: store(region, below(2) ? CONSUMER_SLEEPS : PRODUCER_SLEEPS, below(2) ? below(3) : next_random()); break;
    case 1: store(region, HEADER + (below(capacity) & ~3u), next_random()); break;
    case 2: memset(region->memory + HEADER + below(capacity - 64), (int)next_random(), 64); break;
    case 3: { /* the header of the next record to be read, and of the one behind */
      uint32_t at = HEADER + (load(region, HEAD) & (capacity - 1) & ~7u);
      if (below(2))
        store(region, at, adversarial(capacity));
      else
        store(region, at + 4, below(2) ? below(5) : adversarial(capacity));
      break;
    }
    case 4: store(region, TAIL, load(region, TAIL) + adversarial(capacity)); break;
    case 5: store(region, HEAD, load(region, HEAD) + adversarial(capacity)); break;
    case 6: store(region, below(2) ? TAIL : HEAD, adversarial(capacity)); break;
    case 7: send_wrong_message(socket); break;
    case 8:
      (void)fallocate(region->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, below(4) * 4096, 4096);
      break;
    default: store(region, below(HEADER) & ~3u, next_random());
  }
}

static uint64_t converse(int socket, struct region *out, uint64_t limit) {
  struct region in = {0};
  memset(out->memory, 0, HEADER);
  uint64_t count = 0;
  if (shake_hands(socket, out, &in) == -1) return 0;
  /* The kinds of corruption of this conversation: the first three do not end it at once. */
  unsigned first = below(3) == 0 ? 3 : 0, kinds = first == 0 && below(2) ? 3 : 10 - first;
  uint32_t tail = 0;
  for (unsigned step = 0; step < 5000 && count < limit; step++) {
    for (unsigned i = below(4); i > 0; i--) send_correctly(socket, out, &tail);
    if (below(3) == 0) receive_correctly(socket, &in);
    for (unsigned i = 1 + below(8); i > 0; i--, count++) corrupt(socket, out, &in, first + below(kinds));
    struct pollfd polled = {.fd = socket, .events = 0};
    if (poll(&polled, 1, 0) == 1) break;
    /* The other end reads and writes meanwhile. */
    usleep(below(32) == 0 ? below(500) : 1);
  }
  munmap(in.memory, HEADER + in.capacity);
  close(in.fd);
  return count;
}

int main(int argc, char **argv) {
  if (argc != 5) return 2;
  state = (uint32_t)strtoul(argv[2], NULL, 10) | 1;
  uint64_t wanted = strtoull(argv[3], NULL, 10), count = 0;
  uint32_t capacity = (uint32_t)strtoul(argv[4], NULL, 10);
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  if (strlen(argv[1]) >= sizeof address.sun_path) return 2;
  strcpy(address.sun_path, argv[1]);
  while (count < wanted) {
    struct region out = create_region(capacity);
    int connection = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    if (connect(connection, (struct sockaddr *)&address, sizeof address) == -1) fail("connect");
    count += converse(connection, &out, wanted - count);
    close(connection);
    munmap(out.memory, HEADER + capacity);
    close(out.fd);
  }
  printf("%llu\n", (unsigned long long)count);
  return 0;
}
