/*
 * A program for examples/shared-memory/channel.h: peer ROLE CAPACITY [COUNT SEED], with the socket as descriptor 3.
 *
 *   echo                 returns each message with its descriptors, and ends sending at the end of file
 *   produce COUNT SEED   sends messages of test/support/shared-memory/peer.py's generator, and ends sending
 *   consume COUNT SEED   checks them; exit code 0 if all were right
 */
#define _GNU_SOURCE
#include "../../../examples/shared-memory/channel.h"

#include <stdio.h>
#include <stdlib.h>

enum { LONGEST = 8192 };
static uint8_t buffer[1 << 20];

static void fail(const char *what) {
  perror(what);
  exit(1);
}

static uint32_t next_random(uint32_t *state) {
  *state ^= *state << 13;
  *state ^= *state >> 17;
  *state ^= *state << 5;
  return *state;
}

/* The length of the next message, and its bytes, which count modulo 251 from a random one. */
static size_t make(uint32_t *state, size_t longest, uint8_t *data) {
  size_t length = next_random(state) % (longest + 1);
  uint32_t first = next_random(state) % 251;
  for (size_t i = 0; i < length; i++) data[i] = (uint8_t)((first + i) % 251);
  return length;
}

static void echo(struct channel *channel) {
  int fds[CHANNEL_MAX_FDS];
  size_t count;
  for (;;) {
    ssize_t length = channel_receive(channel, buffer, sizeof buffer, fds, &count);
    if (length == CHANNEL_EOF) break;
    if (length < 0) fail("channel_receive");
    if (channel_send(channel, buffer, (size_t)length, fds, count) == -1) fail("channel_send");
    for (size_t i = 0; i < count; i++) close(fds[i]);
  }
  if (channel_end(channel) == -1) fail("channel_end");
  /* Until the other end has received everything. */
  if (channel_receive(channel, buffer, sizeof buffer, fds, &count) != CHANNEL_EOF) fail("at the end");
}

static void produce(struct channel *channel, long messages, uint32_t state) {
  size_t longest = channel->out.capacity / 2 - 8;
  if (longest > 4000) longest = 4000;
  for (long i = 0; i < messages; i++)
    if (channel_send(channel, buffer, make(&state, longest, buffer), NULL, 0) == -1) fail("channel_send");
  if (channel_end(channel) == -1) fail("channel_end");
  int fds[CHANNEL_MAX_FDS];
  size_t count;
  if (channel_receive(channel, buffer, sizeof buffer, fds, &count) != CHANNEL_EOF) fail("at the end");
}

static void consume(struct channel *channel, long messages, uint32_t state) {
  static uint8_t expected[LONGEST];
  size_t longest = channel->in.capacity / 2 - 8;
  if (longest > 4000) longest = 4000;
  int fds[CHANNEL_MAX_FDS];
  size_t count;
  for (long i = 0; i < messages; i++) {
    size_t length = make(&state, longest, expected);
    ssize_t received = channel_receive(channel, buffer, sizeof buffer, fds, &count);
    if (received == CHANNEL_EOF) errno = ENODATA;
    if (received < 0) fail("channel_receive");
    if ((size_t)received != length || memcmp(buffer, expected, length) != 0) {
      size_t at = 0;
      while (at < length && at < (size_t)received && buffer[at] == expected[at]) at++;
      fprintf(stderr, "message %ld: %zd bytes instead of %zu, different from byte %zu\n", i, received, length, at);
      exit(1);
    }
  }
  if (channel_receive(channel, buffer, sizeof buffer, fds, &count) != CHANNEL_EOF) fail("at the end");
}

int main(int argc, char **argv) {
  if (argc < 3) return 2;
  static struct channel channel;
  if (channel_open(&channel, 3, (uint32_t)strtoul(argv[2], NULL, 10)) == -1) fail("channel_open");
  long count = argc > 3 ? strtol(argv[3], NULL, 10) : 0;
  uint32_t seed = argc > 4 ? (uint32_t)strtoul(argv[4], NULL, 10) : 1;
  if (strcmp(argv[1], "echo") == 0) echo(&channel);
  else if (strcmp(argv[1], "produce") == 0) produce(&channel, count, seed);
  else if (strcmp(argv[1], "consume") == 0) consume(&channel, count, seed);
  else return 2;
  channel_close(&channel);
  return 0;
}
