/*
 * Reads programs and writes traces. The reader knows exactly the JSON that the generator writes:
 * lists, integers and names; anything else is a broken file, and is said so in one line.
 */
#include "program.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const names[OPS] = {
    "", "try", "loop", "ret", "raise",
    "y", "df", "dn", "new", "primed", "next", "send", "throw", "close", "state", "deleg", "free",
    "fut", "set", "exc", "setun", "cancel", "res", "err", "st", "add", "rm", "chain", "drop",
    "task", "aw", "yn", "yf", "cur", "dump",
    "soon", "later", "at", "hc", "hcd", "when", "time", "stop", "once", "until", "forever",
    "lclose", "sleep", "gather", "item", "wf", "shield",
    "rd", "wr", "recv", "sendall", "addr", "addw", "rmr", "rmw", "shut", "sclose", "turns",
    "spawn", "gettid", "knew", "kill", "wait", "kyield", "sub", "krun", "kread", "kwrite",
    "kfeed", "kdrain", "kforget",
};

/* --- reading -------------------------------------------------------------------------------- */

/* All nodes of a program lie in chunks that are used again for the next one. */
struct chunk {
    struct chunk *next;
    size_t used;
    _Alignas(16) char memory[1 << 16];
};

static struct chunk *chunks, *filling;
static const char *at;
static size_t line_number;

static _Noreturn void broken(const char *what)
{
    fprintf(stderr, "conformance: program %zu: %s\n", line_number, what);
    exit(2);
}

static void *take(size_t size)
{
    size = (size + 15) & ~(size_t)15;
    if (size > sizeof filling->memory)
        broken("a list is too long");
    while (filling == NULL || filling->used + size > sizeof filling->memory) {
        if (filling != NULL && filling->next != NULL) {
            filling = filling->next;
            filling->used = 0;
            continue;
        }
        struct chunk *fresh = calloc(1, sizeof *fresh);
        if (fresh == NULL)
            broken("no memory");
        if (filling == NULL)
            chunks = fresh;
        else
            filling->next = fresh;
        filling = fresh;
    }
    void *p = filling->memory + filling->used;
    filling->used += size;
    return p;
}

void program_free(void)
{
    filling = chunks;
    if (filling != NULL)
        filling->used = 0;
}

static void skip_space(void)
{
    while (*at == ' ')
        at++;
}

static enum op parse_name(void)
{
    char name[16];
    size_t n = 0;
    for (at++; *at != '"'; at++) {
        if (!isalnum((unsigned char)*at) || n + 1 == sizeof name)
            broken("a name that is none");
        name[n++] = *at;
    }
    at++;
    name[n] = '\0';
    for (int op = 1; op < OPS; op++)
        if (strcmp(names[op], name) == 0)
            return (enum op)op;
    char sentence[48];
    snprintf(sentence, sizeof sentence, "unknown operation \"%s\"", name);
    broken(sentence);
}

static struct node *parse_item(int depth)
{
    struct node *node = take(sizeof *node);
    *node = (struct node){.op = OP_NONE};
    skip_space();
    if (*at == '-' || isdigit((unsigned char)*at)) {
        char *end;
        node->integer = (int)strtol(at, &end, 10);
        if (end == at || (*at == '-' && !isdigit((unsigned char)at[1])))
            broken("a number that is none");
        at = end;
        return node;
    }
    if (*at != '[' || depth > 50)
        broken("neither a number nor a list");
    at++;
    skip_space();
    struct node *kids[400];
    if (*at == '"') {
        node->op = parse_name();
        skip_space();
        if (*at == ',')
            at++;
        else if (*at != ']')
            broken("a list without an end");
    }
    skip_space();
    while (*at != ']') {
        if (node->n == sizeof kids / sizeof kids[0])
            broken("a list is too long");
        kids[node->n++] = parse_item(depth + 1);
        skip_space();
        if (*at == ',')
            at++;
        else if (*at != ']')
            broken("a list without an end");
        skip_space();
    }
    at++;
    node->kids = take(node->n * sizeof kids[0] + 1);
    if (node->n > 0)
        memcpy(node->kids, kids, node->n * sizeof kids[0]);
    return node;
}

