/* SPDX-License-Identifier: GPL-2.0 */
/*
 * HTTP/1.1 for the httpd sample: requests in, response heads out, and the way
 * from a request target to an open file.
 *
 * Nothing here knows about sockets or threads. What comes from the client is
 * only ever looked at with its length; a request head is cut up in place.
 */
#ifndef HTTPD_HTTP_H
#define HTTPD_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <time.h>

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))

#define HTTP_HEAD_MAX	16384	/* request line and all fields */
#define HTTP_LINE_MAX	8192	/* request line */
#define HTTP_DATE_MAX	32
#define HTTP_REPLY_MAX	(HTTP_LINE_MAX + 1024)

enum http_method {
	HTTP_GET,
	HTTP_HEAD,
	HTTP_NOT_ALLOWED,	/* a known method that files do not have */
	HTTP_UNKNOWN,
};

/* Progress of http_scan(), zeroed for every request. */
struct http_scan {
	size_t pos;		/* next byte to look at */
	size_t start;		/* of the request line, after empty lines */
	size_t line;		/* start of the current line */
};

/* A parsed request; the strings point into the head. */
struct http_request {
	enum http_method method;
	int minor;		/* of the version, whose major is 1 */
	bool keep_alive;
	bool has_body;		/* a body follows that nobody reads */
	const char *path;	/* still encoded, path_len bytes */
	size_t path_len;
	const char *query;	/* from the '?' on, or empty */
	const char *if_modified_since;
	const char *if_none_match;

	/* what the fields said, until all of them are seen */
	unsigned int nr_hosts;
	bool has_length;
	unsigned long long length;
	const char *transfer_encoding;
	bool close;
	bool persist;
};

struct http_reply {
	int status;
	bool keep_alive;
	bool has_file;
	off_t length;		/* of the file, with has_file */
	time_t mtime;
	const char *type;
	const struct http_request *redirect;	/* 301: to its path + '/' */
};

/* 1: complete, scan->pos is its length; 0: more is needed; else a status. */
int http_scan(struct http_scan *scan, const char *buf, size_t len);

/* 0 or a status. Changes @head, which http_scan() found complete. */
int http_parse(struct http_request *req, char *head, size_t len);

/* Formats the head and, without a file, the body; returns the bytes. */
size_t http_format(const struct http_reply *reply, bool head_only,
		   char *buf, size_t size);

void http_date(time_t t, char *buf, size_t size);
bool http_not_modified(const struct http_request *req, time_t mtime);

/*
 * 0 or a status. @out: the path below the root, without a leading slash.
 * @dir: the path can only name a directory.
 */
int http_decode_path(const char *path, size_t len, char *out, size_t size,
		     bool *dir);

/* Opens a file below @root: an fd, or the negative of a status. */
int http_open(int root, const char *path, bool dir, off_t *size,
	      time_t *mtime);

const char *http_content_type(const char *path);

#endif /* HTTPD_HTTP_H */
