/*
 * format.c - the formatter behind printk and the reports.
 *
 * L0. Freestanding plus string.h. Follows the shape of lib/vsprintf.c: parse a specification,
 * then print one value under it.
 */
#include <string.h>

#include "base/format.h"
#include "base/math.h"

/* Where text goes: counts everything, stores what fits. */
struct sink {
	char *buffer;
	size_t room; /* bytes that may be stored, without the terminator */
	size_t length;
};

enum length_modifier { LENGTH_CHAR, LENGTH_SHORT, LENGTH_INT, LENGTH_LONG, LENGTH_LONG_LONG };

struct spec {
	bool left;
	bool zero;
	int width;
	int precision; /* -1: not given */
	enum length_modifier length;
	char conversion;
};

static void put_text(struct sink *sink, const char *text, size_t bytes)
{
	if (sink->length < sink->room)
		memcpy(sink->buffer + sink->length, text,
		       min_size(bytes, sink->room - sink->length));
	sink->length += bytes;
}

static void put_repeated(struct sink *sink, char c, size_t times)
{
	if (sink->length < sink->room)
		memset(sink->buffer + sink->length, c, min_size(times, sink->room - sink->length));
	sink->length += times;
}

/* prefix (sign or 0x), zeros, text: padded to the width on the side that the spec says. */
static void put_field(struct sink *sink, const struct spec *spec, const char *prefix, size_t zeros,
		      const char *text, size_t bytes)
{
	size_t used = strlen(prefix) + zeros + bytes;
	size_t width = (size_t)spec->width;
	size_t padding = width > used ? width - used : 0;

	if (!spec->left)
		put_repeated(sink, ' ', padding);
	put_text(sink, prefix, strlen(prefix));
	put_repeated(sink, '0', zeros);
	put_text(sink, text, bytes);
	if (spec->left)
		put_repeated(sink, ' ', padding);
}

static void put_string(struct sink *sink, const struct spec *spec, const char *text)
{
	size_t bytes;

	if (!text)
		text = "(null)";
	bytes = spec->precision < 0 ? strlen(text) : strnlen(text, (size_t)spec->precision);
	put_field(sink, spec, "", 0, text, bytes);
}

static void put_number(struct sink *sink, const struct spec *spec, uint64_t value,
		       unsigned int base, const char *prefix)
{
	const char *digits = spec->conversion == 'X' ? "0123456789ABCDEF" : "0123456789abcdef";
	size_t minimum = spec->precision < 0 ? 1 : (size_t)spec->precision;
	char text[20]; /* 2^64 has 20 decimal digits */
	size_t start = sizeof(text);
	size_t bytes;

	for (; value; value /= base)
		text[--start] = digits[value % base];
	bytes = sizeof(text) - start;
	if (spec->zero && !spec->left && spec->precision < 0 &&
	    (size_t)spec->width > strlen(prefix))
		minimum = max_size(minimum, (size_t)spec->width - strlen(prefix));
	put_field(sink, spec, prefix, minimum > bytes ? minimum - bytes : 0, text + start, bytes);
}

static int64_t signed_argument(enum length_modifier length, va_list *args)
{
	switch (length) {
	case LENGTH_CHAR:
		return (signed char)va_arg(*args, int);
	case LENGTH_SHORT:
		return (short)va_arg(*args, int);
	case LENGTH_INT:
		return va_arg(*args, int);
	case LENGTH_LONG:
		return va_arg(*args, long);
	case LENGTH_LONG_LONG:
		return va_arg(*args, long long);
	}
	__builtin_unreachable();
}

static uint64_t unsigned_argument(enum length_modifier length, va_list *args)
{
	switch (length) {
	case LENGTH_CHAR:
		return (unsigned char)va_arg(*args, unsigned int);
	case LENGTH_SHORT:
		return (unsigned short)va_arg(*args, unsigned int);
	case LENGTH_INT:
		return va_arg(*args, unsigned int);
	case LENGTH_LONG:
		return va_arg(*args, unsigned long);
	case LENGTH_LONG_LONG:
		return va_arg(*args, unsigned long long);
	}
	__builtin_unreachable();
}

/* A number or '*' at `text`; moves on behind it. */
static const char *parse_count(const char *text, int *count, va_list *args)
{
	if (*text == '*') {
		*count = va_arg(*args, int);
		return text + 1;
	}
	for (*count = 0; *text >= '0' && *text <= '9'; text++)
		*count = *count * 10 + (*text - '0');
	return text;
}

static const char *parse_length(const char *text, enum length_modifier *length)
{
	static const struct {
		char text[3];
		enum length_modifier length;
	} modifiers[] = {
		{ "hh", LENGTH_CHAR }, { "h", LENGTH_SHORT }, { "ll", LENGTH_LONG_LONG },
		{ "l", LENGTH_LONG },  { "z", LENGTH_LONG },
	};

	*length = LENGTH_INT;
	for (size_t i = 0; i < ARRAY_SIZE(modifiers); i++) {
		size_t bytes = strlen(modifiers[i].text);

		if (!strncmp(text, modifiers[i].text, bytes)) {
			*length = modifiers[i].length;
			return text + bytes;
		}
	}
	return text;
}