struct node *program_parse(const char *line, size_t number_of_line)
{
    at = line;
    line_number = number_of_line;
    struct node *program = parse_item(0);
    skip_space();
    if (*at != '\n' && *at != '\0')
        broken("something behind the program");
    return program;
}

const struct node *kid(const struct node *list, size_t i)
{
    static struct node *no_kids[1];
    static const struct node empty = {.op = OP_NONE, .kids = no_kids};
    return i < list->n ? list->kids[i] : &empty;
}

int number(const struct node *list, size_t i)
{
    return kid(list, i)->integer;
}

_Noreturn void not_of_this_level(void)
{
    broken("an operation that is not of this level");
}

/* --- meaning -------------------------------------------------------------------------------- */

int budget;

bool spend(void)
{
    return budget > 0 && --budget > 0;
}

int place(int i, int n)
{
    return n == 0 ? 0 : (i % n + n) % n;
}

value operand(int i)
{
    return i < 0 ? value_none() : value_int(i);
}

int user_error(int i)
{
    return ERR_USER - i;
}

bool catches(int mask, int error)
{
    switch (mask) {
    case 0:
        return true;
    case 1:
        return error_is_ordinary(error);
    case 2:
        return error == ERR_CANCELLED;
    case 3:
        return error == ERR_GENERATOR_EXIT;
    case 4:
        return error <= ERR_USER;
    default:
        return false;
    }
}

/* --- bodies --------------------------------------------------------------------------------- */

struct instance instance_of(const struct node *bodies, int i, simple_fn *simple, const char *letter,
                            int number)
{
    return (struct instance){.body = kid(bodies, (size_t)place(i, (int)bodies->n)),
                             .simple = simple,
                             .letter = letter,
                             .number = number};
}

static int block(struct instance *self, const struct node *list, value *ret);

static int try_block(struct instance *self, const struct node *st, value *ret)
{
    int status = block(self, kid(st, 0), ret);
    if (status < 0 && catches(number(st, 1), status)) {
        trace("%s%d caught %s", self->letter, self->number, error_name(status));
        *ret = value_none();
        status = block(self, kid(st, 2), ret);
    }
    if (kid(st, 3)->n > 0) {
        value own = value_none();
        trace("%s%d finally", self->letter, self->number);
        int last = block(self, kid(st, 3), &own);
        if (last != 0) {
            status = last;
            *ret = own;
        }
    }
    return status;
}

/* Answers 0 at the end of the list, 1 after a return, or an error. */
static int block(struct instance *self, const struct node *list, value *ret)
{
    for (size_t i = 0; i < list->n; i++) {
        const struct node *st = list->kids[i];
        int status = 0;
        if (!spend()) {
            *ret = value_none();
            return 1;
        }
        if (st->op == OP_TRY) {
            status = try_block(self, st, ret);
        } else if (st->op == OP_LOOP) {
            for (int n = number(st, 0); n > 0 && status == 0; n--)
                status = block(self, kid(st, 1), ret);
        } else if (st->op == OP_RET) {
            *ret = operand(number(st, 0));
            status = 1;
        } else {
            status = self->simple(self, st);
            if (status < 0)
                trace("%s%d ! %s", self->letter, self->number, error_name(status));
        }
        if (status != 0)
            return status;
    }
    return 0;
}

int body(void *arg, value *ret)
{
    struct instance *self = arg;
    trace("%s%d begins", self->letter, self->number);
    int status = block(self, self->body, ret);
    return status > 0 ? 0 : status;
}

/* --- the trace ------------------------------------------------------------------------------ */

void trace(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vprintf(format, arguments);
    va_end(arguments);
    putchar('\n');
}

const char *text(value v)
{
    static char buffers[8][80];
    static unsigned next;
    char *buffer = buffers[next++ % 8];
    value_format(v, buffer, sizeof buffers[0]);
    return buffer;
}
