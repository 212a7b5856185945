// SPDX-License-Identifier: GPL-2.0
/*
 * From the path of a request to an open file.
 *
 * The kernel is asked to stay below the root (RESOLVE_BENEATH), so that
 * neither "..", however it is written, nor a symbolic link can lead out of
 * it, also when somebody renames directories at the same time. Only regular
 * files are served.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "httpd_http.h"

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Decodes one segment; returns its length or the negative of a status. */
static int decode_segment(const char *in, size_t len, char *out, size_t size)
{
	size_t n = 0;

	for (size_t i = 0; i < len; i++) {
		char c = in[i];

		if (c == '%') {
			int high = i + 2 < len ? hex_digit(in[i + 1]) : -1;
			int low = high >= 0 ? hex_digit(in[i + 2]) : -1;

			if (low < 0)
				return -400;
			c = high << 4 | low;
			if (!c)
				return -400;
			/* No file has a slash in its name. */
			if (c == '/')
				return -404;
			i += 2;
		}
		if (n == size)
			return -404;
		out[n++] = c;
	}
	return n;
}

int http_decode_path(const char *path, size_t len, char *out, size_t size,
		     bool *dir)
{
	const char *end = path + len;
	size_t used = 0;

	*dir = true;
	while (path < end) {
		const char *slash = memchr(path, '/', end - path);
		const char *stop = slash ? slash : end;
		/* where the segment goes, after a slash if not the first */
		size_t at = used ? used + 1 : 0;
		int n;

		if (size - used < 2)
			return 404;
		n = decode_segment(path, stop - path, out + at, size - at - 1);
		if (n < 0)
			return -n;
		path = slash ? slash + 1 : end;
		/* also after nothing, "." and ".." */
		*dir = slash || !strncmp("..", out + at, n);
		if (!n || (n == 1 && out[at] == '.'))
			continue;
		if (used)
			out[used] = '/';
		used = at + n;
	}
	if (!used)
		out[used++] = '.';
	out[used] = '\0';
	return 0;
}

static int open_beneath(int root, const char *path, int type)
{
	struct open_how how = {
		/* O_NONBLOCK: a FIFO is refused instead of waited for */
		.flags = O_RDONLY | type | O_CLOEXEC | O_NONBLOCK | O_NOCTTY,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS,
	};

	return syscall(SYS_openat2, root, path, &how, sizeof(how));
}

static int errno_status(void)
{
	switch (errno) {
	case ENOENT:
	case ENOTDIR:
	case ENAMETOOLONG:
	case ELOOP:
		return 404;
	case EACCES:
	case EPERM:
	case EXDEV:
	case ENXIO:
	case ENODEV:
		return 403;
	case EMFILE:
	case ENFILE:
	case ENOMEM:
	case EAGAIN:	/* a rename, while ".." was being resolved */
		return 503;
	default:
		return 500;
	}
}

static int open_index(int root, const char *dir)
{
	char path[PATH_MAX];
	int fd;

	if (snprintf(path, sizeof(path), "%s/index.html", dir) >= (int)sizeof(path))
		return -404;
	fd = open_beneath(root, path, 0);
	if (fd >= 0 || errno != ENOENT)
		return fd >= 0 ? fd : -errno_status();

	/* A directory without an index is not to be listed. */
	fd = open_beneath(root, dir, O_DIRECTORY);
	if (fd < 0)
		return -errno_status();
	close(fd);
	return -403;
}

int http_open(int root, const char *path, bool dir, off_t *size, time_t *mtime)
{
	struct stat st;
	int fd;

	if (dir) {
		fd = open_index(root, path);
	} else {
		fd = open_beneath(root, path, 0);
		if (fd < 0)
			fd = -errno_status();
	}
	if (fd < 0)
		return fd;

	if (!fstat(fd, &st) && S_ISREG(st.st_mode)) {
		*size = st.st_size;
		*mtime = st.st_mtime;
		return fd;
	}
	close(fd);
	return S_ISDIR(st.st_mode) && !dir ? -301 : -403;
}

const char *http_content_type(const char *path)
{
	static const char * const types[][2] = {
		{ ".html", "text/html; charset=utf-8" },
		{ ".htm", "text/html; charset=utf-8" },
		{ ".txt", "text/plain; charset=utf-8" },
		{ ".rst", "text/plain; charset=utf-8" },
		{ ".c", "text/plain; charset=utf-8" },
		{ ".h", "text/plain; charset=utf-8" },
		{ ".css", "text/css; charset=utf-8" },
		{ ".js", "text/javascript; charset=utf-8" },
		{ ".json", "application/json" },
		{ ".xml", "application/xml" },
		{ ".pdf", "application/pdf" },
		{ ".svg", "image/svg+xml" },
		{ ".png", "image/png" },
		{ ".jpg", "image/jpeg" },
		{ ".gif", "image/gif" },
		{ ".ico", "image/vnd.microsoft.icon" },
	};
	const char *slash = strrchr(path, '/');
	const char *dot = strrchr(slash ? slash : path, '.');

	for (size_t i = 0; dot && i < ARRAY_SIZE(types); i++) {
		if (!strcasecmp(dot, types[i][0]))
			return types[i][1];
	}
	return "application/octet-stream";
}
