/**
 * @file value.h
 * @brief What travels between a generator and whoever drives it.
 *
 * Python yields objects. Here a value is sixteen bytes, copied like an int: a pointer to its type
 * and one word. The set of types is open, so a later stage can add futures and system calls
 * without editing this file. A value owns nothing: whoever made the thing that it points to still
 * has to keep it alive.
 */
#ifndef VALUE_H
#define VALUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** @defgroup value Values
 *  @brief Sixteen bytes: a type and a word.
 *  @{ */

struct value_type;

/** One value. All bytes zero is None, so `value v = {0};` needs no helper. */
typedef struct value {
    const struct value_type *type; /**< NULL for None. */
    union {
        intptr_t integer;   /**< For integers and booleans. */
        const char *string; /**< For strings: borrowed, NUL-terminated. */
        void *pointer;      /**< For everything else. */
    } as;                   /**< Read it through `value_as_…`, which checks the type. */
} value;

/** What all values of one type have in common. Make one static object for each type of your own. */
struct value_type {
    const char *name; /**< As it shall be printed: "int", "future". */
    /** Writes the value as text, with the result of snprintf; NULL prints `<name>`. */
    int (*format)(value v, char *text, size_t size);
};

extern const struct value_type value_type_bool; /**< Of value_bool(). */
extern const struct value_type value_type_int;  /**< Of value_int(). */
extern const struct value_type value_type_str;  /**< Of value_str(). */
extern const struct value_type value_type_ptr;  /**< Of value_ptr(). */

/** @return None: what a bare `yield` hands out and what a function without a result returns. */
static inline value value_none(void)
{
    return (value){0};
}

/** @param b the truth. @return True or False. */
static inline value value_bool(bool b)
{
    return (value){&value_type_bool, {.integer = b}};
}

/** @param i any integer that fits into a word. @return it, as a value. */
static inline value value_int(intptr_t i)
{
    return (value){&value_type_int, {.integer = i}};
}

/** @param s a NUL-terminated text that outlives the value. @return it, as a value. */
static inline value value_str(const char *s)
{
    return (value){&value_type_str, {.string = s}};
}

/** @param p an address that means something to both sides. @return it, as a value. */
static inline value value_ptr(void *p)
{
    return (value){&value_type_ptr, {.pointer = p}};
}

/** @param v a value. @param type the type asked about, NULL for None. @return whether it is one. */
static inline bool value_is(value v, const struct value_type *type)
{
    return v.type == type;
}

/** @param v a value. @return whether it is None. */
static inline bool value_is_none(value v)
{
    return v.type == NULL;
}

/**
 * The integer in @p v, which must be an int or a bool.
 * Anything else is a broken program and aborts with a sentence that names the type found.
 * @param v the value. @return its integer.
 */
intptr_t value_as_int(value v);

/** The text in @p v, which must be a str (else aborts). @param v the value. @return its text. */
const char *value_as_str(value v);

/** The address in @p v, which must be a ptr (else aborts). @param v the value. @return it. */
void *value_as_ptr(value v);

/**
 * Whether two values are the same: same type, and the same number, text or address.
 * @param a one. @param b the other. @return true if so.
 */
bool value_equal(value a, value b);

/**
 * Writes @p v as Python's repr would: `None`, `True`, `5`, `'abc'`; other types as they like.
 * Addresses are never printed, so that two runs print the same.
 * @param v the value. @param text where to. @param size bytes there, with the NUL; 0 only counts.
 * @return the length of the whole text, as snprintf.
 */
int value_format(value v, char *text, size_t size);

/** @} */
#endif
