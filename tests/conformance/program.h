/**
 * @file program.h
 * @brief A random program as read from a file, and the trace of what it did.
 *
 * A program is one line of JSON, made of lists, integers and names: `["y",3]` is the statement y
 * with the operand 3. Both drivers read the same line; each level gives the names their meaning.
 */
#ifndef PROGRAM_H
#define PROGRAM_H

#include <stdbool.h>
#include <stddef.h>

#include "error.h"
#include "value.h"

/** What a list begins with. In the order of the table in program.c. */
enum op {
    OP_NONE, /* a list that begins with no name */
    /* control */
    OP_TRY,
    OP_LOOP,
    OP_RET,
    OP_RAISE,
    /* generators */
    OP_Y,
    OP_DF,
    OP_DN,
    OP_NEW,
    OP_PRIMED,
    OP_NEXT,
    OP_SEND,
    OP_THROW,
    OP_CLOSE,
    OP_STATE,
    OP_DELEG,
    OP_FREE,
    /* futures */
    OP_FUT,
    OP_SET,
    OP_EXC,
    OP_SETUN,
    OP_CANCEL,
    OP_RES,
    OP_ERR,
    OP_ST,
    OP_ADD,
    OP_RM,
    OP_CHAIN,
    OP_DROP,
    /* tasks */
    OP_TASK,
    OP_AW,
    OP_YN,
    OP_YF,
    OP_CUR,
    OP_DUMP,
    /* loop */
    OP_SOON,
    OP_LATER,
    OP_AT,
    OP_HC,
    OP_HCD,
    OP_WHEN,
    OP_TIME,
    OP_STOP,
    OP_ONCE,
    OP_UNTIL,
    OP_FOREVER,
    OP_LCLOSE,
    OP_SLEEP,
    OP_GATHER,
    OP_ITEM,
    OP_WF,
    OP_SHIELD,
    /* io */
    OP_RD,
    OP_WR,
    OP_RECV,
    OP_SENDALL,
    OP_ADDR,
    OP_ADDW,
    OP_RMR,
    OP_RMW,
    OP_SHUT,
    OP_SCLOSE,
    OP_TURNS,
    /* kernel */
    OP_SPAWN,
    OP_GETTID,
    OP_KNEW,
    OP_KILL,
    OP_WAIT,
    OP_KYIELD,
    OP_SUB,
    OP_KRUN,
    OP_KREAD,
    OP_KWRITE,
    OP_KFEED,
    OP_KDRAIN,
    OP_KFORGET,
    OPS
};

/** An integer (kids == NULL) or a list. */
struct node {
    enum op op;
    int integer;
    size_t n; /**< Of kids; the name of a list is none of them. */
    struct node **kids;
};

/** Parses one line, in place. On a mistake: one line on standard error, exit 2. */
struct node *program_parse(const char *line, size_t number);

/** Frees everything that program_parse() made since the last call. */
void program_free(void);

/** The kid of a list; an empty list if there is none: a shrunk program may have lost it. */
const struct node *kid(const struct node *list, size_t i);

/** The integer at that place, 0 if there is none. */
int number(const struct node *list, size_t i);

/** An operand as an index below n, as Python's % does it; 0 if n is. */
int place(int i, int n);

/** The program has an operation that its level does not know: one line, exit 2. */
_Noreturn void not_of_this_level(void);

/** An operand as a value: -1 is None. */
value operand(int i);

/** The user's error with that number: E0 … E3. */
int user_error(int i);

/** Whether a handler with that mask catches the error. */
bool catches(int mask, int error);

/** Statements that may still be executed. */
extern int budget;

/** Takes one from the budget; false if it is used up. */
bool spend(void);

/** Adds a line to the trace; the newline is added. */
void trace(const char *format, ...) __attribute__((format(printf, 1, 2)));

/** A value as text, in a buffer that lives for a few calls. */
const char *text(value v);

struct instance;
/** A statement that is none of try, loop and ret: what it means depends on the level. Answers what
 * it raises. */
typedef int simple_fn(struct instance *self, const struct node *st);

/** A body of the program that some generator runs. */
struct instance {
    const struct node *body;
    simple_fn *simple;
    const char *letter; /**< Before its number, in the trace. */
    int number;
    struct generator *generator; /**< Generators: NULL if it does not exist yet, or any more. */
    struct instance *next;       /**< Tasks: all of them, to be freed. */
};

/** The body that the operand @p i means. There has to be one. */
struct instance instance_of(const struct node *bodies, int i, simple_fn *simple, const char *letter,
                            int number);

/** The gen_fn of an instance: runs its statements. Tasks have their name from it. */
int body(void *instance, value *ret);

/** How a level runs a program. */
typedef void level_fn(const struct node *program);
level_fn run_generators, run_async, run_kernel;

#endif
