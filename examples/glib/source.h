#include <glib.h>
#include <stdint.h>

// source_add has GLib's default main loop call goReady(handle) when fd is readable.
guint source_add(int fd, uintptr_t handle);

// timeout_add has it call goTimeout(handle) once, after that many milliseconds.
guint timeout_add(guint ms, uintptr_t handle);
