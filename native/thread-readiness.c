/*
 * Readiness where there is no libuv: one thread per environment waits in epoll_wait(2) for all
 * descriptors, and reports to the JavaScript function of libuv-readiness.c through one threadsafe function.
 *
 * A descriptor is armed for one report, and armed again when JavaScript has handled it. The thread
 * therefore never spins over a message that was not received yet. The thread shares no memory with
 * JavaScript. A report is one number, the token: the descriptor, the generation of its poll, and the events.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "call.h"
#include "exports.h"
#include "readiness.h"

_Static_assert(sizeof(void *) == sizeof(uint64_t), "a token is passed as a pointer");

/* A token: 3 bits for the events, 31 for the descriptor, 30 for the generation. */
enum { FAILED = 4, EVENT_BITS = 3, DESCRIPTOR_BITS = 31 };
static const uint64_t event_mask = (1 << EVENT_BITS) - 1;
static const uint64_t descriptor_mask = (UINT64_C(1) << DESCRIPTOR_BITS) - 1;
static const uint32_t generation_mask = (UINT32_C(1) << 30) - 1;
static const uint64_t stop_token = UINT64_MAX;

struct watched {
  uint32_t generation; /* of the poll; 0 without a poll */
  int wanted;          /* the directions that JavaScript watches */
  int armed;           /* those of the next report; 0 after it */
  bool restarted;      /* since the last report began */
  bool keeps_loop_alive;
};

struct watcher {
  pthread_t thread;
  int epoll;
  int stop; /* an eventfd */
  napi_threadsafe_function function;
  struct watched *polls; /* by descriptor */
  size_t capacity;
  size_t keep_loop_alive; /* the number of polls that do */
  uint32_t generation;
  int reporting; /* the descriptor of the current report, or -1 */
};

static uint64_t token_of(int fd, uint32_t generation) {
  return (uint64_t)generation << (DESCRIPTOR_BITS + EVENT_BITS) | (uint64_t)fd << EVENT_BITS;
}

static int events_in(uint32_t events) {
  if ((events & EPOLLERR) != 0) return FAILED;
  int result = 0;
  if ((events & (EPOLLIN | EPOLLHUP)) != 0) result |= READABLE;
  if ((events & (EPOLLOUT | EPOLLHUP)) != 0) result |= WRITABLE;
  return result;
}

static void *watch(void *data) {
  const struct watcher *watcher = data;
  struct epoll_event events[64];
  for (;;) {
    int count = epoll_wait(watcher->epoll, events, sizeof events / sizeof *events, -1);
    for (int i = 0; i < count; i++) {
      uint64_t token = events[i].data.u64;
      if (token == stop_token) return NULL;
      token |= (uint64_t)events_in(events[i].events);
      /* The queue has no limit, so this fails only when the environment ends. */
      if (napi_call_threadsafe_function(watcher->function, (void *)token, napi_tsfn_nonblocking) != napi_ok)
        return NULL;
    }
  }
}

static int arm(const struct watcher *watcher, int fd) {
  struct watched *poll = &watcher->polls[fd];
  struct epoll_event event = {.events = EPOLLONESHOT, .data.u64 = token_of(fd, poll->generation)};
  if ((poll->wanted & READABLE) != 0) event.events |= EPOLLIN;
  if ((poll->wanted & WRITABLE) != 0) event.events |= EPOLLOUT;
  if (epoll_ctl(watcher->epoll, EPOLL_CTL_MOD, fd, &event) == -1) return -errno;
  poll->armed = poll->wanted;
  return 0;
}

static void keep_loop_alive(napi_env env, struct watcher *watcher, struct watched *poll, bool value) {
  if (poll->keeps_loop_alive == value) return;
  poll->keeps_loop_alive = value;
  watcher->keep_loop_alive += value ? 1 : (size_t)-1;
  /* Neither fails while the function lives, which is as long as the watcher. */
  if (value && watcher->keep_loop_alive == 1) (void)napi_ref_threadsafe_function(env, watcher->function);
  if (watcher->keep_loop_alive == 0) (void)napi_unref_threadsafe_function(env, watcher->function);
}

static struct watched *poll_of(const struct instance *instance, size_t fd) {
  const struct watcher *watcher = instance->watcher;
  if (watcher == NULL || fd >= watcher->capacity || watcher->polls[fd].generation == 0) return NULL;
  return &watcher->polls[fd];
}

