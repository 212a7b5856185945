// SPDX-License-Identifier: GPL-2.0
/*
 * HTTP request heads (RFC 9112), read strictly: a line ends in CRLF and in
 * nothing else, one space stands between the parts of the request line, no
 * field is folded, and framing that two parsers could understand differently
 * is an error. A server that accepts less cannot be tricked by what a proxy
 * in front of it understood.
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "httpd_http.h"

int http_scan(struct http_scan *scan, const char *buf, size_t len)
{
	for (; scan->pos < len; scan->pos++) {
		size_t pos = scan->pos;
		bool after_cr = pos > scan->line && buf[pos - 1] == '\r';

		if (!buf[pos] || after_cr != (buf[pos] == '\n'))
			return 400;
		if (buf[pos] != '\n')
			continue;

		if (pos - scan->line > 1) {
			if (scan->line == scan->start &&
			    pos - scan->start > HTTP_LINE_MAX)
				return 414;
		} else if (scan->line == scan->start) {
			scan->start = pos + 1;
		} else {
			scan->pos = pos + 1;
			return 1;
		}
		scan->line = pos + 1;
	}

	if (scan->line == scan->start && len - scan->start > HTTP_LINE_MAX)
		return 414;
	return len < HTTP_HEAD_MAX ? 0 : 431;
}

static bool is_token(const char *s, size_t len)
{
	if (!len)
		return false;
	for (size_t i = 0; i < len; i++) {
		unsigned char c = s[i];

		if (!isalnum(c) && (!c || !strchr("!#$%&'*+-.^_`|~", c)))
			return false;
	}
	return true;
}

/* Is @token an element of the comma-separated @list? */
static bool list_has(const char *list, const char *token)
{
	size_t want = strlen(token);

	while (*list) {
		size_t len;

		list += strspn(list, ", \t");
		len = strcspn(list, ", \t");
		if (len == want && !strncasecmp(list, token, len))
			return true;
		list += len;
	}
	return false;
}

static enum http_method find_method(const char *name)
{
	static const char * const others[] = {
		"POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH",
	};

	if (!strcmp(name, "GET"))
		return HTTP_GET;
	if (!strcmp(name, "HEAD"))
		return HTTP_HEAD;
	for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
		if (!strcmp(name, others[i]))
			return HTTP_NOT_ALLOWED;
	}
	return HTTP_UNKNOWN;
}

/* HTTP-name is case-sensitive, and there is one digit on each side. */
static int parse_version(struct http_request *req, const char *version)
{
	if (strncmp(version, "HTTP/", 5) || !isdigit((unsigned char)version[5]) ||
	    version[6] != '.' || !isdigit((unsigned char)version[7]) || version[8])
		return 400;
	if (version[5] != '1')
		return 505;
	req->minor = version[7] - '0';
	return 0;
}

/* origin-form or, as every server must, absolute-form. */
static int parse_target(struct http_request *req, char *target)
{
	size_t len;

	for (const char *p = target; *p; p++) {
		if (*p <= ' ' || *p >= 0x7f || *p == '#')
			return 400;
	}

	if (!strncasecmp(target, "http://", 7)) {
		target += 7;
		len = strcspn(target, "/?");
		if (!len || *target == ':')
			return 400;
		target += len;
		if (*target != '/') {
			req->path = "/";
			req->path_len = 1;
			req->query = target;
			return 0;
		}
	}
	if (*target != '/')
		return 400;
	req->path = target;
	req->path_len = strcspn(target, "?");
	req->query = target + req->path_len;
	return 0;
}

static int parse_request_line(struct http_request *req, char *line)
{
	char *target, *version;
	int status;

	target = strchr(line, ' ');
	version = strrchr(line, ' ');
	if (!target || target == version || !is_token(line, target - line))
		return 400;
	*target++ = '\0';
	*version++ = '\0';

	status = parse_version(req, version);
	if (status)
		return status;
	req->method = find_method(line);
	if (req->method == HTTP_GET || req->method == HTTP_HEAD)
		return parse_target(req, target);
	return strchr(target, ' ') || !*target ? 400 : 0;
}

static int parse_length(struct http_request *req, const char *value)
{
	size_t len = strlen(value);
	unsigned long long length;

	if (!len || len > 18 || strspn(value, "0123456789") != len)
		return 400;
	length = strtoull(value, NULL, 10);
	if (req->has_length && req->length != length)
		return 400;
	req->has_length = true;
	req->length = length;
	return 0;
}

static int parse_host(struct http_request *req, const char *value)
{
	for (; *value; value++) {
		unsigned char c = *value;

		if (!isalnum(c) && !strchr("-._~!$&'()*+;=%:[]", c))
			return 400;
	}
	return ++req->nr_hosts > 1 ? 400 : 0;
}

static int parse_field(struct http_request *req, char *line)
{
	char *value, *end;

	value = strchr(line, ':');
	if (!value || !is_token(line, value - line))
		return 400;
	*value++ = '\0';
	value += strspn(value, " \t");
	for (end = value + strlen(value); end > value; end--) {
		if (end[-1] != ' ' && end[-1] != '\t')
			break;
	}
	*end = '\0';
	for (const char *p = value; *p; p++) {
		if (iscntrl((unsigned char)*p) && *p != '\t')
			return 400;
	}

	if (!strcasecmp(line, "Host"))
		return parse_host(req, value);
	if (!strcasecmp(line, "Content-Length"))
		return parse_length(req, value);
	if (!strcasecmp(line, "Transfer-Encoding")) {
		if (req->transfer_encoding)
			return 400;
		req->transfer_encoding = value;
	} else if (!strcasecmp(line, "Connection")) {
		req->close |= list_has(value, "close");
		req->persist |= list_has(value, "keep-alive");
	} else if (!strcasecmp(line, "Expect")) {
		if (strcasecmp(value, "100-continue"))
			return 417;
	} else if (!strcasecmp(line, "If-Modified-Since")) {
		req->if_modified_since = value;
	} else if (!strcasecmp(line, "If-None-Match")) {
		req->if_none_match = value;
	}
	return 0;
}

/* What can only be judged when all fields are known. */
static int check_fields(struct http_request *req)
{
	if (req->minor >= 1 && !req->nr_hosts)
		return 400;
	if (req->transfer_encoding) {
		if (req->minor < 1 || req->has_length)
			return 400;
		if (strcasecmp(req->transfer_encoding, "chunked"))
			return 501;
	}
	req->has_body = req->transfer_encoding || req->length;
	if (req->method == HTTP_UNKNOWN)
		return 501;
	if (req->method == HTTP_NOT_ALLOWED)
		return 405;
	return 0;
}

int http_parse(struct http_request *req, char *head, size_t len)
{
	char *line = head, *end = head + len;
	bool first = true;
	int status = 0;

	memset(req, 0, sizeof(*req));
	while (line < end) {
		char *next = memchr(line, '\r', end - line);

		*next = '\0';
		if (*line) {
			status = first ? parse_request_line(req, line) :
					 parse_field(req, line);
			if (status)
				return status;
			first = false;
		}
		line = next + 2;
	}

	status = check_fields(req);
	/* Where the next request starts is only known without a body. */
	if ((!status || status == 405) && !req->has_body)
		req->keep_alive = !req->close && (req->minor >= 1 || req->persist);
	return status;
}
