/*
 * A value knows its type and nothing else. Printing is the one thing that differs from type to
 * type, so it is the one function in struct value_type; the rest is arithmetic on two words.
 */
#include "value.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "error.h"

static int format_bool(value v, char *text, size_t size)
{
    return snprintf(text, size, "%s", v.as.integer ? "True" : "False");
}

static int format_int(value v, char *text, size_t size)
{
    return snprintf(text, size, "%" PRIdPTR, v.as.integer);
}

/* Appends one character and keeps counting beyond the end, as snprintf does. */
static void put(char *text, size_t size, size_t *length, char c)
{
    if (*length + 1 < size)
        text[*length] = c;
    ++*length;
}

/* Python's repr: single quotes, unless the text has some and no double ones. */
static int format_str(value v, char *text, size_t size)
{
    const char *s = v.as.string;
    char quote = strchr(s, '\'') != NULL && strchr(s, '"') == NULL ? '"' : '\'';
    size_t length = 0;
    put(text, size, &length, quote);
    for (; *s != '\0'; s++) {
        const char *escapes = "\nn\tt\rr\\\\";
        while (*escapes != '\0' && *escapes != *s)
            escapes += 2;
        if (*escapes != '\0' || *s == quote) {
            put(text, size, &length, '\\');
            put(text, size, &length, *escapes != '\0' ? escapes[1] : quote);
        } else if ((unsigned char)*s < 0x20 || *s == 0x7f) {
            put(text, size, &length, '\\');
            put(text, size, &length, 'x');
            put(text, size, &length, "0123456789abcdef"[(unsigned char)*s >> 4]);
            put(text, size, &length, "0123456789abcdef"[*s & 15]);
        } else {
            put(text, size, &length, *s);
        }
    }
    put(text, size, &length, quote);
    if (size > 0)
        text[length < size ? length : size - 1] = '\0';
    return (int)length;
}

const struct value_type value_type_bool = {"bool", format_bool};
const struct value_type value_type_int = {"int", format_int};
const struct value_type value_type_str = {"str", format_str};
const struct value_type value_type_ptr = {"ptr", NULL};

int value_format(value v, char *text, size_t size)
{
    if (v.type == NULL)
        return snprintf(text, size, "None");
    if (v.type->format == NULL)
        return snprintf(text, size, "<%s>", v.type->name);
    return v.type->format(v, text, size);
}

static const char *type_name(value v)
{
    return v.type == NULL ? "None" : v.type->name;
}

intptr_t value_as_int(value v)
{
    if (v.type != &value_type_int && v.type != &value_type_bool)
        die("value_as_int() of a value that is %s, not int", type_name(v));
    return v.as.integer;
}

const char *value_as_str(value v)
{
    if (v.type != &value_type_str)
        die("value_as_str() of a value that is %s, not str", type_name(v));
    return v.as.string;
}

void *value_as_ptr(value v)
{
    if (v.type != &value_type_ptr)
        die("value_as_ptr() of a value that is %s, not ptr", type_name(v));
    return v.as.pointer;
}

bool value_equal(value a, value b)
{
    if (a.type != b.type)
        return false;
    if (a.type == NULL)
        return true;
    if (a.type == &value_type_str)
        return strcmp(a.as.string, b.as.string) == 0;
    return a.as.integer == b.as.integer;
}
