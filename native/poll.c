/*
 * Readiness: one uv_poll_t per descriptor that somebody ever waited on, all reporting to one
 * JavaScript function per environment. A poll goes on watching after it has fired, until it is told
 * otherwise.
 */
#include "addon.h"

#include <errno.h>
#include <stdlib.h>

#include "libuv-poll.h"

struct poll {
  struct instance *instance;
  uv_poll_t *handle;
  struct poll *next;
  struct poll *previous;
  int fd;
  bool restarted; /* since the last report began */
  bool closed;    /* uv_close was called */
  bool gone;      /* libuv has let go of the handle */
  bool collected;
};

static void free_if_unused(struct poll *poll) {
  if (!poll->gone || !poll->collected) return;
  free(poll->handle);
  free(poll);
}

static void on_closed(uv_handle_t *handle) {
  struct poll *poll = uv_handle_get_data(handle);
  struct instance *instance = poll->instance;
  poll->gone = true;
  instance->live_polls--;
  free_if_unused(poll);
  if (instance->ending && instance->live_polls == 0) environment_is_clean(instance);
}

static void close_poll(struct poll *poll) {
  if (poll->closed) return;
  poll->closed = true;
  if (poll->previous != NULL) poll->previous->next = poll->next;
  else poll->instance->polls = poll->next;
  if (poll->next != NULL) poll->next->previous = poll->previous;
  uv_close((uv_handle_t *)poll->handle, on_closed);
}

void close_all_polls(struct instance *instance) {
  while (instance->polls != NULL)
    close_poll(instance->polls);
}

static void on_collected(napi_env env, void *data, void *hint) {
  struct poll *poll = data;
  (void)env;
  (void)hint;
  close_poll(poll);
  poll->collected = true;
  free_if_unused(poll);
}

/* Tells JavaScript; returns whether anybody there knows the descriptor. */
static bool notify(struct poll *poll, int events) {
  napi_env env = poll->instance->env;
  napi_value function, answer, arguments[2];
  bool known = true;
  napi_get_reference_value(env, poll->instance->on_ready, &function);
  napi_create_int32(env, poll->fd, &arguments[0]);
  napi_create_int32(env, events, &arguments[1]);
  napi_status status = napi_make_callback(env, NULL, function, function, 2, arguments, &answer);
  if (status == napi_ok) {
    napi_get_value_bool(env, answer, &known);
  } else {
    bool pending = false;
    napi_value error;
    napi_is_exception_pending(env, &pending);
    if (pending && napi_get_and_clear_last_exception(env, &error) == napi_ok)
      napi_fatal_exception(env, error);
  }
  return known;
}

static void keep_loop_alive(struct poll *poll, bool value) {
  if (value) uv_ref((uv_handle_t *)poll->handle);
  else uv_unref((uv_handle_t *)poll->handle);
}

static void on_event(uv_poll_t *handle, int status, int events) {
  struct poll *poll = uv_handle_get_data((uv_handle_t *)handle);
  struct report *report = poll->instance->report;
  napi_env env = poll->instance->env;
  /* libuv reports EPOLLERR as UV_EBADF and stops the handle: let every waiting call meet the error. */
  if (status < 0) events = POLL_READABLE | POLL_WRITABLE | POLL_STOPPED;
  poll->restarted = false;
  report->active = 1;
  report->keeps_loop_alive = uv_has_ref((uv_handle_t *)handle);
  napi_handle_scope scope;
  napi_open_handle_scope(env, &scope);
  bool known = notify(poll, events);
  napi_close_handle_scope(env, scope);
  report->active = 0;
  if (poll->closed) return;
  if (!known && !poll->restarted) uv_poll_stop(handle);
  keep_loop_alive(poll, report->keeps_loop_alive);
}

static struct poll *poll_argument(napi_env env, napi_value value) {
  void *poll = NULL;
  napi_get_value_external(env, value, &poll);
  return poll;
}

/* onReady(function (fd, events): known, report: Int32Array) */
napi_value js_onReady(napi_env env, napi_callback_info info) {
  struct arguments arguments = read_arguments(env, info);
  struct instance *instance = arguments.instance;
  size_t length;
  struct report *report = bytes_argument(env, arguments.values[1], &length);
  napi_ref ignored;
  if (report == NULL || length < sizeof *report) return integer_result(env, -EFAULT);
  /* References keep the function, and the memory that the report is in, for as long as the environment. */
  napi_create_reference(env, arguments.values[0], 1, &instance->on_ready);
  napi_create_reference(env, arguments.values[1], 1, &ignored);
  instance->report = report;
  return integer_result(env, 0);
}

/* pollOpen(fd): the poll, not started and not keeping the loop alive; or the negative errno */
napi_value js_pollOpen(napi_env env, napi_callback_info info) {
  struct arguments arguments = read_arguments(env, info);
  uv_loop_t *loop = NULL;
  if (napi_get_uv_event_loop(env, &loop) != napi_ok) return integer_result(env, -ENOSYS);
  struct poll *poll = calloc(1, sizeof *poll);
  uv_poll_t *handle = malloc(uv_handle_size(POLL_HANDLE_TYPE));
  int fd = integer_argument(env, arguments.values[0]);
  int result = poll == NULL || handle == NULL ? -ENOMEM : uv_poll_init(loop, handle, fd);
  if (result < 0) {
    free(handle);
    free(poll);
    return integer_result(env, result);
  }
  uv_handle_set_data((uv_handle_t *)handle, poll);
  uv_unref((uv_handle_t *)handle);
  *poll = (struct poll){.instance = arguments.instance, .handle = handle, .fd = fd};
  poll->next = arguments.instance->polls;
  if (poll->next != NULL) poll->next->previous = poll;
  arguments.instance->polls = poll;
  arguments.instance->live_polls++;
  napi_value external = NULL;
  if (napi_create_external(env, poll, on_collected, NULL, &external) != napi_ok) {
    on_collected(env, poll, NULL);
    return integer_result(env, -ENOMEM);
  }
  return external;
}

/* pollWatch(poll, events): watches for these, and no others; 0 or the negative errno */
napi_value js_pollWatch(napi_env env, napi_callback_info info) {
  struct arguments arguments = read_arguments(env, info);
  struct poll *poll = poll_argument(env, arguments.values[0]);
  int events = integer_argument(env, arguments.values[1]);
  if (poll == NULL || poll->closed) return integer_result(env, -EBADF);
  poll->restarted = true;
  return integer_result(
      env, events == 0 ? uv_poll_stop(poll->handle) : uv_poll_start(poll->handle, events, on_event));
}

/* pollRef(poll, keepsLoopAlive) */
napi_value js_pollRef(napi_env env, napi_callback_info info) {
  struct arguments arguments = read_arguments(env, info);
  struct poll *poll = poll_argument(env, arguments.values[0]);
  bool referenced = false;
  napi_get_value_bool(env, arguments.values[1], &referenced);
  if (poll != NULL && !poll->closed) keep_loop_alive(poll, referenced);
  return NULL;
}

/* pollClose(poll): nothing is reported from here on, and the descriptor may be closed at once */
napi_value js_pollClose(napi_env env, napi_callback_info info) {
  struct arguments arguments = read_arguments(env, info);
  struct poll *poll = poll_argument(env, arguments.values[0]);
  if (poll != NULL) close_poll(poll);
  return NULL;
}
