// SPDX-License-Identifier: GPL-2.0
/*
 * HTTP response heads, and dates as HTTP writes and reads them.
 *
 * Dates are formatted without gmtime(): it takes a lock of the C library that
 * all connections would share.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "httpd_http.h"

static const char *reason_phrase(int status)
{
	switch (status) {
	case 200: return "OK";
	case 301: return "Moved Permanently";
	case 304: return "Not Modified";
	case 400: return "Bad Request";
	case 403: return "Forbidden";
	case 404: return "Not Found";
	case 405: return "Method Not Allowed";
	case 408: return "Request Timeout";
	case 414: return "URI Too Long";
	case 417: return "Expectation Failed";
	case 431: return "Request Header Fields Too Large";
	case 501: return "Not Implemented";
	case 503: return "Service Unavailable";
	case 505: return "HTTP Version Not Supported";
	default: return "Internal Server Error";
	}
}

/* The proleptic Gregorian calendar, with years that start in March. */
void http_date(time_t t, char *buf, size_t size)
{
	static const char days[] = "ThuFriSatSunMonTueWed";
	static const char months[] = "MarAprMayJunJulAugSepOctNovDecJanFeb";
	unsigned long long secs = t > 0 ? t : 0;
	unsigned long long day = secs / 86400 + 719468;
	unsigned int era_day = day % 146097;
	unsigned int era_year = (era_day - era_day / 1460 + era_day / 36524 -
				 era_day / 146096) / 365;
	unsigned int year_day = era_day - (365 * era_year + era_year / 4 -
					   era_year / 100);
	unsigned int month = (5 * year_day + 2) / 153;
	unsigned int mday = year_day - (153 * month + 2) / 5 + 1;
	unsigned long long year = day / 146097 * 400 + era_year + (month >= 10);

	snprintf(buf, size, "%.3s, %02u %.3s %04llu %02u:%02u:%02u GMT",
		 days + secs / 86400 % 7 * 3, mday, months + month * 3, year,
		 (unsigned int)(secs / 3600 % 24),
		 (unsigned int)(secs / 60 % 60), (unsigned int)(secs % 60));
}

/* Any of the three formats that RFC 9110 asks a recipient to read. */
static bool parse_date(const char *text, time_t *t)
{
	static const char * const formats[] = {
		"%a, %d %b %Y %H:%M:%S GMT",
		"%A, %d-%b-%y %H:%M:%S GMT",
		"%a %b %e %H:%M:%S %Y",
	};

	for (size_t i = 0; i < ARRAY_SIZE(formats); i++) {
		struct tm tm = { 0 };
		const char *end = strptime(text, formats[i], &tm);

		if (end && !*end) {
			*t = timegm(&tm);
			return true;
		}
	}
	return false;
}

bool http_not_modified(const struct http_request *req, time_t mtime)
{
	time_t since;

	/* Without entity tags, only the wildcard matches. */
	if (req->if_none_match)
		return !strcmp(req->if_none_match, "*");
	return req->if_modified_since &&
	       parse_date(req->if_modified_since, &since) && mtime <= since;
}

struct out {
	char *buf;
	size_t size;
	size_t used;
};

static void add(struct out *out, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	out->used += vsnprintf(out->buf + out->used, out->size - out->used,
			       format, args);
	va_end(args);
}

/* Never "//": the client would take what follows for the name of a host. */
static void add_location(struct out *out, const struct http_request *req)
{
	size_t slashes = strspn(req->path, "/");

	add(out, "Location: /%.*s/%s\r\n", (int)(req->path_len - slashes),
	    req->path + slashes, req->query);
}

size_t http_format(const struct http_reply *reply, bool head_only,
		   char *buf, size_t size)
{
	struct out out = { buf, size, 0 };
	const char *reason = reason_phrase(reply->status);
	time_t now = time(NULL);
	char date[HTTP_DATE_MAX];

	http_date(now, date, sizeof(date));
	add(&out, "HTTP/1.1 %d %s\r\nServer: ums-httpd\r\nDate: %s\r\n"
	    "Connection: %s\r\n", reply->status, reason, date,
	    reply->keep_alive ? "keep-alive" : "close");
	if (reply->status == 405)
		add(&out, "Allow: GET, HEAD\r\n");
	if (reply->redirect)
		add_location(&out, reply->redirect);
	if (reply->has_file || reply->status == 304) {
		http_date(reply->mtime < now ? reply->mtime : now, date,
			  sizeof(date));
		add(&out, "Last-Modified: %s\r\n", date);
	}

	if (reply->has_file) {
		add(&out, "Content-Type: %s\r\nContent-Length: %lld\r\n\r\n",
		    reply->type, (long long)reply->length);
	} else if (reply->status == 304) {
		add(&out, "\r\n");
	} else {
		add(&out, "Content-Type: text/plain; charset=utf-8\r\n"
		    "Content-Length: %zu\r\n\r\n", strlen(reason) + 5);
		if (!head_only)
			add(&out, "%d %s\n", reply->status, reason);
	}
	return out.used;
}
