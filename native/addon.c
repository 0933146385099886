/* The addon's exports, and its life from the start of an environment to its end. */
#include <stdlib.h>
#include <string.h>

#include "exports.h"
#include "instance.h"
#include "owned-descriptors.h"
#include "readiness.h"
#include "receive-memory.h"

void *grow_table(void *table, size_t item, size_t from, size_t to) {
  unsigned char *result = realloc(table, to * item);
  if (result != NULL) memset(result + from * item, 0, (to - from) * item);
  return result;
}

static void free_instance(napi_env env, void *data, void *hint) {
  struct instance *instance = data;
  (void)env;
  (void)hint;
  free_receive_memory(instance);
  free(instance->owned);
  free(instance->polls);
  free(instance);
}

static void delete_reference(napi_env env, napi_ref *reference) {
  /* Fails only for a wrong argument; the environment ends in any case. */
  if (*reference != NULL) (void)napi_delete_reference(env, *reference);
  *reference = NULL;
}

/*
 * Runs when a worker ends or the process exits, for any reason. Descriptors are closed after the polls
 * that watch them: epoll must not keep a number that may be reused.
 */
static void on_environment_end(void *data) {
  struct instance *instance = data;
  instance->ending = true;
  close_all_polls(instance);
  stop_watcher(instance);
  close_owned_descriptors(instance);
  delete_reference(instance->env, &instance->on_ready);
  delete_reference(instance->env, &instance->report_reference);
  delete_reference(instance->env, &instance->control_reference);
}

/*
 * The same where libuv is used, whose handles are closed some turns of the loop later. The hook is added
 * only where libuv is used, because Deno could not end after it. It runs before the other hook.
 */
static void on_loop_end(napi_async_cleanup_hook_handle handle, void *data) {
  struct instance *instance = data;
  instance->cleanup = handle;
  on_environment_end(instance);
  if (instance->live_polls == 0) environment_is_clean(instance);
}

bool wait_for_polls_at_end(struct instance *instance) {
  if (!instance->waits_for_polls)
    instance->waits_for_polls =
        napi_add_async_cleanup_hook(instance->env, on_loop_end, instance, NULL) == napi_ok;
  return instance->waits_for_polls;
}

void environment_is_clean(struct instance *instance) {
  /* Fails only without a handle, and the hook has one. */
  (void)napi_remove_async_cleanup_hook(instance->cleanup);
}

static napi_value refuse(napi_env env, const char *code, const char *message) {
  /* Fails only while the environment is being terminated, when there is no caller to throw to. */
  (void)napi_throw_error(env, code, message);
  return NULL;
}

NAPI_MODULE_INIT() {
  struct instance *instance = calloc(1, sizeof *instance);
  if (instance == NULL || !reserve_overflow(instance)) {
    free(instance);
    return refuse(env, "ENOMEM", "seqpacket: no memory for the addon");
  }
  instance->env = env;
  if (napi_set_instance_data(env, instance, free_instance, NULL) != napi_ok) {
    free_instance(env, instance, NULL);
    return refuse(env, "ERR_DLOPEN_FAILED", "seqpacket: the addon cannot be attached to this environment");
  }
  if (napi_add_env_cleanup_hook(env, on_environment_end, instance) != napi_ok)
    return refuse(env, "ERR_DLOPEN_FAILED", "seqpacket: the addon cannot be attached to this environment");
#define EXPORT(name) {#name, NULL, js_##name, NULL, NULL, NULL, napi_enumerable, instance},
  const napi_property_descriptor properties[] = {EXPORTS(EXPORT)};
#undef EXPORT
  if (napi_define_properties(env, exports, sizeof properties / sizeof *properties, properties) != napi_ok)
    return NULL;
  return exports;
}
