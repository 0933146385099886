/* sendmmsg(2) and recvmmsg(2) of 64 messages, which wait. */
#include <sys/socket.h>

#include "limit.h"

enum { BATCH = 64 };

struct batch {
  struct mmsghdr headers[BATCH];
  struct iovec parts[BATCH];
};

static void open_batch(struct batch *batch) {
  for (int i = 0; i < BATCH; i++) {
    batch->headers[i] = (struct mmsghdr){.msg_hdr = {.msg_iov = &batch->parts[i], .msg_iovlen = 1}};
  }
}

void batches_sink(const struct work *work) {
  int fd = accept_one(work, 0);
  static struct batch batch;
  open_batch(&batch);
  for (int i = 0; i < BATCH; i++)
    batch.parts[i] = (struct iovec){memory(work->size), work->size};
  struct meter meter = {0};
  for (bool more = true; more;) {
    int count = (int)check(recvmmsg(fd, batch.headers, BATCH, MSG_WAITFORONE, NULL), "recvmmsg");
    for (int i = 0; i < count && more; i++)
      more = meter_saw(&meter, *(char *)batch.parts[i].iov_base);
  }
  meter_report(&meter);
}

void batches_flood(const struct work *work) {
  int fd = connect_to(work->path, SOCK_SEQPACKET, 0);
  static struct batch batch;
  open_batch(&batch);
  struct pace pace;
  pace_open(&pace, work);
  for (bool more = true; more;) {
    int count = 0;
    for (; count < BATCH; count++) {
      const char *message = pace_next(&pace);
      if (message == NULL) break;
      batch.parts[count] = (struct iovec){(char *)message, work->size};
    }
    more = count == BATCH;
    for (int sent = 0; sent < count;) {
      sent +=
          (int)check(sendmmsg(fd, batch.headers + sent, (unsigned)(count - sent), MSG_NOSIGNAL), "sendmmsg");
    }
  }
  pace_report(&pace, false);
}
