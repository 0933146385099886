/* The addon's own memory for received messages. */
#ifndef SEQPACKET_RECEIVE_MEMORY_H
#define SEQPACKET_RECEIVE_MEMORY_H

#include "instance.h"

bool reserve_overflow(struct instance *instance);
size_t overflow_size(void);
void free_receive_memory(struct instance *instance);

/*
 * A control block, as src/messages/ancillary-data.ts lays it out: four numbers, then the control messages.
 * For sendmsg, `length` is their length in bytes. recvmsg sets `length`, `flags` and `room`.
 */
struct control_block {
  uint32_t length;
  uint32_t flags;
  uint32_t room; /* how many bytes the parts of recvmsg had room for */
  uint32_t unused;
  uint8_t messages[];
};

enum { MAX_BATCH = 64 };
/* The control messages of a message come first in its slot, its data behind them. */
enum { BATCH_CONTROL = 1280 };

/* What recvmmsg reports of one message. */
struct batch_result {
  int32_t length;
  int32_t flags;
  int32_t control_length;
  int32_t descriptors;
};

/* Slots for MAX_BATCH messages of any length, the n-th at n times the stride; NULL if there is no room. */
uint8_t *reserve_batch(struct instance *instance, size_t *stride);

#endif
