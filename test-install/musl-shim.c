/* What libstdc++ and libgcc_s for glibc ask of glibc and musl has not: enough for Bun to start. */
#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>

long syscall(long number, ...);
size_t strftime_l(char *to, size_t room, const char *format, const void *time, void *locale);

char __libc_single_threaded = 0;

uint32_t arc4random(void) {
  uint32_t value = 0;
  syscall(SYS_getrandom, &value, sizeof value, 0);
  return value;
}

size_t __strftime_l(char *to, size_t room, const char *format, const void *time, void *locale) {
  return strftime_l(to, room, format, time, locale);
}

/* Destructors of threads' objects do not run. */
int __cxa_thread_atexit_impl(void (*destructor)(void *), void *object, void *library) {
  (void)destructor;
  (void)object;
  (void)library;
  return 0;
}

/* Not found: the unwinder then asks dl_iterate_phdr. */
int _dl_find_object(void *address, void *result) {
  (void)address;
  (void)result;
  return -1;
}

int __cpu_indicator_init(void) { return 0; }
struct {
  unsigned int features[4];
} __cpu_model;