/* Runs in the thread of JavaScript. `env` is NULL after the end of the environment. */
static void on_report(napi_env env, napi_value function, void *context, void *data) {
  struct instance *instance = context;
  if (env == NULL || instance->ending) return;
  uint64_t token = (uint64_t)data;
  int fd = (int)(token >> EVENT_BITS & descriptor_mask);
  uint32_t generation = (uint32_t)(token >> (DESCRIPTOR_BITS + EVENT_BITS));
  int events = (int)(token & event_mask);
  struct watcher *watcher = instance->watcher;
  struct watched *poll = poll_of(instance, (size_t)fd);
  if (poll == NULL || poll->generation != generation) return;
  poll->armed = 0;
  if (events == FAILED) {
    /* As with libuv: the poll stops, and every waiting call meets the error. */
    if (poll->wanted == 0) return;
    events = READABLE | WRITABLE | STOPPED;
    poll->wanted = 0;
  } else {
    events &= poll->wanted;
  }

  bool known = true;
  if (events != 0) {
    struct report *report = instance->report;
    poll->restarted = false;
    watcher->reporting = fd;
    report->active = 1;
    report->keeps_loop_alive = poll->keeps_loop_alive;
    napi_value undefined, answer, arguments[2];
    /* Fails only if the thread is terminated: src/system/thread-readiness.ts catches all exceptions. */
    if (napi_get_undefined(env, &undefined) != napi_ok ||
        napi_create_int32(env, fd, &arguments[0]) != napi_ok ||
        napi_create_int32(env, events, &arguments[1]) != napi_ok ||
        napi_call_function(env, undefined, function, 2, arguments, &answer) != napi_ok ||
        napi_get_value_bool(env, answer, &known) != napi_ok)
      known = true;
    report->active = 0;
    watcher = instance->watcher;
    if (watcher == NULL) return;
    watcher->reporting = -1;
    poll = poll_of(instance, (size_t)fd);
    if (poll == NULL || poll->generation != generation) return;
    if (!known && !poll->restarted) poll->wanted = 0;
    keep_loop_alive(env, watcher, poll, report->keeps_loop_alive);
  }
  if (poll->wanted != poll->armed && poll->wanted != 0) arm(watcher, fd);
}

static void free_watcher(struct watcher *watcher) {
  if (watcher->epoll >= 0) close(watcher->epoll);
  if (watcher->stop >= 0) close(watcher->stop);
  free(watcher->polls);
  free(watcher);
}

void stop_watcher(void *data) {
  struct instance *instance = data;
  struct watcher *watcher = instance->watcher;
  if (watcher == NULL) return;
  const uint64_t one = 1;
  /* If the thread cannot be stopped, its memory must stay. */
  if (write(watcher->stop, &one, sizeof one) != sizeof one) return;
  pthread_join(watcher->thread, NULL);
  instance->watcher = NULL;
  /* Fails only if the function was already released. */
  (void)napi_release_threadsafe_function(watcher->function, napi_tsfn_abort);
  free_watcher(watcher);
}

static int start_thread(struct watcher *watcher) {
  struct epoll_event event = {.events = EPOLLIN, .data.u64 = stop_token};
  if (epoll_ctl(watcher->epoll, EPOLL_CTL_ADD, watcher->stop, &event) == -1) return -errno;
  /* The threads of the runtime handle signals. */
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  int error = pthread_create(&watcher->thread, NULL, watch, watcher);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  return -error;
}

