/*
 * Readiness: one uv_poll_t for each descriptor that was ever waited on, all reporting to one
 * JavaScript function per environment. A poll continues to watch after it has fired, until it is
 * stopped.
 */
#include <errno.h>
#include <stdalign.h>
#include <stdlib.h>

#include "call.h"
#include "exports.h"
#include "libuv.h"
#include "readiness.h"

struct poll {
  struct instance *instance;
  int fd;
  bool restarted; /* since the last report began */
  alignas(max_align_t) unsigned char handle[];
};

static uv_poll_t *handle_of(struct poll *poll) { return (void *)poll->handle; }

static void on_closed(uv_handle_t *handle) {
  struct poll *poll = uv_handle_get_data(handle);
  struct instance *instance = poll->instance;
  free(poll);
  instance->live_polls--;
  if (instance->ending && instance->live_polls == 0) environment_is_clean(instance);
}

static void close_poll(struct instance *instance, size_t fd) {
  struct poll *poll = instance->polls[fd];
  instance->polls[fd] = NULL;
  if (poll == instance->reporting) instance->reporting = NULL;
  uv_close((uv_handle_t *)handle_of(poll), on_closed);
}

void close_all_polls(struct instance *instance) {
  for (size_t fd = 0; fd < instance->polls_capacity; fd++) {
    if (instance->polls[fd] != NULL) close_poll(instance, fd);
  }
}

/*
 * Reports to JavaScript, and returns whether the descriptor is known there. While the thread is being
 * terminated, a report is not possible: the poll continues, and is closed with the environment.
 */
static bool notify(struct instance *instance, int fd, int events) {
  napi_env env = instance->env;
  napi_value function = NULL, answer = NULL, arguments[2];
  bool known = true;
  if (napi_get_reference_value(env, instance->on_ready, &function) != napi_ok ||
      napi_create_int32(env, fd, &arguments[0]) != napi_ok ||
      napi_create_int32(env, events, &arguments[1]) != napi_ok)
    return true;
  if (napi_make_callback(env, NULL, function, function, 2, arguments, &answer) == napi_ok)
    return napi_get_value_bool(env, answer, &known) != napi_ok || known;
  bool pending = false;
  napi_value error = NULL;
  if (napi_is_exception_pending(env, &pending) == napi_ok && pending &&
      napi_get_and_clear_last_exception(env, &error) == napi_ok)
    /* Fails only if the thread is being terminated, when no handler is left. */
    (void)napi_fatal_exception(env, error);
  return true;
}

static void keep_loop_alive(struct poll *poll, bool value) {
  uv_handle_t *handle = (uv_handle_t *)handle_of(poll);
  if (value) uv_ref(handle);
  else uv_unref(handle);
}

/* The number of the turn of the loop; 0 if libuv is too old to count. */
static int32_t turn_of(uv_loop_t *loop) {
  uv_metrics_t metrics;
  if (uv_metrics_info == NULL || uv_metrics_info(loop, &metrics) != 0) return 0;
  return (int32_t)(metrics.loop_count & INT32_MAX);
}

static void on_event(uv_poll_t *handle, int status, int events) {
  struct poll *poll = uv_handle_get_data((uv_handle_t *)handle);
  struct instance *instance = poll->instance;
  struct report *report = instance->report;
  /* libuv reports EPOLLERR as UV_EBADF and stops the handle: let every waiting call meet the error. */
  if (status < 0) events = READABLE | WRITABLE | STOPPED;
  poll->restarted = false;
  instance->reporting = poll;
  report->active = 1;
  report->keeps_loop_alive = uv_has_ref((uv_handle_t *)handle);
  report->turn = turn_of(uv_handle_get_loop((uv_handle_t *)handle));
  napi_handle_scope scope = NULL;
  bool known = true;
  if (napi_open_handle_scope(instance->env, &scope) == napi_ok) {
    known = notify(instance, poll->fd, events);
    if (napi_close_handle_scope(instance->env, scope) != napi_ok)
      napi_fatal_error("seqpacket", NAPI_AUTO_LENGTH, "handle scopes are not nested", NAPI_AUTO_LENGTH);
  }
  report->active = 0;
  bool closed = instance->reporting == NULL;
  instance->reporting = NULL;
  if (closed) return;
  if (!known && !poll->restarted) uv_poll_stop(handle);
  keep_loop_alive(poll, report->keeps_loop_alive);
}

