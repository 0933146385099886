/* The functions for JavaScript, by file. src/system/operating-system.ts describes them. */
#ifndef SEQPACKET_EXPORTS_H
#define SEQPACKET_EXPORTS_H

#include "instance.h"

#define SYSTEM_CALLS(X) \
  X(socket)             \
  X(socketpair)         \
  X(bind)               \
  X(listen)             \
  X(accept4)            \
  X(connect)            \
  X(shutdown)           \
  X(getsockopt)         \
  X(setsockopt)         \
  X(getsockname)        \
  X(getpeername)        \
  X(ioctl)              \
  X(fcntl)              \
  X(dup)                \
  X(fchmod)             \
  X(poll)               \
  X(close)
#define MESSAGES(X) \
  X(recvmsg)        \
  X(controlBlock)   \
  X(send)           \
  X(sendmsg)        \
  X(recvmmsg)       \
  X(sendmmsg)       \
  X(sendSlots)
#define OWNED_DESCRIPTORS(X) \
  X(own)                     \
  X(disown)
#define RECEIVE_MEMORY(X) \
  X(takeOverflow)         \
  X(takeBatch)            \
  X(releaseBatch)         \
  X(takeBatchControl)
#define SHARED_MEMORY(X) \
  X(memfdCreate)         \
  X(ftruncate)           \
  X(lseek)               \
  X(fallocate)           \
  X(mmap)                \
  X(munmap)
#define LIBUV_READINESS(X) \
  X(onReady)               \
  X(pollOpen)              \
  X(pollWatch)             \
  X(pollRef)               \
  X(pollClose)
#define THREAD_READINESS(X) \
  X(threadPollOpen)         \
  X(threadPollWatch)        \
  X(threadPollRef)          \
  X(threadPollClose)
#define EXPORTS(X)     \
  SYSTEM_CALLS(X)      \
  MESSAGES(X)          \
  OWNED_DESCRIPTORS(X) \
  RECEIVE_MEMORY(X)    \
  SHARED_MEMORY(X)     \
  LIBUV_READINESS(X)   \
  THREAD_READINESS(X)

#define DECLARE(name) napi_value js_##name(napi_env env, napi_callback_info info);
EXPORTS(DECLARE)
#undef DECLARE

#endif
