/*
 * Not part of the addon: compiled by scripts/check-native.mjs against the uv.h of the running Node.js,
 * to prove that libuv.h declares the same ABI.
 */
#include <uv.h>

#include "libuv.h"
#include "readiness.h"

_Static_assert((int)POLL_HANDLE_TYPE == (int)UV_POLL, "uv_handle_type");
_Static_assert((int)READABLE == (int)UV_READABLE, "uv_poll_event");
_Static_assert((int)WRITABLE == (int)UV_WRITABLE, "uv_poll_event");
_Static_assert(offsetof(uv_metrics_t, loop_count) == 0 && sizeof(uv_metrics_t) == 16 * sizeof(uint64_t),
               "uv_metrics_t");
_Static_assert(sizeof(uv_handle_type) == sizeof(int), "uv_handle_size takes an int");

#define SAME_TYPE(function, type) _Static_assert(_Generic(&(function), type : 1, default : 0), #function)

SAME_TYPE(uv_handle_size, size_t (*)(uv_handle_type));
SAME_TYPE(uv_poll_init, int (*)(uv_loop_t *, uv_poll_t *, int));
SAME_TYPE(uv_poll_start, int (*)(uv_poll_t *, int, uv_poll_cb));
SAME_TYPE(uv_poll_stop, int (*)(uv_poll_t *));
SAME_TYPE(uv_close, void (*)(uv_handle_t *, uv_close_cb));
SAME_TYPE(uv_ref, void (*)(uv_handle_t *));
SAME_TYPE(uv_unref, void (*)(uv_handle_t *));
SAME_TYPE(uv_handle_get_data, void *(*)(const uv_handle_t *));
SAME_TYPE(uv_handle_get_loop, uv_loop_t *(*)(const uv_handle_t *));
SAME_TYPE(uv_handle_set_data, void (*)(uv_handle_t *, void *));
SAME_TYPE(uv_metrics_info, int (*)(uv_loop_t *, uv_metrics_t *));
