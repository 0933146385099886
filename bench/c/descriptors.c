/* One descriptor with each message, closed by the receiver. */
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "limit.h"

union control {
  struct cmsghdr header;
  char room[CMSG_SPACE(sizeof(int))];
};

void descriptors_sink(const struct work *work) {
  int fd = accept_one(work, 0);
  char *buffer = memory(work->size);
  union control control;
  struct meter meter = {0};
  do {
    struct iovec part = {buffer, work->size};
    struct msghdr message = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
    check(recvmsg(fd, &message, MSG_CMSG_CLOEXEC), "recvmsg");
    int received;
    memcpy(&received, CMSG_DATA(&control.header), sizeof received);
    check(close(received), "close");
  } while (meter_saw(&meter, buffer[0]));
  meter_report(&meter);
}

void descriptors_flood(const struct work *work) {
  int fd = connect_to(work->path, SOCK_SEQPACKET, 0);
  int passed = (int)check(open("/dev/null", O_RDONLY | O_CLOEXEC), "open");
  union control control = {
      .header = {.cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(sizeof passed)}};
  memcpy(CMSG_DATA(&control.header), &passed, sizeof passed);
  struct pace pace;
  pace_open(&pace, work);
  for (const char *data; (data = pace_next(&pace)) != NULL;) {
    struct iovec part = {(char *)data, work->size};
    struct msghdr message = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
    check(sendmsg(fd, &message, MSG_NOSIGNAL), "sendmsg");
  }
  pace_report(&pace, false);
}
