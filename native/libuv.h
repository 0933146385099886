/*
 * The functions of libuv that the addon calls. Node.js exports them from its own executable and
 * keeps their ABI within libuv 1.x. Declared here because a Node.js installation may come without
 * uv.h; libuv-abi.c compares this file with the real one where there is one. Weak, because the addon
 * must also load where they do not exist: other runtimes use thread-readiness.c.
 */
#ifndef SEQPACKET_LIBUV_H
#define SEQPACKET_LIBUV_H

#include <stddef.h>
#include <stdint.h>

typedef struct uv_loop_s uv_loop_t;
typedef struct uv_handle_s uv_handle_t;
typedef struct uv_poll_s uv_poll_t;
typedef void (*uv_close_cb)(uv_handle_t *handle);
typedef void (*uv_poll_cb)(uv_poll_t *handle, int status, int events);

/* From uv_handle_type, under another name so that uv.h can be included as well. */
enum { POLL_HANDLE_TYPE = 8 };

#ifndef UV_H
typedef struct uv_metrics_s {
  uint64_t loop_count;
  uint64_t unused[15];
} uv_metrics_t;
#pragma weak uv_handle_size
#pragma weak uv_poll_init
#pragma weak uv_poll_start
#pragma weak uv_poll_stop
#pragma weak uv_close
#pragma weak uv_ref
#pragma weak uv_unref
#pragma weak uv_has_ref
#pragma weak uv_handle_get_data
#pragma weak uv_handle_get_loop
#pragma weak uv_handle_set_data
#pragma weak uv_metrics_info
size_t uv_handle_size(int type);
int uv_poll_init(uv_loop_t *loop, uv_poll_t *handle, int fd);
int uv_poll_start(uv_poll_t *handle, int events, uv_poll_cb callback);
int uv_poll_stop(uv_poll_t *handle);
void uv_close(uv_handle_t *handle, uv_close_cb callback);
void uv_ref(uv_handle_t *handle);
void uv_unref(uv_handle_t *handle);
int uv_has_ref(const uv_handle_t *handle);
void *uv_handle_get_data(const uv_handle_t *handle);
uv_loop_t *uv_handle_get_loop(const uv_handle_t *handle);
void uv_handle_set_data(uv_handle_t *handle, void *data);
int uv_metrics_info(uv_loop_t *loop, uv_metrics_t *metrics); /* since libuv 1.45 */
#endif

#endif
