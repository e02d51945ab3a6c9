/**
 * @file bodies.h
 * @brief What the suites of tasks share: tasks to be, and bodies that say what they hear.
 *
 * new_task(await_one, &w) makes a task that is named after its body. A body gets a struct waiting,
 * or only the future, the task or the text that it needs.
 */
#ifndef BODIES_H
#define BODIES_H

#include <errno.h>
#include <stdio.h>

#include "harness.h"
#include "task.h"

/* What a task to be needs to know. Lies in the check. */
struct waiting {
    const char *name;
    struct future *f, *g; /* what it waits for */
    int times;            /* how often it shall do something */
};

static inline struct future *new_future(void)
{
    struct future *f = future_new(fixture_dispatcher());
    expect_true("future_new() makes one", f != NULL);
    return f;
}

#define new_task(fn, arg) new_task_named(fn, arg, #fn)

static inline struct task *new_task_named(gen_fn *fn, void *arg, const char *name)
{
    struct task *task;
    expect_ok(task_new_named(fixture_dispatcher(), fn, arg, name, 0, &task));
    expect_true("task_new() makes one", task != NULL);
    return task;
}

static inline bool is_done(struct task *task)
{
    return future_done(task_future(task));
}

static inline bool is_cancelled(struct task *task)
{
    return future_cancelled(task_future(task));
}

/* How it has ended is for other checks to say: nobody shall hear of it. */
static inline void give_back_quietly(struct task *task)
{
    int error = 0, asked = future_exception(task_future(task), &error);
    expect_true("it has ended", asked == 0 || asked == ERR_CANCELLED);
    task_unref(task);
}

static inline int note(struct future *f, void *arg)
{
    (void)f;
    record("%s", (const char *)arg);
    return 0;
}

/* Suites may give ERR_USER another name. */
static inline const char *name_of(int error)
{
    return error == ERR_USER ? "ERR_USER" : error_name(error);
}

static inline void hear(const char *name, int error)
{
    record("%s hears %s", name, error == 0 ? "a value" : name_of(error));
}

/* --- bodies ----------------------------------------------------------------------------------- */

static inline int return_arg(void *arg, value *ret)
{
    *ret = value_str(arg);
    return 0;
}

static inline int raise_user(void *arg, value *ret)
{
    (void)arg;
    *ret = value_int(5);
    return ERR_USER;
}

static inline int note_run(void *arg, value *ret)
{
    (void)ret;
    record("%s runs", (const char *)arg);
    return 0;
}

/* Awaits f, and passes on what it hears. */
static inline int await_one(void *arg, value *ret)
{
    struct waiting *w = arg;
    record("%s begins", w->name);
    int error = task_await(w->f, ret);
    hear(w->name, error);
    return error;
}

/* Awaits f, says what it got. */
static inline int await_and_tell(void *arg, value *ret)
{
    struct waiting *w = arg;
    value got = value_int(-77);
    char text[80];
    int error = task_await(w->f, &got);
    value_format(got, text, sizeof text);
    record("%s: %s %s", w->name, error == 0 ? "ok" : name_of(error), text);
    *ret = got;
    return error;
}

/* Awaits the future that it was given, quietly. */
static inline int await_quietly(void *arg, value *ret)
{
    return task_await(arg, ret);
}

/* Yields a few times. */
static inline int take_turns(void *arg, value *ret)
{
    struct waiting *w = arg;
    int error = 0;
    (void)ret;
    for (int i = 1; i <= w->times && !error; i++) {
        record("%s%d", w->name, i);
        error = task_yield();
    }
    if (error)
        hear(w->name, error);
    return error;
}

/* The same without task_await(): yields it. */
static inline int await_raw(void *arg, value *ret)
{
    int error = gen_yield(value_future(arg), ret);
    hear("the body", error);
    return error;
}

/* Awaits a task that need not have been made yet when this one was. */
static inline int await_the_other(void *arg, value *ret)
{
    struct task *const *other = arg;
    return task_await(task_future(*other), ret);
}

/* delegate() leaves the awaiting to a generator of its own. */
static inline int innermost(void *arg, value *ret)
{
    int error = task_await(arg, ret);
    hear("the innermost", error);
    return error;
}

static inline int delegate(void *arg, value *ret)
{
    struct generator *inner = gen_new(innermost, arg);
    if (inner == NULL)
        return -ENOMEM;
    int error = gen_yield_from(inner, ret);
    hear("the outer", error);
    gen_free(inner);
    return error;
}

/* What task_dump() writes, of so many tasks. free() it. */
static inline char *dump_of_tasks(int count)
{
    char *text = NULL;
    size_t size = 0;
    FILE *stream = open_memstream(&text, &size);
    if (stream == NULL)
        skip("needs a stream in memory");
    expect_int(task_dump(fixture_dispatcher(), stream), count);
    fclose(stream);
    return text;
}

#endif