/* `text` is behind the '%'. Returns where the conversion character is. */
static const char *parse_spec(const char *text, struct spec *spec, va_list *args)
{
	*spec = (struct spec){ .precision = -1 };
	for (; *text == '-' || *text == '0'; text++) {
		spec->left |= *text == '-';
		spec->zero |= *text == '0';
	}
	text = parse_count(text, &spec->width, args);
	if (spec->width < 0) {
		spec->left = true;
		spec->width = -spec->width;
	}
	if (*text == '.')
		text = parse_count(text + 1, &spec->precision, args);
	text = parse_length(text, &spec->length);
	spec->conversion = *text;
	return text;
}

/* False when the conversion is not one of ours. */
static bool put_conversion(struct sink *sink, const struct spec *spec, va_list *args)
{
	int64_t number;
	char c;

	switch (spec->conversion) {
	case '%':
		put_text(sink, "%", 1);
		return true;
	case 'c':
		c = (char)va_arg(*args, int);
		put_field(sink, spec, "", 0, &c, 1);
		return true;
	case 's':
		put_string(sink, spec, va_arg(*args, const char *));
		return true;
	case 'd':
	case 'i':
		number = signed_argument(spec->length, args);
		put_number(sink, spec, number < 0 ? -(uint64_t)number : (uint64_t)number, 10,
			   number < 0 ? "-" : "");
		return true;
	case 'u':
		put_number(sink, spec, unsigned_argument(spec->length, args), 10, "");
		return true;
	case 'x':
	case 'X':
		put_number(sink, spec, unsigned_argument(spec->length, args), 16, "");
		return true;
	case 'p':
		put_number(sink, spec, (uintptr_t)va_arg(*args, void *), 16, "0x");
		return true;
	default:
		return false;
	}
}

/* The va_list travels by address: as an array type it could not be passed on otherwise. */
static void format_all(struct sink *sink, const char *format, va_list *args)
{
	while (*format) {
		const char *percent = format + strcspn(format, "%");
		const char *end;
		struct spec spec;

		put_text(sink, format, (size_t)(percent - format));
		if (!*percent)
			return;
		end = parse_spec(percent + 1, &spec, args);
		format = *end ? end + 1 : end;
		if (!put_conversion(sink, &spec, args))
			put_text(sink, percent, (size_t)(format - percent));
	}
}

size_t format_text_v(char *buffer, size_t bytes, const char *format, va_list args)
{
	struct sink sink = { .buffer = buffer, .room = bytes ? bytes - 1 : 0 };
	va_list copy;

	va_copy(copy, args);
	format_all(&sink, format, &copy);
	va_end(copy);
	if (bytes)
		buffer[min_size(sink.length, sink.room)] = '\0';
	return sink.length;
}

size_t format_text(char *buffer, size_t bytes, const char *format, ...)
{
	va_list args;
	size_t length;

	va_start(args, format);
	length = format_text_v(buffer, bytes, format, args);
	va_end(args);
	return length;
}

/* The value of a digit of any base up to 16; 16 for anything else. */
static unsigned int digit_value(char c)
{
	if (c >= '0' && c <= '9')
		return (unsigned int)(c - '0');
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? (unsigned int)(c - 'a') + 10 : 16;
}

/* The power of 1024 that "", "k", "KB", "kiB" ... stand for; -1 for anything else. */
static int suffix_power(const char *text, size_t length)
{
	static const char units[] = "kmgt";
	const char *unit;

	if (!length)
		return 0;
	unit = memchr(units, text[0] | 0x20, sizeof(units) - 1);
	if (!unit)
		return -1;
	if (length == 3 && (text[1] | 0x20) == 'i' && (text[2] | 0x20) == 'b')
		length = 1;
	if (length == 2 && (text[1] | 0x20) == 'b')
		length = 1;
	return length == 1 ? (int)(unit - units) + 1 : -1;
}

bool parse_bytes(const char *text, size_t text_length, uint64_t *value)
{
	bool hex = text_length > 2 && text[0] == '0' && (text[1] | 0x20) == 'x';
	unsigned int base = hex ? 16 : 10;
	size_t start = hex ? 2 : 0;
	size_t at = start;
	uint64_t number = 0;
	int power;

	for (; at < text_length && digit_value(text[at]) < base; at++) {
		if (__builtin_mul_overflow(number, base, &number) ||
		    __builtin_add_overflow(number, digit_value(text[at]), &number))
			return false;
	}
	power = suffix_power(text + at, text_length - at);
	if (at == start || power < 0 ||
	    __builtin_mul_overflow(number, (uint64_t)1 << (10 * power), &number))
		return false;
	*value = number;
	return true;
}