static struct poll *poll_argument(struct call *call) {
  int fd = integer_argument(call, 0);
  if (call->failed || fd < 0 || (size_t)fd >= call->instance->polls_capacity) return NULL;
  return call->instance->polls[fd];
}

/* onReady(function (fd, events): known, report: Int32Array) */
napi_value js_onReady(napi_env env, napi_callback_info info) {
  struct call call = begin_call(env, info);
  size_t length;
  struct report *report = bytes_argument(&call, 1, &length);
  if (call.failed || length < sizeof *report) return arguments_unread(&call);
  struct instance *instance = call.instance;
  /* References keep the function, and the memory that the report is in, for as long as the environment. */
  if (napi_create_reference(env, call.values[0], 1, &instance->on_ready) != napi_ok ||
      napi_create_reference(env, call.values[1], 1, &instance->report_reference) != napi_ok)
    return arguments_unread(&call);
  instance->report = report;
  return integer_result(&call, 0);
}

/* pollOpen(fd): a poll that does not watch yet and does not keep the loop alive */
napi_value js_pollOpen(napi_env env, napi_callback_info info) {
  struct call call = begin_call(env, info);
  int fd = integer_argument(&call, 0);
  uv_loop_t *loop = NULL;
  if (call.failed) return arguments_unread(&call);
  if (fd < 0) return integer_result(&call, -EBADF);
  struct instance *instance = call.instance;
  if (instance->report == NULL || napi_get_uv_event_loop(env, &loop) != napi_ok ||
      !wait_for_polls_at_end(instance))
    return integer_result(&call, -ENOSYS);
  if ((size_t)fd >= instance->polls_capacity) {
    size_t capacity = (size_t)fd + (size_t)fd / 2 + 16;
    struct poll **polls = grow_table(instance->polls, sizeof *polls, instance->polls_capacity, capacity);
    if (polls == NULL) return integer_result(&call, -ENOMEM);
    instance->polls = polls;
    instance->polls_capacity = capacity;
  }
  if (instance->polls[fd] != NULL) return integer_result(&call, -EEXIST);
  struct poll *poll = malloc(sizeof *poll + uv_handle_size(POLL_HANDLE_TYPE));
  int result = poll == NULL ? -ENOMEM : uv_poll_init(loop, handle_of(poll), fd);
  if (result < 0) {
    free(poll);
    return integer_result(&call, result);
  }
  poll->instance = instance;
  poll->fd = fd;
  poll->restarted = false;
  uv_handle_set_data((uv_handle_t *)handle_of(poll), poll);
  uv_unref((uv_handle_t *)handle_of(poll));
  instance->polls[fd] = poll;
  instance->live_polls++;
  return integer_result(&call, 0);
}

/* pollWatch(fd, events): watches for exactly these events; 0 or the negative errno */
napi_value js_pollWatch(napi_env env, napi_callback_info info) {
  struct call call = begin_call(env, info);
  struct poll *poll = poll_argument(&call);
  int events = integer_argument(&call, 1);
  if (call.failed) return arguments_unread(&call);
  if (poll == NULL) return integer_result(&call, -EBADF);
  poll->restarted = true;
  int result = events == 0 ? uv_poll_stop(handle_of(poll)) : uv_poll_start(handle_of(poll), events, on_event);
  return integer_result(&call, result);
}

/* pollRef(fd, keepsLoopAlive) */
napi_value js_pollRef(napi_env env, napi_callback_info info) {
  struct call call = begin_call(env, info);
  struct poll *poll = poll_argument(&call);
  bool referenced = boolean_argument(&call, 1);
  if (!call.failed && poll != NULL) keep_loop_alive(poll, referenced);
  return NULL;
}

/* pollClose(fd): ends the reports; the descriptor may be closed at once */
napi_value js_pollClose(napi_env env, napi_callback_info info) {
  struct call call = begin_call(env, info);
  struct poll *poll = poll_argument(&call);
  if (poll != NULL) close_poll(call.instance, (size_t)poll->fd);
  return NULL;
}