static int start_watcher(napi_env env, struct instance *instance) {
  if (instance->watcher != NULL) return 0;
  if (instance->ending) return -ECANCELED;
  struct watcher *watcher = calloc(1, sizeof *watcher);
  if (watcher == NULL) return -ENOMEM;
  watcher->reporting = -1;
  watcher->epoll = epoll_create1(EPOLL_CLOEXEC);
  watcher->stop = watcher->epoll == -1 ? -1 : eventfd(0, EFD_CLOEXEC);
  int result = watcher->stop == -1 ? -errno : 0;
  napi_value function, name;
  if (result == 0 && (napi_get_reference_value(env, instance->on_ready, &function) != napi_ok ||
                      napi_create_string_utf8(env, "seqpacket", NAPI_AUTO_LENGTH, &name) != napi_ok ||
                      napi_create_threadsafe_function(env, function, NULL, name, 0, 1, NULL, NULL, instance,
                                                      on_report, &watcher->function) != napi_ok))
    result = -ENOMEM;
  if (result == 0) {
    (void)napi_unref_threadsafe_function(env, watcher->function);
    result = start_thread(watcher);
    if (result < 0) (void)napi_release_threadsafe_function(watcher->function, napi_tsfn_abort);
  }
  if (result < 0) {
    free_watcher(watcher);
    return result;
  }
  /* Hooks run in reverse order: this one runs before the threadsafe function is released. */
  const bool is_hooked = napi_add_env_cleanup_hook(env, stop_watcher, instance) == napi_ok;
  instance->watcher = watcher;
  if (is_hooked) return 0;
  stop_watcher(instance);
  return -ENOMEM;
}

/* threadPollOpen(fd): as pollOpen */
napi_value js_threadPollOpen(napi_env env, napi_callback_info info) {
  struct call call = begin_call(env, info);
  int fd = integer_argument(&call, 0);
  if (call.failed) return arguments_unread(&call);
  if (fd < 0) return integer_result(&call, -EBADF);
  int result = start_watcher(env, call.instance);
  if (result < 0) return integer_result(&call, result);
  struct watcher *watcher = call.instance->watcher;
  if ((size_t)fd >= watcher->capacity) {
    size_t capacity = (size_t)fd + (size_t)fd / 2 + 16;
    struct watched *polls = grow_table(watcher->polls, sizeof *polls, watcher->capacity, capacity);
    if (polls == NULL) return integer_result(&call, -ENOMEM);
    watcher->polls = polls;
    watcher->capacity = capacity;
  }
  uint32_t generation = watcher->generation % generation_mask + 1;
  struct epoll_event event = {.events = EPOLLONESHOT, .data.u64 = token_of(fd, generation)};
  if (epoll_ctl(watcher->epoll, EPOLL_CTL_ADD, fd, &event) == -1) return integer_result(&call, -errno);
  watcher->generation = generation;
  watcher->polls[fd] = (struct watched){.generation = generation};
  return integer_result(&call, 0);
}

static struct watched *poll_argument(struct call *call) {
  int fd = integer_argument(call, 0);
  return call->failed || fd < 0 ? NULL : poll_of(call->instance, (size_t)fd);
}

/* threadPollWatch(fd, events): as pollWatch */
napi_value js_threadPollWatch(napi_env env, napi_callback_info info) {
  struct call call = begin_call(env, info);
  struct watched *poll = poll_argument(&call);
  int fd = integer_argument(&call, 0);
  int events = integer_argument(&call, 1);
  if (call.failed) return arguments_unread(&call);
  if (poll == NULL) return integer_result(&call, -EBADF);
  struct watcher *watcher = call.instance->watcher;
  poll->wanted = events;
  poll->restarted = true;
  /* Extra events in a report cost less than a system call. The current report arms the descriptor anyway. */
  if ((poll->wanted & ~poll->armed) == 0 || fd == watcher->reporting) return integer_result(&call, 0);
  return integer_result(&call, arm(watcher, fd));
}

/* threadPollRef(fd, keepsLoopAlive): as pollRef */
napi_value js_threadPollRef(napi_env env, napi_callback_info info) {
  struct call call = begin_call(env, info);
  struct watched *poll = poll_argument(&call);
  bool referenced = boolean_argument(&call, 1);
  if (!call.failed && poll != NULL) keep_loop_alive(env, call.instance->watcher, poll, referenced);
  return NULL;
}

/* threadPollClose(fd): as pollClose */
napi_value js_threadPollClose(napi_env env, napi_callback_info info) {
  struct call call = begin_call(env, info);
  struct watched *poll = poll_argument(&call);
  int fd = integer_argument(&call, 0);
  if (poll == NULL) return NULL;
  struct watcher *watcher = call.instance->watcher;
  keep_loop_alive(env, watcher, poll, false);
  epoll_ctl(watcher->epoll, EPOLL_CTL_DEL, fd, NULL);
  if (fd == watcher->reporting) watcher->reporting = -1;
  poll->generation = 0;
  return NULL;
}
