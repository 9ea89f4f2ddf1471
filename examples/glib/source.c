#include "source.h"
#include "_cgo_export.h"

#include <glib-unix.h>

static gboolean ready(gint fd, GIOCondition condition, gpointer handle) {
	return goReady((uintptr_t)handle);
}

static gboolean timeout(gpointer handle) {
	goTimeout((uintptr_t)handle);
	return G_SOURCE_REMOVE;
}

guint source_add(int fd, uintptr_t handle) {
	return g_unix_fd_add(fd, G_IO_IN, ready, (gpointer)handle);
}

guint timeout_add(guint ms, uintptr_t handle) {
	return g_timeout_add(ms, timeout, (gpointer)handle);
}
