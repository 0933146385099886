/* The addon's exports, and its life from the start of an environment to its end. */
#include "addon.h"

#include <stdlib.h>
#include <string.h>

struct arguments read_arguments(napi_env env, napi_callback_info info) {
  struct arguments arguments = {0};
  size_t count = MAX_ARGUMENTS;
  void *instance = NULL;
  napi_get_cb_info(env, info, &count, arguments.values, NULL, &instance);
  arguments.instance = instance;
  return arguments;
}

void *grown(void *table, size_t item, size_t from, size_t to) {
  unsigned char *result = realloc(table, to * item);
  if (result != NULL) memset(result + from * item, 0, (to - from) * item);
  return result;
}

static void free_instance(napi_env env, void *data, void *hint) {
  struct instance *instance = data;
  (void)env;
  (void)hint;
  free_spill(instance);
  free(instance->owned);
  free(instance->polls);
  free(instance);
}

static void let_go(napi_env env, napi_ref *reference) {
  if (*reference != NULL) napi_delete_reference(env, *reference);
  *reference = NULL;
}

/*
 * Runs when a worker ends or the process exits, however it came to that. Descriptors go only after
 * what watches them: epoll must not be left with a number that somebody else may get.
 */
static void on_environment_end(void *data) {
  struct instance *instance = data;
  instance->ending = true;
  close_all_polls(instance);
  stop_watcher(instance);
  close_owned_descriptors(instance);
  let_go(instance->env, &instance->on_ready);
  let_go(instance->env, &instance->report_reference);
  let_go(instance->env, &instance->control_reference);
}

/*
 * The same for who uses libuv, whose handles are gone only some turns of the loop later. Deno could not
 * end after this hook, which is why only those have it who need it. It runs before the other one.
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

void environment_is_clean(struct instance *instance) { napi_remove_async_cleanup_hook(instance->cleanup); }

NAPI_MODULE_INIT() {
  struct instance *instance = calloc(1, sizeof *instance);
  if (instance == NULL || !reserve_spill(instance)) {
    free(instance);
    napi_throw_error(env, "ENOMEM", "seqpacket: no memory for the addon");
    return NULL;
  }
  instance->env = env;
  if (napi_set_instance_data(env, instance, free_instance, NULL) != napi_ok ||
      napi_add_env_cleanup_hook(env, on_environment_end, instance) != napi_ok) {
    napi_throw_error(env, NULL, "seqpacket: the addon cannot be attached to this environment");
    return NULL;
  }
#define EXPORT(name) {#name, NULL, js_##name, NULL, NULL, NULL, napi_enumerable, instance},
  const napi_property_descriptor properties[] = {EXPORTED(EXPORT)};
#undef EXPORT
  napi_define_properties(env, exports, sizeof properties / sizeof *properties, properties);
  return exports;
}
